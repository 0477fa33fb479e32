"""Published curves of the same pictures, read from JSON."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from neural_collage.errors import CollageError
from neural_collage.evaluation.bd_rate import Curve
from neural_collage.evaluation.distortion import METRICS, Metric

FORM = '{"bpp": [...], "psnr": [...]}'
"""What JSON holds for each name."""


def read_anchors(path: Path, taken: Collection[str] = ()) -> dict[str, dict[str, Curve]]:
    """Published curves by metric and name, from JSON of name -> {"bpp": [...], "psnr": [...]}.

    "ms_ssim", not in decibels, and "ssimulacra2" may stand beside "psnr" or instead of it; other
    keys are ignored.

    taken: names that are already in use.

    Raises:
        CollageError: the file cannot be read, has another form, or uses a name of `taken`.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        curves = {
            metric.name: {
                str(name): _curve(entry, metric)
                for name, entry in entries.items()
                if metric.field in entry
            }
            for metric in METRICS.values()
        }
        unused = [name for name in entries if not any(name in each for each in curves.values())]
    except OSError as error:
        raise CollageError(f"cannot read the anchors {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CollageError(f"{path} holds no anchors: JSON of name -> {FORM} expected") from error
    if unused:
        raise CollageError(f"{path} holds no anchors of {unused[0]}: {FORM} expected")
    for name in entries:
        if name in taken:
            raise CollageError(f"{path}: {name} is also the name of a measured codec: rename it")
    for metric_name, of_metric in curves.items():
        for name, curve in of_metric.items():
            if not curve.rates or len(curve.rates) != len(curve.values):
                raise CollageError(
                    f"{path}: {name} has {len(curve.rates)} bpp and {len(curve.values)} "
                    f"{METRICS[metric_name].field} values"
                )
    return curves


def _curve(entry: dict[str, Any], metric: Metric) -> Curve:
    return Curve(
        [float(rate) for rate in entry["bpp"]],
        [metric.on_curve(float(value)) for value in entry[metric.field]],
    )
