from typing import Any

import pytest
import torch

from neural_collage.core import isometry
from neural_collage.models.operator.config import ISOMETRY_CODES, OperatorConfig


def test_rotations_are_the_four_rotations_and_all_are_eight_different_ones() -> None:
    block = torch.arange(9).view(3, 3)
    rotated = [isometry.apply(block, g).tolist() for g in ISOMETRY_CODES["rotations"]]
    assert sorted(rotated) == sorted(torch.rot90(block, k).tolist() for k in range(4))
    every = {str(isometry.apply(block, g).tolist()) for g in ISOMETRY_CODES["all"]}
    assert len(every) == len(ISOMETRY_CODES["all"]) == 8


def test_every_patch_is_a_source_under_each_of_its_isometries() -> None:
    sources = {
        name: OperatorConfig(n_patches=5, patch_isometries=name).n_patch_sources
        for name in ISOMETRY_CODES
    }
    assert sources == {"identity": 5, "rotations": 20, "all": 40}
    turned = OperatorConfig(n_patches=5, patch_isometries="all")
    assert turned.n_sources == turned.n_own + 40
    assert turned.patches_shape == OperatorConfig(n_patches=5).patches_shape


def test_shapes_of_an_image_that_does_not_tile() -> None:
    config = OperatorConfig(
        image_size=(33, 50), range_size=8, domain_sizes=(16, 8), isometries="rotations", n_patches=5
    )
    assert config.canvas_size == (40, 56)
    assert config.n_ranges == 5 * 7
    assert config.n_domains == 2 * 3 + 5 * 7  # whole ones only
    assert config.n_sources == 4 * config.n_domains + 5
    assert config.weights_shape == (1, 35, config.n_sources)
    assert config.bias_shape == (3, 35)
    assert config.patches_shape == (5, 3, 8, 8)


@pytest.mark.parametrize(
    ("sizes", "octave"), [((16,), 2), ((32, 16, 8), 2), ((24,), 3), ((32,), 4), ((), 2), ((8,), 2)]
)
def test_the_octave_divides_every_reduction(sizes: tuple[int, ...], octave: int) -> None:
    assert OperatorConfig(image_size=(48, 48), domain_sizes=sizes).octave == octave


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"image_size": (0, 8)}, "at least 1"),
        ({"n_patches": -1}, "n_patches"),
        (
            {"patch_isometries": "all"},
            "must be \"identity\" without patches, not 'all': set n_patches",
        ),
        ({"patch_share": 1.5}, "patch_share must be in 0..1, not 1.5"),
        ({"bound": 1.0}, "bound must lie between 0 and 1"),
        ({"step": 0.0}, "step must be positive"),
        ({"domain_sizes": (12,)}, "multiples of range_size 8"),
        ({"domain_sizes": (16, 16)}, "must differ"),
        ({"domain_sizes": (64,)}, "a domain of 64 does not fit in 32x32"),
        ({"image_size": (48, 48), "domain_sizes": (16, 24)}, "common factor"),
    ],
)
def test_invalid_configs_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        OperatorConfig(**options)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ValueError, match=r"patch_share.*bound.*step"):
        OperatorConfig(patch_share=-1, bound=2, step=-1)
