"""What is wrong with a case file, where, and how to put it right."""

from __future__ import annotations

from collections.abc import Sequence

from twin.errors import BadInput

__all__ = ["MOST_SHOWN", "CaseError"]

MOST_SHOWN = 50
"""Problems that are listed; the rest is counted."""

LONGEST = 1000
"""Characters of one message."""


class CaseError(BadInput):
    """One problem of a case file, and through `problems` all of them.

    Parameters
    ----------
    problem : str
        What is wrong, in words.
    file : str
        The file, or `command line --set`.
    line, column : int or None
        Place in the file, counted from 1.
    key : str
        Key path, such as `module_classes.satellite.radiator.width`; empty for the whole file.
    value : object
        What was found there.
    expected : str
        What would have been right.
    hint : str
        How to put it right, or the nearest valid key.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str,
        line: int | None = None,
        column: int | None = None,
        key: str = "",
        value: object = None,
        expected: str = "",
        hint: str = "",
    ) -> None:
        self.problem = problem
        self.file = file
        self.line = line
        self.column = column
        self.key = key
        self.value = value
        self.expected = expected
        self.hint = hint
        self.problems: tuple[CaseError, ...] = (self,)
        super().__init__(problem)

    @classmethod
    def collected(cls, problems: Sequence[CaseError]) -> CaseError:
        """Return the first problem in the order of the file, carrying all of them."""
        ordered = sorted(problems, key=lambda p: (p.file, p.line or 0, p.column or 0))
        unique = {str(p): p for p in ordered}
        first, *_ = unique.values()
        first.problems = tuple(unique.values())
        return first

    @property
    def place(self) -> str:
        """`file:line:column`, as editors and terminals make it clickable."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    @property
    def message(self) -> str:
        """What is wrong, what was expected, and the fix, without the place."""
        text = self.problem
        if self.expected:
            text += f"; expected {self.expected}"
        if self.hint:
            text += f" ({self.hint})"
        # What was found is echoed, and may be anything.
        return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"

    def __str__(self) -> str:
        head = f"{self.place}: "
        if self.key:
            head += f"{self.key}: "
        own = head + self.message
        others = [str(p) for p in self.problems[:MOST_SHOWN] if p is not self]
        hidden = len(self.problems) - MOST_SHOWN
        return "\n".join([own, *others, *([f"and {hidden} more problems"] if hidden > 0 else [])])
