"""Settings of jobs: defaults are allowed, everything else is checked, and refused in one line."""

import math
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")

from neural_collage.web.problems import StudioError
from neural_collage.web.settings import KINDS, LARGEST_SEED, checked

NEEDED: dict[str, dict[str, Any]] = {
    "stylize": {"style": "a"},
    "movie": {"scene": "a"},
    "view": {"scene": "a"},
    "morph": {"other": "a"},
    "restore": {"what": "denoise"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_settings_have_defaults_which_are_allowed(kind: str) -> None:
    found = checked(kind, NEEDED.get(kind))
    given = {name: value for name, value in found.items() if name in KINDS[kind]}
    assert checked(kind, given) == found


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("encode", {"quality": 0}, "quality must be 1 to 100, not 0"),
        ("encode", {"quality": 50.5}, "a whole number"),
        ("encode", {"quality": math.nan}, "a whole number, 1 to 100"),
        ("encode", {"quality": "50"}, "a whole number"),
        ("encode", {"quality": True}, "a whole number"),
        ("encode", {"psnr": math.inf}, "psnr must be a number"),
        ("encode", {"format": "gif"}, "one of clg, jpeg"),
        ("encode", {"format": ["clg"]}, "one of clg, jpeg"),
        ("encode", {"format": "jpeg", "psnr": 30}, "give a quality or a size"),
        ("encode", {"region": [1, 2, 3]}, "region must be 4 numbers"),
        ("encode", {"region": [1, 2, 3, None]}, "region must be 4 numbers"),
        ("encode", {"region": [-1, 0, 5, 5]}, "region must be 0 to"),
        ("encode", {"quality": 3, "psnr": 30}, "one of quality, size and psnr"),
        ("encode", {"x" * 500: 1}, "has no setting xxx"),
        ("encode", [], "must be an object"),
        ("fractalize", {"domains": 2}, "domains must be one of 1, 9, 49"),
        ("fractalize", {"domains": True}, "domains must be one of"),
        ("fractalize", {"adaptive": 1}, "true or false"),
        ("draw", {"seed": 10**30}, "seed must be from 0 up"),
        ("draw", {"seed": -1}, "seed must be from 0 up"),
        ("draw", {"text": "x" * 300}, "at most 200 characters"),
        ("movie", {}, "scene is missing"),
        ("movie", {"scene": 7}, "a text"),
        ("view", {"scene": "a", "width": 8192, "height": 8192}, "at most 40,000,000 pixels"),
        ("restore", {"what": "fill"}, "paint over"),
    ],
)
def test_settings_out_of_range_are_explained(kind: str, settings: Any, reason: str) -> None:
    with pytest.raises(StudioError) as error:
        checked(kind, settings)
    assert reason in str(error.value)
    assert len(str(error.value)) < 300
    assert error.value.status == 400


def test_the_largest_seed_is_allowed() -> None:
    assert checked("draw", {"seed": LARGEST_SEED})["seed"] == LARGEST_SEED
    assert checked("draw", {"seed": float(2**40)})["seed"] == 2**40


def test_tiles_become_a_number_that_domains_divide() -> None:
    from neural_collage.art.fractalize import Tiling

    for domains in (1, 9, 49):
        for adaptive in (False, True):
            for tiles in range(4, 129):
                settings = {"tiles": tiles, "domains": domains, "adaptive": adaptive}
                found = checked("fractalize", settings)
                Tiling(found["tiles"], domains, adaptive=adaptive)
                assert found["tiles"] <= max(tiles, 16)
