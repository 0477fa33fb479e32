"""What `benchmarks.aerial_table` measures."""

from collections.abc import Sequence
from dataclasses import dataclass

from neural_collage.evaluation.environment import Environment


@dataclass(frozen=True)
class Coded:
    """A picture coded at one setting. Seconds are CPU time of one call; `psnr` is in dB."""

    codec: str
    quality: float
    file_bytes: int
    psnr: float
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class CoinFit:
    """A network of COIN fitted to a picture in fewer steps than published.

    curve: steps and PSNR in dB; the last is that of the file. extrapolated: PSNR after
    `coin.STEPS`. seconds: CPU time of the steps that were taken, of the pixels that they took.
    """

    network: str
    file_bytes: int
    curve: Sequence[tuple[int, float]]
    extrapolated: float
    seconds: float
    decode_seconds: float

    @property
    def psnr(self) -> float:
        """After the steps that were taken, in dB."""
        return self.curve[-1][1]


@dataclass(frozen=True)
class Part:
    """One picture. at_bytes, at_psnr: the codecs at the bytes of each fit, and at its PSNR."""

    name: str
    paper: Coded
    fits: Sequence[CoinFit]
    at_bytes: Sequence[Sequence[Coded]]
    at_psnr: Sequence[Sequence[Coded]]


@dataclass(frozen=True)
class LatticeCheck:
    """The first picture by steps on all pixels and by steps on lattices of them.

    all_pixels, lattices: PSNR after `steps`, in dB.
    """

    network: str
    steps: int
    all_pixels: float
    lattices: float


@dataclass(frozen=True)
class FormulaCheck:
    """All steps of a network on the first picture, beside the extrapolation from fewer.

    curve: steps and PSNR, in dB. extrapolated: PSNR after the last of them.
    """

    network: str
    curve: Sequence[tuple[int, float]]
    extrapolated: float


@dataclass(frozen=True)
class AerialTable:
    """All results. step_seconds: CPU time of a step on all pixels, by network."""

    command: str
    environment: Environment
    side: int
    steps: int
    stride: int
    parts: Sequence[Part]
    step_seconds: dict[str, float]
    lattice_check: LatticeCheck
    formula_check: FormulaCheck | None
