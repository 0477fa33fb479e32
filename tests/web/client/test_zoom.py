"""Zoom: wheel, keys, links to views, what is saved of them, and what is said about depth."""

import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.web.client.browser import (
    COLLAGE,
    TIMEOUT,
    factor,
    open_picture,
    pinch,
    query,
    saved,
    screenshot,
    visit,
    wait_zoomed,
)


def test_a_press_zooms_by_half_and_zero_shows_the_whole(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    visit(page, "Zoom")
    viewer = wait_zoomed(page)
    start = factor(viewer)
    viewer.locator(".surface").focus()
    for key in ("+", "+", "-"):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
    assert factor(viewer) == pytest.approx(1.5 * start, rel=0.02)
    for key in ("r", "f"):  # neither turns nor mirrors
        page.keyboard.press(key)
    before = query(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(900)
    after = query(page)
    assert float(after["c"].split(",")[0]) > float(before["c"].split(",")[0])
    page.keyboard.press("0")
    assert factor(viewer) == pytest.approx(start, rel=0.02)
    page.get_by_role("button", name="Zoom in", exact=True).click()
    assert factor(viewer) == pytest.approx(1.5 * start, rel=0.02)


def test_two_fingers_zoom_about_the_point_between_them(phone: Page, photo: Path) -> None:
    open_picture(phone, photo)
    visit(phone, "Zoom")
    viewer = wait_zoomed(phone)
    start = factor(viewer)
    box = viewer.bounding_box()
    assert box is not None
    centre = box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"]
    pinch(phone, centre, 60, 150)
    after = factor(viewer)
    assert after == pytest.approx(2.5 * start, rel=0.15)
    beside = -0.25 * box["width"] / 256  # of the fingers to the middle, in pictures at scale 1
    middle = float(query(phone)["c"].split(",")[0])
    assert middle + beside / after == pytest.approx(0.5 + beside / start, abs=0.1)
    pinch(phone, centre, 150, 60)
    assert factor(viewer) == pytest.approx(start, rel=0.15)
    assert phone.evaluate("visualViewport.scale") == 1  # the page stays as it is


def test_copies_of_itself_go_on_a_thousand_times_deeper(page: Page, photo: Path) -> None:
    statuses: list[int] = []
    page.on("response", lambda r: statuses.append(r.status) if "/tiles/" in r.url else None)
    open_picture(page, photo)
    visit(page, "Zoom")
    viewer = wait_zoomed(page)
    start = factor(viewer)
    viewer.hover()
    page.mouse.wheel(0, -400)
    assert factor(viewer) > 1.2 * start
    viewer.locator(".surface").focus()
    for _ in range(18):
        page.keyboard.press("+")
    assert factor(viewer) > 1024 * start
    wait_zoomed(page)
    assert screenshot(viewer.locator(".surface")).astype(float).std() > 2
    assert set(statuses) <= {200, 503}
    expect(viewer.locator(".scale-words")).to_have_text(re.compile("wide"))
    expect(viewer.locator(".navigator")).to_be_visible()


def test_a_link_restores_the_view(page: Page, photo: Path, context: BrowserContext) -> None:
    open_picture(page, photo)
    visit(page, "Zoom")
    viewer = wait_zoomed(page)
    viewer.locator(".surface").focus()
    for key in ("+", "+", "+", "ArrowLeft"):
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    wanted = factor(viewer)
    page.wait_for_timeout(300)
    view = query(page)
    again = context.new_page()
    again.goto(page.url)
    other = wait_zoomed(again)
    assert factor(other) == pytest.approx(wanted, rel=0.01)
    again.wait_for_timeout(800)
    assert query(again)["c"].split(",")[0][:4] == view["c"].split(",")[0][:4]


def test_the_view_is_saved_at_a_size_and_the_whole_for_print(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    open_picture(page, photo)
    panel = visit(page, "Zoom")
    viewer = wait_zoomed(page)
    viewer.locator(".surface").focus()
    page.keyboard.press("+")
    wait_zoomed(page)
    panel.get_by_text("Save a picture").click()
    panel.get_by_label("Width in pixels").fill("500")
    view = saved(page, panel.get_by_role("button", name="Save this view"), tmp_path)
    assert re.fullmatch(r"holiday.*-view\.png", view.name)
    with Image.open(view) as image:
        assert image.width == 500
        box = viewer.bounding_box()
        assert box is not None
        assert image.height == pytest.approx(500 * box["height"] / box["width"], abs=1)
    panel.get_by_label("Size", exact=True).first.select_option("screen")
    whole = saved(page, panel.get_by_role("button", name="Save all of it"), tmp_path)
    with Image.open(whole) as image:
        assert image.size == (3840, 3840)


def test_it_says_where_nothing_new_comes(page: Page, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.png"
    image = Image.new("RGB", (200, 150), "white")
    ImageDraw.Draw(image).rectangle((40, 30, 120, 90), "navy")
    image.save(drawn)
    collage = tmp_path / "drawn.clg"
    subprocess.run([*COLLAGE, "compress", str(drawn), "-o", str(collage)], check=True)
    open_picture(page, collage)
    visit(page, "Zoom")
    viewer = wait_zoomed(page)
    viewer.locator(".surface").focus()
    for _ in range(14):
        page.keyboard.press("+")
    assert factor(viewer) > 200
    expect(viewer.locator(".scale-words")).to_have_text(re.compile("Nothing new comes beyond"))


def test_tiles_that_are_late_are_asked_for_again(page: Page, photo: Path) -> None:
    refused: list[str] = []

    def refuse(route: Route) -> None:
        url = route.request.url
        if url in refused:
            route.fallback()
        else:
            refused.append(url)
            route.fulfill(status=503, headers={"Retry-After": "1"})

    page.route("**/tiles/**", refuse)
    open_picture(page, photo)
    visit(page, "Zoom")
    wait_zoomed(page)
    assert refused
    expect(page.locator(".stage-note")).to_be_hidden(timeout=TIMEOUT)


def test_a_damaged_file_is_said_with_its_name(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.clg"
    broken.write_bytes(b"no collage")
    page.locator("header input[type=file]").set_input_files(broken)
    expect(page.locator(".notice p")).to_have_text(re.compile("^broken.clg"), timeout=TIMEOUT)
