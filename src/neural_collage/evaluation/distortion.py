"""The metrics of a rate-distortion benchmark by name, and their values for one picture."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from neural_collage.errors import CollageError, MissingExtraError
from neural_collage.evaluation.metrics import Rgb, ms_ssim, psnr


@dataclass(frozen=True)
class Metric:
    """A metric whose value rises with quality.

    Attributes:
        name: as chosen on the command line.
        label: its name in tables and figures, with the unit.
        on_curve: maps the mean of its values over pictures to the values of curves.
        floor: below it, all is so bad that figures leave it out.
        package: what it needs beside this library, if anything.
    """

    name: str
    label: str
    on_curve: Callable[[float], float] = float
    floor: float = -math.inf
    package: str | None = None

    @property
    def field(self) -> str:
        """The name of its values in points."""
        return self.name.replace("-", "_")

    @property
    def short_label(self) -> str:
        """Without the unit."""
        return self.label.partition(" ")[0]

    @property
    def missing(self) -> str | None:
        """What to install to use it, None if it can be used."""
        if self.package is None or find_spec(self.package):
            return None
        return f'{self.package} is not installed: pip install "neural-collage[bench]"'


def in_decibels(similarity: float) -> float:
    """-10 log10(1 - x): similarities close to 1 on a scale that tells them apart."""
    return math.inf if similarity >= 1 else -10 * math.log10(1 - similarity)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("psnr", "PSNR (dB)"),
        Metric("ms-ssim", "MS-SSIM (dB)", in_decibels, package="torchmetrics"),
        Metric("ssimulacra2", "SSIMULACRA2", floor=0, package="ssimulacra2"),
    )
}
"""All metrics; those of a curve are means over pictures, of MS-SSIM before the logarithm."""


def chosen_metrics(names: Iterable[str] | None = None) -> tuple[list[Metric], dict[str, str]]:
    """The metrics of these names in the order of `METRICS`, and the reason of each left out.

    names: by default all that can be used; only then are some left out.

    Raises:
        CollageError: a name is unknown.
        MissingExtraError: one that was named needs a package that is not installed.
    """
    named = METRICS if names is None else set(names)
    if unknown := sorted(set(named) - set(METRICS)):
        raise CollageError(f"unknown metric {unknown[0]!r}: choose some of {', '.join(METRICS)}")
    chosen = [metric for name, metric in METRICS.items() if name in named]
    missing = {metric.name: reason for metric in chosen if (reason := metric.missing)}
    if missing and names is not None:
        raise MissingExtraError("; ".join(f"{name}: {why}" for name, why in missing.items()))
    return [metric for metric in chosen if metric.name not in missing], missing


class Distortion:
    """The values of metrics for decodes of one picture.

    What depends on the picture alone is computed once.
    """

    def __init__(self, original: Rgb, metrics: Sequence[Metric]) -> None:
        self._original = original
        self._of_name: dict[str, Callable[[Rgb], float | None]] = {}
        names = {metric.name for metric in metrics}
        if "ms-ssim" in names:
            self._of_name["ms_ssim"] = lambda decoded: ms_ssim(original, decoded)
        if "ssimulacra2" in names:
            from neural_collage.evaluation.ssimulacra2 import Ssimulacra2

            self._of_name["ssimulacra2"] = Ssimulacra2(original).score

    def psnr(self, decoded: Rgb) -> float:
        """PSNR in dB, which is measured always; infinite for an equal picture."""
        return psnr(self._original, decoded)

    def others(self, decoded: Rgb) -> dict[str, float | None]:
        """The other metrics by `Metric.field`; None for pictures too small for one."""
        return {field: measure(decoded) for field, measure in self._of_name.items()}
