"""Zooms: frames of one size that show ever smaller windows of a scene.

A collage can be decoded at any scale, and the cost of a window depends on its own size only
(Baharav, Malah & Karnin 1993): the last frame of a zoom takes as long as the first.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from neural_collage.art.fractal import Fractal
from neural_collage.core.arrays.averages import PixelArray
from neural_collage.core.resample import area_resample
from neural_collage.core.scales import Region, Window, output_length, pixel_interval, render_cells
from neural_collage.errors import CollageError

DEEPEST = 2.0**30
"""The largest magnification; beyond it, corners of windows are not exact in float64."""


@runtime_checkable
class Scene(Protocol):
    """A picture that can be decoded at any scale, window by window."""

    @property
    def width(self) -> int:
        """Width in pixels at scale 1."""

    @property
    def height(self) -> int:
        """Height in pixels at scale 1."""

    def decode(self, scale: float = 1, region: Region | None = None) -> PixelArray | Tensor:
        """Pixels (c, h, w) in [0, 1]; region: (x, y, width, height) in pixels at that scale."""


@dataclass(frozen=True)
class View:
    """A window of a scene, in pixels at scale 1, not necessarily whole ones.

    left, top: its corner. width: its width; the height follows from the shape of the frame.
    """

    left: float
    top: float
    width: float


def look(scene: Scene, view: View, width: int, height: int) -> Float[Tensor, "c h w"]:
    """A view of a scene as width x height pixels, area-averaged from the next finer octave.

    Each octave averages down to the one below, so a zoom is continuous across octaves.
    """
    scale = 2.0 ** math.ceil(math.log2(width / view.width) - 1e-9)
    down, across = output_length(scene.height, scale), output_length(scene.width, scale)
    extent = view.width * height / width
    rows = pixel_interval(view.top, extent, scene.height, down)
    columns = pixel_interval(view.left, view.width, scene.width, across)

    def render(cells: Window) -> Tensor:
        region = cells.left, cells.top, cells.width, cells.height
        return torch.as_tensor(scene.decode(scale, region))

    return render_cells(render, (height, width), rows, columns, area_resample)


def zoom(
    scene: Scene,
    *,
    centre: tuple[float, float] | None = None,
    factor: float = 100,
    frames: int = 150,
    size: tuple[int, int] = (512, 512),
) -> Iterator[Float[Tensor, "c h w"]]:
    """Frames from the whole picture to a window about a point, magnified by `factor`.

    The magnification grows by the same ratio from frame to frame.

    centre: the middle of the last window as fractions (x, y) of width and height; windows near an
        edge are moved inside. By default `Fractal.zoom_centre`, where the frames of a `Fractal`
        repeat, and the middle of other scenes.
    size: width and height of the frames. The first shows the largest window of that aspect ratio.

    Raises:
        CollageError: a centre outside [0, 1], a factor below 1 or above `DEEPEST`, no frames, or no
            size.
    """
    views = path(scene, centre, factor, frames, size)
    return (look(scene, view, *size) for view in views)


def path(
    scene: Scene,
    centre: tuple[float, float] | None,
    factor: float,
    frames: int,
    size: tuple[int, int],
) -> list[View]:
    """The views of the frames of `zoom`; arguments and errors as there."""
    within = 0.5, 0.5  # position of the centre in the last window
    if centre is None and isinstance(scene, Fractal):
        centre = within = scene.zoom_centre()
    centre = centre or within
    if not all(0 <= fraction <= 1 for fraction in centre):
        raise CollageError(f"centre {centre[0]:g},{centre[1]:g}: give two parts from 0 to 1")
    if not 1 <= factor <= DEEPEST:
        raise CollageError(f"a zoom magnifies by 1 to {DEEPEST:g}, not by {factor:g}")
    if frames < 1 or min(size) < 1:
        raise CollageError(
            f"a zoom needs at least 1 frame of 1 x 1 pixels, not {frames} of {size[0]} x {size[1]}"
        )
    aspect = size[1] / size[0]
    widest = min(float(scene.width), scene.height / aspect)
    narrowest = widest / factor
    first = View((scene.width - widest) / 2, (scene.height - widest * aspect) / 2, widest)
    left = centre[0] * scene.width - narrowest * within[0]
    top = centre[1] * scene.height - narrowest * aspect * within[1]
    left = min(max(left, 0), scene.width - narrowest)
    top = min(max(top, 0), scene.height - narrowest * aspect)
    views = []
    for number in range(frames):
        progress = number / max(1, frames - 1) if frames > 1 else 1.0
        width = widest / factor**progress
        # corners move on straight lines, so that each window contains the next
        share = 1.0 if factor == 1 else (widest - width) / (widest - narrowest)
        views.append(
            View(
                first.left + share * (left - first.left),
                first.top + share * (top - first.top),
                width,
            )
        )
    return views
