"""Optical links: power received over a distance and the rate that it carries.

Telescopes are diffraction-limited and send a truncated Gaussian beam. Losses are factors up to 1 on power;
`decibels` turns them into what link budgets are usually written in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LIGHT_SPEED",
    "LinkBudget",
    "LinkParameters",
    "achievable_rate",
    "aperture_gain",
    "beam_half_angle",
    "decibels",
    "largest_link_range",
    "link_budget",
    "photons_per_bit",
    "pointing_fade",
    "pointing_loss",
    "received_power",
    "required_transmit_power",
    "space_loss",
    "truncation_efficiency",
]

Floats = NDArray[np.float64]
LIGHT_SPEED = 299_792_458.0
"""Speed of light [m/s]."""

PLANCK = 6.62607015e-34
"""Planck constant [J s]."""


@dataclass(frozen=True)
class LinkParameters:
    """One direction of an optical link.

    Attributes
    ----------
    wavelength : float
        Wavelength [m].
    transmit_power : float
        Mean optical power at the transmitter's output [W].
    transmit_aperture, receive_aperture : float
        Diameters of the telescopes [m].
    photons_per_bit : float
        Photons that the receiver needs per user bit, coding and implementation included [1].
    maximum_rate : float
        Of the modem [bit/s].
    transmit_efficiency, receive_efficiency : float
        Transmission of the optics, detector coupling included in the latter [1].
    transmit_obscuration, receive_obscuration : float
        Diameter of the secondary mirror over that of the telescope [1].
    truncation : float
        Radius of the telescope over the 1/e2 radius of the beam [1]; 1.12 is best without obscuration.
    pointing_bias : float
        Constant pointing error [rad].
    pointing_jitter : float
        Standard deviation of the pointing error per axis [rad].
    margin : float
        Power that is kept in reserve: received over needed, at least 1 [1].

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    wavelength: float
    transmit_power: float
    transmit_aperture: float
    receive_aperture: float
    photons_per_bit: float
    maximum_rate: float
    transmit_efficiency: float = 0.7
    receive_efficiency: float = 0.5
    transmit_obscuration: float = 0.0
    receive_obscuration: float = 0.0
    truncation: float = 1.12
    pointing_bias: float = 0.0
    pointing_jitter: float = 1e-6
    margin: float = 2.0

    def __post_init__(self) -> None:
        apertures = ("transmit_aperture", "receive_aperture", "truncation")
        for name in ("wavelength", "transmit_power", "photons_per_bit", "maximum_rate", *apertures):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"optical link: {name} is {getattr(self, name)}, expected a value above 0")
        for name in ("transmit_efficiency", "receive_efficiency"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"optical link: {name} is {getattr(self, name)}, expected a value in (0, 1]")
        for name in ("transmit_obscuration", "receive_obscuration"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"optical link: {name} is {getattr(self, name)}, expected a value in [0, 1)")
        if not (self.pointing_bias >= 0.0 and self.pointing_jitter >= 0.0 and self.margin >= 1.0):
            raise ValueError(
                f"optical link: pointing_bias {self.pointing_bias} rad, pointing_jitter "
                f"{self.pointing_jitter} rad, margin {self.margin}; expected errors >= 0 and a margin of at "
                "least 1 (a factor, not decibels)"
            )

    @property
    def photon_energy(self) -> float:
        """Energy of a photon [J]."""
        return PLANCK * LIGHT_SPEED / self.wavelength


def decibels(ratio: ArrayLike) -> Floats:
    """Ten times the decimal logarithm."""
    return np.asarray(10.0 * np.log10(np.asarray(ratio, dtype=float)))


def photons_per_bit(sensitivity: float, rate: float, wavelength: float) -> float:
    """Photons per bit of a receiver that needs a power at a rate [1].

    Parameters
    ----------
    sensitivity : float
        Received power needed [W].
    rate : float
        At this user rate [bit/s].
    wavelength : float
        Wavelength [m].
    """
    if not (sensitivity > 0.0 and rate > 0.0 and wavelength > 0.0):
        raise ValueError(
            f"receiver: sensitivity {sensitivity} W, rate {rate} bit/s, wavelength {wavelength} m; "
            "expected values above 0"
        )
    return sensitivity * wavelength / (PLANCK * LIGHT_SPEED * rate)


