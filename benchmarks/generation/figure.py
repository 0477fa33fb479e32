"""The figures of `benchmarks.generation`: learning curves, samples and their enlargements."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmarks.generation.report import Curve
from benchmarks.support.sheets import titled
from neural_collage.art.samples import draw, grid, pictures
from neural_collage.evaluation.plots import INK, style_axes
from neural_collage.models.generation.hierarchical_vae import HierarchicalVae

COLOURS = ("#D55E00", "#0072B2")
TEMPERATURES = (0.5, 0.8, 1.0)
SHOWN = (3, 9, 12)
"""Samples of seed 0 that are enlarged, chosen arbitrarily."""


def curves_figure(curves: Mapping[str, Curve], data: str) -> Figure:
    """Validation bounds over steps of trainings on `data`."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (title, curve), colour in zip(curves.items(), COLOURS, strict=True):
        steps, nats = zip(*curve, strict=True)
        axes.plot(steps, nats, color=colour, marker="o", markersize=3, label=title)
    style_axes(axes, data, "training steps", "-ELBO of held-out pictures (nats)")
    least = min(nats for curve in curves.values() for _, nats in curve)
    axes.set_ylim(top=1.25 * least)
    axes.legend(frameon=False, labelcolor=INK)
    return figure


def temperatures(models: Mapping[str, HierarchicalVae]) -> Image.Image:
    """A row for each model, a grid of samples for each temperature."""
    panels = {}
    for name, model in models.items():
        for temperature in TEMPERATURES:
            shown = list(pictures(model, draw(model, 36, temperature)))
            panels[f"{name}, temperature {temperature}"] = _grid(shown, 6)
    return titled(panels, len(TEMPERATURES))


def enlargements(model: HierarchicalVae, scale: int = 10) -> Image.Image:
    """Samples at 1x, enlarged by bicubic interpolation and by the collage, and a part at 40x."""
    features = tuple(f[list(SHOWN)] for f in draw(model, 1 + max(SHOWN), 0.8))
    side = scale * model.picture_shape[1]
    plain = torch.stack(list(pictures(model, features, 1)))
    bicubic = functional.interpolate(plain, (side, side), mode="bicubic")
    window = (2 * side - side // 2, 2 * side - side // 2, side, side)  # the middle quarter
    soft = {}
    if model.picture_shape[0] == 1:  # of black and white, which have edges to be made steep
        shown = _stacked(model, features, scale, soft=True)
        soft[f"{scale}x, collage, probabilities"] = shown
    rows = {
        "1x": functional.interpolate(plain, (side, side)),
        f"{scale}x, bicubic": bicubic,
        **soft,
        f"{scale}x, collage": _stacked(model, features, scale),
        f"the middle at {4 * scale}x, collage": torch.stack(
            list(pictures(model, features, 4 * scale, region=window))
        ),
    }
    panels = {name: _grid(list(shown), len(SHOWN)) for name, shown in rows.items()}
    return titled(panels, 1)


def reconstructions(model: HierarchicalVae, originals: Float[Tensor, "n c h w"]) -> Image.Image:
    """Test pictures, their reconstructions, and these at 4x, in rows."""
    with torch.no_grad():
        features = model.infer(originals).features
    rows = [originals, torch.stack(list(pictures(model, features, 1)))]
    large = [functional.interpolate(row, scale_factor=4) for row in rows]
    large.append(_stacked(model, features, 4))
    return _grid([picture for row in large for picture in row], len(originals))


def interpolations(
    model: HierarchicalVae, first: Float[Tensor, "n c h w"], last: Float[Tensor, "n c h w"]
) -> Image.Image:
    """Interpolations in latent space between pairs of test pictures, a row each, at 3x."""
    count = 9
    with torch.no_grad():
        features = model.interpolate(first, last, count).features
    shown = _stacked(model, features, 3).unflatten(0, (count, len(first))).transpose(0, 1)
    return _grid(list(shown.flatten(0, 1)), count)


def _stacked(
    model: HierarchicalVae, features: Sequence[Tensor], scale: float, *, soft: bool = False
) -> Tensor:
    return torch.stack(list(pictures(model, tuple(features), scale, soft=soft)))


def _grid(shown: Sequence[Tensor], columns: int) -> Image.Image:
    _, height, width = shown[0].shape
    return grid(iter([s.clamp(0, 1) for s in shown]), len(shown), (height, width), columns)
