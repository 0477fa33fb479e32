"""An endless way into a sample: frames of one size, each a window of the sample at a larger scale.

Only what a window shows is computed of the last octave (Baharav, Malah & Karnin 1993).
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.art.samples import pictures
from neural_collage.core.pyramid import output_length
from neural_collage.models.hierarchical_vae import Features, HierarchicalVae


def zoom(
    model: HierarchicalVae,
    features: Features,
    scale: float,
    *,
    frames: int = 60,
    size: int = 280,
    soft: bool = False,
) -> Iterator[Float[Tensor, "c h w"]]:
    """Frames of size x size pixels, from the whole first sample to a window of it at `scale`.

    The scale grows by the same factor from frame to frame. The window closes in on an edge, where
    there is something to see at any scale.

    Raises ValueError if the last scale is not above that of the first frame.
    """
    first = tuple(f[:1] for f in features)
    start = size / model.picture_shape[1]
    if frames < 2 or not scale > start:
        raise ValueError(
            f"a zoom of {size} pixels starts at scale {start:g} and has at least 2 frames: "
            f"scale {scale:g} must be above, frames ({frames}) at least 2"
        )
    y, x = _edge(model, first)
    for number in range(frames):
        progress = number / (frames - 1)
        now = round(start * (scale / start) ** progress * 1024) / 1024
        whole = [output_length(n, now) for n in model.picture_shape[1:]]
        left, top = (
            round(max(0, min(side - size, at * side - size / 2)))
            for side, at in zip(reversed(whole), (x, y), strict=True)
        )
        fits = min(size, *whole)
        yield from pictures(model, first, now, region=(left, top, fits, fits), soft=soft)


def _edge(model: HierarchicalVae, first: Features) -> tuple[float, float]:
    """Where, as parts of height and width, the picture changes most, near its middle."""
    shown = next(pictures(model, first, 1, soft=True)).mean(0)
    height, width = shown.shape
    change = torch.zeros_like(shown)
    change[1:-1] += (shown[2:] - shown[:-2]).abs()
    change[:, 1:-1] += (shown[:, 2:] - shown[:, :-2]).abs()
    rows = torch.linspace(-1, 1, height)[:, None]
    columns = torch.linspace(-1, 1, width)
    wanted = change - 0.25 * (rows.square() + columns.square())
    row, column = divmod(int(wanted.argmax()), width)
    return (row + 0.5) / height, (column + 0.5) / width
