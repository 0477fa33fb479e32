"""Zooms: their views, and continuity from frame to frame."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

import neural_collage as nc
from neural_collage.art.fractalize import Tiling, fractalize
from neural_collage.art.zoom import DEEPEST, Scene, View, look, path, zoom
from neural_collage.core.blocks import pool
from neural_collage.core.scales import Region, output_length
from tests.pictures import photo_crop, texture


@dataclass
class Ramp:
    """A scene whose pixels are known at every scale: red grows to the right, green downwards."""

    width: int = 48
    height: int = 32
    largest: int = 0  # pixels of a window

    def decode(self, scale: float = 1, region: Region | None = None) -> Tensor:
        across, down = output_length(self.width, scale), output_length(self.height, scale)
        left, top, width, height = region or (0, 0, across, down)
        assert left >= 0 <= top
        assert left + width <= across
        assert top + height <= down
        self.largest = max(self.largest, width * height)
        x = (torch.arange(left, left + width, dtype=torch.float64) + 0.5) / across
        y = (torch.arange(top, top + height, dtype=torch.float64) + 0.5) / down
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        return torch.stack([columns, rows, torch.zeros_like(rows)])


def test_the_scene_protocol_is_checked_at_runtime() -> None:
    assert isinstance(Ramp(), Scene)
    assert isinstance(nc.encode(photo_crop(16), codec="fractal", graphics=False), Scene)
    assert not isinstance(photo_crop(8), Scene)


def test_a_view_has_the_pixels_of_its_window() -> None:
    frame = look(Ramp(), View(12.0, 8.0, 24.0), 30, 20)
    assert frame.shape == (3, 20, 30)
    assert float(frame[0, :, 0].mean()) == pytest.approx((12 + 0.4) / 48, abs=1e-3)
    assert float(frame[0, :, -1].mean()) == pytest.approx((36 - 0.4) / 48, abs=1e-3)
    assert float(frame[1, 0].mean()) == pytest.approx((8 + 0.4) / 32, abs=2e-3)


def test_a_view_on_the_pixel_grid_is_a_crop() -> None:
    scene = nc.encode(photo_crop(64), codec="fractal", graphics=False)
    frame = look(scene, View(8, 16, 32), 64, 64)
    np.testing.assert_array_equal(frame, scene.decode(2, (16, 32, 64, 64)))


def test_a_zoom_goes_from_the_whole_picture_to_the_centre() -> None:
    views = path(Ramp(), (0.5, 0.25), 1000, 50, (60, 40))
    assert views[0] == View(0, 0, 48)
    assert views[-1].width == pytest.approx(48 / 1000)
    assert views[-1].left + views[-1].width / 2 == pytest.approx(24)
    assert views[-1].top + views[-1].width / 3 == pytest.approx(8)
    steps = {round(a.width / b.width, 6) for a, b in pairwise(views)}
    assert len(steps) == 1
    for a, b in pairwise(views):  # each contains the next
        assert a.left <= b.left + 1e-9
        assert b.left + b.width <= a.left + a.width + 1e-9


@pytest.mark.parametrize("centre", [(0.0, 0.0), (1.0, 1.0), (0.999, 0.3)], ids=str)
def test_a_zoom_to_an_edge_stays_inside(centre: tuple[float, float]) -> None:
    scene = Ramp()
    frames = list(zoom(scene, centre=centre, factor=1e6, frames=40, size=(24, 16)))
    assert len(frames) == 40
    for view in path(scene, centre, 1e6, 40, (24, 16)):
        assert 0 <= view.left <= 48 - view.width + 1e-9
    assert float(frames[-1][0].mean()) == pytest.approx(centre[0], abs=1e-5)


def test_the_cost_of_a_frame_does_not_grow_with_the_magnification() -> None:
    scene = Ramp()
    for _ in zoom(scene, factor=DEEPEST, frames=60, size=(32, 32)):
        pass
    assert scene.largest <= (2 * 32 + 2) ** 2


def test_frames_change_continuously_across_octaves() -> None:
    """Differences between frames are as large at octaves as between them."""
    scene = fractalize(0.3 + 0.4 * texture(128, 128, 3), Tiling(16))
    frames = list(zoom(scene, factor=16, frames=65, size=(64, 64)))  # 16 frames an octave
    changes = [float((a - b).abs().mean()) for a, b in pairwise(frames)]
    for number in range(8, 56):
        near = sorted(changes[number - 8 : number + 9])
        assert changes[number] < 2 * near[len(near) // 2] + 1e-3


def test_deep_windows_about_the_zoom_centre_are_exact() -> None:
    scene = fractalize(0.3 + 0.4 * texture(64, 64, 3), Tiling(8))
    x, y = scene.zoom_centre()
    views = path(scene, None, 8.0**6, 7, (64, 64))
    assert views[3].width == pytest.approx(64 / 8**3)
    assert views[-1].left / (64 - views[-1].width) == pytest.approx(x)
    assert views[-1].top / (64 - views[-1].width) == pytest.approx(y)
    fine = look(scene, views[-1], 128, 128)
    torch.testing.assert_close(pool(fine, 2), look(scene, views[-1], 64, 64), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"centre": (1.1, 0)}, "centre 1.1,0: give two parts from 0 to 1"),
        ({"centre": (math.nan, 0)}, "centre nan,0"),
        ({"factor": 0.5}, "magnifies by 1 to"),
        ({"factor": math.inf}, "not by inf"),
        ({"frames": 0}, "not 0 of 512 x 512"),
        ({"size": (0, 5)}, "not 150 of 0 x 5"),
    ],
    ids=str,
)
def test_invalid_zooms_are_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(nc.CollageError, match=problem):
        zoom(Ramp(), **options)  # type: ignore[arg-type]


def test_a_zoom_of_one_frame_is_its_last_view() -> None:
    (still,) = zoom(Ramp(), factor=4, frames=1, size=(30, 20))
    assert float(still[0, :, 0].mean()) == pytest.approx(3 / 8 + 1 / 240, abs=1e-3)
