"""An endless way into a picture: frames of one size, each a window of the picture, ever deeper.

A picture that is a collage exists at any scale, and a window of it costs what the window shows, not
what the picture has (Baharav, Malah & Karnin 1993): frame 150 is as cheap as frame 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from neural_collage.art.fractal import Fractal
from neural_collage.core.scales import Region, output_length, render_cells
from neural_collage.errors import CollageError

DEEPEST = 2.0**30
"""The largest magnification of a zoom; beyond, corners of windows are no exact numbers."""


@runtime_checkable
class Scene(Protocol):
    """What can be looked at: a picture that exists at any scale, window by window."""

    @property
    def width(self) -> int:
        """Width in pixels at scale 1."""

    @property
    def height(self) -> int:
        """Height in pixels at scale 1."""

    def decode(self, scale: float = 1, region: Region | None = None) -> Float[Tensor, "c h w"]:
        """Pixels in [0, 1]; region: (x, y, width, height) in pixels at that scale."""


@dataclass(frozen=True)
class View:
    """A window of a picture, in its pixels at scale 1, not necessarily whole ones.

    left, top: its corner. width: how much of the picture it shows.
    """

    left: float
    top: float
    width: float


def look(scene: Scene, view: View, width: int, height: int) -> Float[Tensor, "c h w"]:
    """A view of a scene as width x height pixels, averaged from the octave that is as fine.

    Octaves average down to one another, so views of growing depth change without a jump.
    """
    scale = 2.0 ** math.ceil(math.log2(width / view.width) - 1e-9)
    down, across = output_length(scene.height, scale), output_length(scene.width, scale)
    extent = view.width * height / width
    rows = _pixels(view.top, extent, scene.height, down)
    columns = _pixels(view.left, view.width, scene.width, across)
    return render_cells(
        lambda window: scene.decode(scale, (window.left, window.top, window.width, window.height)),
        (height, width),
        rows,
        columns,
    )


def zoom(
    scene: Scene,
    *,
    centre: tuple[float, float] | None = None,
    factor: float = 100,
    frames: int = 150,
    size: tuple[int, int] = (512, 512),
) -> Iterator[Float[Tensor, "c h w"]]:
    """Frames from the whole picture to a window about a point, magnified by `factor`.

    centre: the point (x, y), as parts of width and height, that the last window has in its middle,
        or close to it if an edge is near. If not given, copies of a `Fractal` lie in one another
        there, and windows come back to what they showed; of other scenes it is the middle.
        The magnification grows by the same factor from frame to frame.
    size: width and height of the frames; of the picture as much is seen at first as fits.

    Raises:
        CollageError: a centre outside, a factor below 1 or above `DEEPEST`, no frames, or no size.
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
    """The views of a zoom; arguments and errors as there."""
    within = 0.5, 0.5  # where in the last window the point lies
    if centre is None and isinstance(scene, Fractal):
        centre = within = scene.nest()
    centre = centre or within
    if not all(0 <= part <= 1 for part in centre):
        raise CollageError(f"centre {centre[0]:g},{centre[1]:g}: give two parts from 0 to 1")
    if not 1 <= factor <= DEEPEST:
        raise CollageError(f"a zoom magnifies by 1 to {DEEPEST:g}, not by {factor:g}")
    if frames < 1 or min(size) < 1:
        raise CollageError(f"a zoom has frames ({frames}) and pixels ({size[0]} x {size[1]})")
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
        # corners move on straight lines, so that every window lies between the first and the last
        near = 1.0 if factor == 1 else (widest - width) / (widest - narrowest)
        views.append(
            View(
                first.left + near * (left - first.left), first.top + near * (top - first.top), width
            )
        )
    return views


def _pixels(start: float, length: float, side: int, pixels: int) -> tuple[Fraction, Fraction]:
    """A span of a side in pixels of another resolution, inside the picture."""
    ratio = Fraction(pixels, side)
    low = max(Fraction(start) * ratio, Fraction(0))
    high = min(Fraction(start + length) * ratio, Fraction(pixels))
    return low, high