def aperture_gain(diameter: ArrayLike, wavelength: ArrayLike) -> Floats:
    """Gain of an evenly lit circular aperture on axis, ``(pi D / lambda)^2`` [1]; both arguments in m."""
    return np.asarray((np.pi * np.asarray(diameter, float) / np.asarray(wavelength, float)) ** 2)


def truncation_efficiency(truncation: ArrayLike, obscuration: ArrayLike = 0.0) -> Floats:
    """On-axis gain of a Gaussian beam in an aperture over that of an evenly lit one, clipped power included.

    Parameters
    ----------
    truncation : array_like
        Radius of the aperture over the 1/e2 radius of the beam a [1].
    obscuration : array_like, optional
        Diameter ratio of the central obscuration g [1].

    Returns
    -------
    ndarray
        ``(2/a2) [exp(-a2) - exp(-g2 a2)]^2`` with a2, g2 the squares; 0.815 at a = 1.12, g = 0.

    Notes
    -----
    Klein and Degnan, Applied Optics 13 (1974) 2134, in the far field.
    """
    a2 = np.asarray(truncation, float) ** 2
    g2 = np.asarray(obscuration, float) ** 2
    return np.asarray(2.0 / a2 * (np.exp(-a2) - np.exp(-g2 * a2)) ** 2)


def beam_half_angle(parameters: LinkParameters) -> float:
    """Half-angle at which a Gaussian with the curvature of the far field on axis falls to 1/e2 [rad].

    Notes
    -----
    The far field ``|int A J0(k r u) r dr|^2`` falls as ``1 - (k u)^2 <r^2>/2`` near the axis, with <r2>
    weighted by the amplitude; ``exp(-2 u2/w2)`` has the same curvature for ``w^2 = 4/(k^2 <r^2>)``.
    """
    a2, g2 = parameters.truncation**2, parameters.transmit_obscuration**2

    def moment(x: float) -> float:
        # int exp(-a2 s) s ds in the square of the relative radius, up to a constant
        return -math.exp(-a2 * x) * (a2 * x + 1.0) / a2**2

    area = (math.exp(-a2 * g2) - math.exp(-a2)) / a2
    mean_square = (moment(1.0) - moment(g2)) / area * (0.5 * parameters.transmit_aperture) ** 2
    return 2.0 / (2.0 * math.pi / parameters.wavelength * math.sqrt(mean_square))


def pointing_loss(parameters: LinkParameters) -> float:
    """Mean of the power that pointing errors leave [1].

    Notes
    -----
    ``exp(-c b^2/(1 + 2 c s^2))/(1 + 2 c s^2)``, c = 2/w2: mean of the beam's profile over a bias b and
    Gaussian errors of standard deviation s per axis (Toyoshima et al., J. Opt. Soc. Am. A 19 (2002) 567).
    """
    c = 2.0 / beam_half_angle(parameters) ** 2
    spread = 1.0 + 2.0 * c * parameters.pointing_jitter**2
    return math.exp(-c * parameters.pointing_bias**2 / spread) / spread


def pointing_fade(parameters: LinkParameters, probability: ArrayLike) -> Floats:
    """Share of the on-axis power that pointing jitter undercuts with a probability [1].

    Parameters
    ----------
    parameters : LinkParameters
        Link; its bias is left out.
    probability : array_like
        Share of the time [1].

    Returns
    -------
    ndarray
        ``p^(4 s^2/w^2)``, for Rayleigh-distributed error angles (Barry and Mecherle,
        Optical Engineering 24 (1985) 1049).
    """
    exponent = 4.0 * (parameters.pointing_jitter / beam_half_angle(parameters)) ** 2
    return np.asarray(np.asarray(probability, dtype=float) ** exponent)


def space_loss(wavelength: float, distance: ArrayLike) -> Floats:
    """Free-space loss ``(lambda / 4 pi R)^2`` [1] (Friis, Proc. IRE 34 (1946) 254); arguments in m."""
    return np.asarray((wavelength / (4.0 * np.pi * np.asarray(distance, float))) ** 2)


