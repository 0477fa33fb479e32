"""Fractalize and Stylize: looks, movies, and what stays when the settings change."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from neural_collage.io.writing import to_pil
from tests.pictures import photo_crop
from tests.web.client.browser import (
    TIMEOUT,
    open_picture,
    pixels_of,
    saved,
    visit,
    wait_until,
    wait_zoomed,
)


def thumbnail(path: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((16, 16)), float)


def test_looks_are_thumbnails_of_the_own_picture(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    panel = visit(page, "Fractalize")
    own = panel.locator(".preset-picture img.own")
    expect(own).to_have_count(6, timeout=TIMEOUT)
    assert len({image.get_attribute("src") for image in own.all()}) == 6
    for image in own.all():
        assert wait_until(partial(image.evaluate, "i => i.complete"))
        assert 0 < image.evaluate("i => i.naturalWidth") <= 240


def test_a_fractal_is_made_saved_and_zoomed_in_a_movie(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    open_picture(page, photo)
    panel = visit(page, "Fractalize")
    wait_zoomed(page)
    link = panel.get_by_role("link", name=re.compile("Save holiday-fractal.png"))
    made = saved(page, link, tmp_path)
    assert pixels_of(made).shape == pixels_of(photo).shape
    assert abs(thumbnail(made) - thumbnail(photo)).mean() < 12
    panel.get_by_role("radio", name="Before and after").check()
    expect(page.locator("compare-view:visible")).to_have_attribute("data-ready", "true")

    panel.get_by_text("Make a movie").click()
    panel.get_by_label("Length").press("Home")
    panel.get_by_label("Size", exact=True).last.select_option("360")
    panel.get_by_role("button", name="Make the movie").click()
    video = panel.locator("video")
    expect(video).to_be_visible(timeout=2 * TIMEOUT)
    assert wait_until(lambda: video.evaluate("v => v.readyState") > 0)
    assert video.evaluate("v => [v.duration, v.videoWidth, v.videoHeight]") == [2, 360, 360]
    movie = saved(page, panel.get_by_role("link", name=re.compile("Save .*mp4")), tmp_path)
    assert movie.name == "holiday-fractal-zoom.mp4"

    panel.get_by_role(
        "radio", name="Bold"
    ).check()  # another fractal: the movie of the old one goes
    expect(panel.locator("video")).to_have_count(0, timeout=TIMEOUT)


def test_every_control_of_fractalize_changes_the_picture(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    open_picture(page, photo)
    panel = visit(page, "Fractalize")
    wait_zoomed(page)
    panel.get_by_text("Fine controls").click()
    link = panel.get_by_role("link", name=re.compile("Save holiday-fractal.png"))
    seen = [saved(page, link, tmp_path).read_bytes()]

    def changed(act: Callable[[], None]) -> None:
        address = link.get_attribute("href")
        act()
        assert wait_until(lambda: link.is_hidden() or link.get_attribute("href") != address)
        expect(link).to_be_visible(timeout=TIMEOUT)
        seen.append(saved(page, link, tmp_path).read_bytes())
        assert seen[-1] not in seen[:-1]

    changed(lambda: panel.get_by_label("Copies across").press("PageDown"))
    changed(lambda: panel.get_by_label("How clearly each copy shows").press("PageUp"))
    changed(lambda: panel.get_by_label("From photo to fractal").press("PageDown"))
    changed(panel.get_by_role("radio", name="Halves").check)
    changed(panel.get_by_label("Copies may be turned and mirrored").check)


def test_a_picture_is_stylized_by_a_style_of_ones_own(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    style = tmp_path / "style.png"
    to_pil(photo_crop(200, 250, 20)).save(style)
    open_picture(page, photo)
    panel = visit(page, "Stylize")
    wait_zoomed(page)
    link = panel.get_by_role("link", name=re.compile("Save holiday-painted.png"))
    first = saved(page, link, tmp_path).read_bytes()
    address = link.get_attribute("href")
    panel.get_by_label("Use a picture of mine as the style", exact=True).last.set_input_files(style)
    expect(panel.get_by_text("The style is style.png.")).to_be_visible(timeout=TIMEOUT)
    assert wait_until(lambda: link.get_attribute("href") != address)
    painted = saved(page, link, tmp_path)
    assert painted.read_bytes() != first
    means = [thumbnail(path).ravel() for path in (painted, photo)]
    assert np.asarray(np.corrcoef(means))[0, 1] > 0.8


def test_a_fractal_can_be_stopped_without_an_error(page: Page, photo: Path) -> None:
    page.route("**/api/jobs/*/events", lambda route: None)  # a job that never ends
    open_picture(page, photo)
    visit(page, "Fractalize")
    page.get_by_role("button", name="Stop").click(timeout=TIMEOUT)
    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible()
    expect(page.locator(".notice")).to_be_hidden()
