"""The pictures that explain are drawn by code, shown on a page, and small."""

import re

import pytest
from matplotlib import pyplot as plt

from docs import figures
from tests.root import ROOT

PICTURES = ROOT / "docs/pictures"


def test_every_picture_is_drawn_and_shown() -> None:
    drawn = {f"{name}.webp" for name in figures.FIGURES}
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {
        name
        for page in pages
        for name in re.findall(r"pictures/([\w-]+\.webp)\)", page.read_text(encoding="utf-8"))
    }
    kept = {path.name for path in PICTURES.glob("*.webp")}
    assert drawn <= shown <= kept
    assert all(name.startswith("studio-") for name in kept - drawn)  # taken in a browser


def test_pictures_of_the_documentation_are_small() -> None:
    for path in PICTURES.iterdir():
        assert path.stat().st_size < 300_000, path.name


@pytest.mark.parametrize("name", figures.FIGURES)
def test_figures_are_drawn(name: str) -> None:
    plt.switch_backend("Agg")
    figure = figures.FIGURES[name]()
    figure.canvas.draw()
    assert all(axis.images or axis.lines or axis.patches for axis in figure.axes)
    plt.close(figure)