@dataclass(frozen=True, eq=False)
class LinkBudget:
    """Lines of a link budget: received power is transmit power times everything below.

    Attributes
    ----------
    transmit_power : float
        Optical power [W].
    transmit_gain, transmit_optics, pointing, receive_gain, receive_optics : float
        Factors [1].
    space : ndarray
        Free-space loss [1].
    atmosphere : ndarray
        Transmission of the air [1].
    received_power : ndarray
        At the detector [W].
    received_photons : ndarray
        Per second [1/s].
    rate : ndarray
        Carried with the margin, up to the modem's [bit/s].
    margin : ndarray
        Received power over that needed at the modem's rate [1].
    """

    transmit_power: float
    transmit_gain: float
    transmit_optics: float
    pointing: float
    space: Floats
    atmosphere: Floats
    receive_gain: float
    receive_optics: float
    received_power: Floats
    received_photons: Floats
    rate: Floats
    margin: Floats


def link_budget(parameters: LinkParameters, distance: ArrayLike, atmosphere: ArrayLike = 1.0) -> LinkBudget:
    """Budget of a link over distances.

    Parameters
    ----------
    parameters : LinkParameters
        Both ends.
    distance : array_like
        Range [m].
    atmosphere : array_like, optional
        Transmission of the air, scintillation included [1].

    Returns
    -------
    LinkBudget
        All lines.

    Raises
    ------
    ValueError
        If a distance is not positive or a transmission is outside of [0, 1].

    Notes
    -----
    ``P = P_t eta_t G_t L_p (lambda/4 pi R)^2 L_a G_r eta_r``: Hemmati (ed.), Deep Space Optical
    Communications (2006), chapter 2. The far field begins at ``2 D^2/lambda``, some 10 km for 0.1 m.
    """
    p, r = parameters, np.asarray(distance, dtype=float)
    air = np.broadcast_to(np.asarray(atmosphere, dtype=float), r.shape)
    if not (r > 0.0).all() or not ((air >= 0.0) & (air <= 1.0)).all():
        raise ValueError("link budget: expected distances above 0 m and transmissions of the air in [0, 1]")
    send = float(
        aperture_gain(p.transmit_aperture, p.wavelength)
        * truncation_efficiency(p.truncation, p.transmit_obscuration)
    )
    catch = float(aperture_gain(p.receive_aperture, p.wavelength)) * (1.0 - p.receive_obscuration**2)
    space, pointing = space_loss(p.wavelength, r), pointing_loss(p)
    power = (
        p.transmit_power
        * p.transmit_efficiency
        * send
        * pointing
        * space
        * air
        * catch
        * p.receive_efficiency
    )
    photons = power / p.photon_energy
    carried = photons / p.photons_per_bit
    return LinkBudget(
        transmit_power=p.transmit_power,
        transmit_gain=send,
        transmit_optics=p.transmit_efficiency,
        pointing=pointing,
        space=space,
        atmosphere=air,
        receive_gain=catch,
        receive_optics=p.receive_efficiency,
        received_power=np.asarray(power),
        received_photons=np.asarray(photons),
        rate=np.asarray(np.minimum(carried / p.margin, p.maximum_rate)),
        margin=np.asarray(carried / p.maximum_rate),
    )


def received_power(parameters: LinkParameters, distance: ArrayLike, atmosphere: ArrayLike = 1.0) -> Floats:
    """Optical power at the detector [W]; see `link_budget`."""
    return link_budget(parameters, distance, atmosphere).received_power


def achievable_rate(parameters: LinkParameters, distance: ArrayLike, atmosphere: ArrayLike = 1.0) -> Floats:
    """Rate that the link carries with its margin, at most the modem's [bit/s]; see `link_budget`."""
    return link_budget(parameters, distance, atmosphere).rate


def largest_link_range(parameters: LinkParameters) -> float:
    """Range up to which the modem's full rate is carried with the margin [m]."""
    return math.sqrt(float(link_budget(parameters, 1.0).margin) / parameters.margin)


def required_transmit_power(parameters: LinkParameters, distance: float) -> float:
    """Optical power with which the modem's full rate just reaches `distance` [m] with the margin [W]."""
    unit = link_budget(replace(parameters, transmit_power=1.0), distance)
    return parameters.margin / float(unit.margin)
