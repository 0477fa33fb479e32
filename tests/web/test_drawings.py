"""Drawings and texts of the generative models, and their scenes."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the studio needs the extra: studio")
pytest.importorskip("httpx", reason="visitors of the studio need the extra: dev")

from tests.web.visitor import Visitor


def test_drawings_depend_on_their_seed_and_can_be_zoomed_into(visitor: Visitor) -> None:
    result = visitor.made("draw", count=4, seed=2**53 - 1, scale=2)
    first = visitor.pixels(f"/api/results/{result['id']}/image")
    again = visitor.pixels(
        f"/api/results/{visitor.made('draw', count=4, seed=1, scale=2)['id']}/image"
    )
    assert not np.array_equal(first, again)
    assert len(set(result["scenes"])) == 4
    cell = result["cell"]
    assert first.shape[1] == cell["gap"] + result["columns"] * (cell["width"] + cell["gap"])
    level = result["pyramid"]["base_level"] + 4
    tile = visitor.pixels(f"/tiles/{result['scenes'][3]}/{level}/0_0.jpg")
    assert tile.std() > 10
    assert visitor.get(f"/tiles/{result['id']}~9/{level}/0_0.jpg").status_code == 404
    kind, content = visitor.end_of(visitor.start("draw", model="letters of nobody"))
    assert kind == "failed"
    assert "digits" in content["error"]


def test_a_text_is_written_in_a_font_of_its_number(visitor: Visitor) -> None:
    text: dict[str, Any] = {"model": "letters", "text": "Fix 7", "temperature": 0.6}
    result = visitor.made("draw", **text, seed=2, scale=2, count=9)
    assert (result["name"], len(result["scenes"])) == ("Fix-7.png", 1)
    page = visitor.pixels(f"/api/results/{result['id']}/image")
    assert page.shape[:2] == (64, result["width"])
    assert page[:, :4].min() == 255 > 128 > page.min()
    other = visitor.made("draw", **text, seed=3, scale=2)
    assert not np.array_equal(page, visitor.pixels(f"/api/results/{other['id']}/image"))
    base = result["pyramid"]["base_level"]
    whole = visitor.pixels(f"/tiles/{result['scene']}/{base + 1}/0_0.jpg").astype(int)
    assert abs(whole - page).mean() < 4
    deep = visitor.pixels(f"/tiles/{result['scene']}/{base + 12}/{40 << 3}_{60 << 3}.jpg")
    assert deep.shape == (256, 256)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"model": "letters", "text": "naïve"}, "the model has no ï: its characters are ABC"),
        ({"model": "digits", "text": "12"}, "leave out the text"),
        ({"model": "letters", "text": "W" * 200, "scale": 20}, "write less, or smaller"),
    ],
)
def test_texts_that_cannot_be_written_are_refused_in_a_line(
    visitor: Visitor, settings: dict[str, Any], problem: str
) -> None:
    kind, content = visitor.end_of(visitor.start("draw", **settings))
    assert kind == "failed"
    assert problem in content["error"]
    assert "\n" not in content["error"]
