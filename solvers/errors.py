"""What a field solver raises when the input or the solution is not usable."""


class ModelError(ValueError):
    """The model cannot be solved as it was put; the message names the part and the fix."""


class ConvergenceError(RuntimeError):
    """A solve did not converge.

    Parameters
    ----------
    message : str
        What failed, where and why.
    time : float, optional
        Time of the failing step [s]; ``nan`` for a steady solve.
    """

    def __init__(self, message: str, time: float = float("nan")):
        super().__init__(message)
        self.time = time
