"""The variants of each ablation, as options of `collage train` beside a config."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TASK = "--model.init_args."
COMPRESSOR = f"{TASK}model.init_args.config."


class Study(NamedTuple):
    """Variants of a training.

    name: of the files of results. subject: what differs. variants: options of each. reference: the
    one that others are compared with. metrics: by their names in the logs of `CompressionTask`.
    remark: what is the same.
    """

    name: str
    title: str
    subject: str
    config: Path
    variants: Mapping[str, tuple[str, ...]]
    reference: str
    metrics: Mapping[str, str]
    remark: str


_FROZEN = (
    f"{TASK}optimiser.multipliers",
    '{"patches": 0, "analysis.linear": 0, "entropy": 1.5}',
)
_PRINCIPAL = (f"{TASK}start", "principal")
_UNFILTERED = (f"{COMPRESSOR}lapped", "false")
PATCHES = Study(
    name="ablation",
    title="What learned and overlapping patches contribute",
    subject="patches",
    config=Path("configs/compression/natural-psnr.yaml"),
    variants={
        "learned from cosines": (),
        "learned from cosines, pixels not pre-filtered": _UNFILTERED,
        "learned from cosines, no overlap": (*_UNFILTERED, f"{TASK}overlap", "false"),
        "learned from principal components": _PRINCIPAL,
        "cosines": _FROZEN,
        "principal components": (*_FROZEN, *_PRINCIPAL),
    },
    reference="learned from cosines",
    metrics={"psnr": "PSNR (dB)"},
    remark=(
        "All variants have the same convolutional correction in the analysis transform and the "
        "same entropy model. Without overlap there is no pre-filter."
    ),
)


_UNADAPTED = (
    f"{TASK}optimiser.multipliers",
    '{"patches": 0.2, "step_shape": 2.0, "analysis.linear": 0.2, "entropy": 1.5}',
)
"""Rates of the config without that of the network of steps, which is not there."""


def _mixture(visual: float, structural: float, *, adaptive: bool) -> tuple[str, ...]:
    options = (
        f"{COMPRESSOR}visual", str(visual),
        f"{COMPRESSOR}structural", str(structural),
        f"{COMPRESSOR}adaptive", str(adaptive).lower(),
    )  # fmt: skip
    return options if adaptive else (*options, *_UNADAPTED)


DISTORTION = Study(
    name="ablation_distortion",
    title="What the distortion and adaptive steps contribute",
    subject="distortion",
    config=Path("configs/compression/natural.yaml"),
    variants={
        "squared": _mixture(0, 0, adaptive=False),
        "squared, adaptive steps": _mixture(0, 0, adaptive=True),
        "three quarters visual": _mixture(0.75, 0, adaptive=False),
        "three quarters visual, adaptive steps": _mixture(0.75, 0, adaptive=True),
        "three quarters structural, adaptive steps": _mixture(0, 0.75, adaptive=True),
        "visual, structural and squared, adaptive steps": _mixture(0.4, 0.3, adaptive=True),
    },
    reference="squared",
    metrics={"psnr": "PSNR (dB)", "ms_ssim": "MS-SSIM (dB)", "score": "SSIMULACRA 2"},
    remark=(
        "All variants start from the weights natural-psnr, with the same pictures in the same "
        "order."
    ),
)
STUDIES = {"patches": PATCHES, "distortion": DISTORTION}
