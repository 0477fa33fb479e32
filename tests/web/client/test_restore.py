"""Restore, Morph and Draw."""

import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from neural_collage.evaluation.metrics import psnr
from tests.web.client.browser import (
    TIMEOUT,
    open_picture,
    pixels_of,
    saved,
    visit,
    wait_until,
    wait_zoomed,
)


def test_what_is_painted_over_is_filled_and_nothing_else(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    open_picture(page, photo)
    panel = visit(page, "Restore")
    fill = panel.get_by_role("button", name="Fill it")
    expect(fill).to_be_disabled()
    canvas = panel.locator("paint-view canvas")
    expect(canvas).to_be_visible()
    box, stage = canvas.bounding_box(), panel.locator(".stage").bounding_box()
    assert box is not None
    assert stage is not None
    assert max(box["width"] / stage["width"], box["height"] / stage["height"]) > 0.85
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for shift in (0, 90):
        page.mouse.move(x - 20, y + shift)
        page.mouse.down()
        page.mouse.move(x + 20, y + shift, steps=8)
        page.mouse.up()
    panel.get_by_role("button", name="Undo").click()  # the second stroke
    fill.click()
    link = panel.get_by_role("link", name=re.compile("Save"))
    expect(link).to_be_visible(timeout=TIMEOUT)
    expect(panel.locator("compare-view")).to_be_visible()
    filled = saved(page, link, tmp_path)
    assert filled.name == "holiday-filled.png"
    changed = (pixels_of(filled) != pixels_of(photo)).any(2)
    assert 0.0005 < changed.mean() < 0.2
    assert changed[120:136, 120:136].any()
    assert not changed[150:].any()
    panel.get_by_role("button", name="Back to painting").click()
    expect(canvas).to_be_visible()
    expect(link).to_have_count(0)


def test_it_is_painted_by_keys(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    panel = visit(page, "Restore")
    panel.locator("paint-view canvas").focus()
    for key in ("ArrowLeft", "ArrowUp", " "):
        page.keyboard.press(key)
    expect(panel.get_by_role("button", name="Fill it")).to_be_enabled()
    page.keyboard.press("Control+z")
    expect(panel.get_by_role("button", name="Fill it")).to_be_disabled()


def test_noise_is_removed_and_pictures_are_enlarged(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    clean = pixels_of(photo)
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    noisy = tmp_path / "noisy.png"
    Image.fromarray((clean + noise).clip(0, 255).astype(np.uint8)).save(noisy)
    open_picture(page, noisy)
    panel = visit(page, "Restore")
    panel.get_by_role("radio", name=re.compile("Remove noise")).check()
    panel.get_by_role("button", name="Remove the noise").click()
    after = saved(page, panel.get_by_role("link", name=re.compile("noisy-clean.png")), tmp_path)
    assert psnr(clean, pixels_of(after)) > psnr(clean, pixels_of(noisy)) + 3
    panel.get_by_role("radio", name=re.compile("Enlarge")).check()
    expect(panel.get_by_role("link", name=re.compile("noisy-clean.png"))).to_have_count(0)
    panel.get_by_role("button", name="Enlarge it").click()
    larger = saved(page, panel.get_by_role("link", name=re.compile("enlarged.png")), tmp_path)
    assert pixels_of(larger).shape == (512, 512, 3)


def test_two_pictures_are_morphed(page: Page, photo: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    with Image.open(photo) as image:
        image.resize((96, 96)).save(small)
    open_picture(page, small)
    panel = visit(page, "Morph")
    panel.get_by_role("button", name=re.compile("Second picture")).nth(3).click()
    link = panel.get_by_role("link", name=re.compile("small-morph.png"))
    expect(link).to_be_visible(timeout=2 * TIMEOUT)
    made = saved(page, link, tmp_path)
    assert pixels_of(made).shape == (96, 96, 3)
    assert (pixels_of(made) != pixels_of(small)).any()


def test_digits_are_drawn_and_zoomed_into(page: Page, tmp_path: Path) -> None:
    panel = visit(page, "Draw")
    expect(panel.locator(".drawing")).to_have_count(24, timeout=TIMEOUT)
    first = panel.locator(".drawing img").first
    assert wait_until(lambda: first.evaluate("i => i.complete && i.naturalWidth > 100"))
    sheet = saved(page, panel.get_by_role("link", name=re.compile("Save .*png")), tmp_path)
    assert 10 < pixels_of(sheet).mean() < 120
    address = first.get_attribute("src")
    panel.get_by_role("button", name="Draw others").click()
    assert wait_until(lambda: panel.locator(".drawing img").first.get_attribute("src") != address)
    panel.get_by_role("button", name="Zoom into drawing 3").click()
    expect(page).to_have_url(re.compile("#/zoom"))
    wait_zoomed(page)
    page.go_back()
    expect(panel.locator(".drawing")).to_have_count(24)


def test_a_text_is_written_saved_and_zoomed_into(page: Page, tmp_path: Path) -> None:
    panel = visit(page, "Draw")
    panel.get_by_role("radio", name="Letters").check()
    field = panel.get_by_label("A text in a font that never was")
    field.fill("Hi 5")
    text = panel.get_by_role("button", name="Zoom into the text")
    image = text.get_by_role("img", name="Hi 5")
    expect(image).to_be_visible(timeout=TIMEOUT)
    expect(panel.get_by_label("How many")).to_be_hidden()
    written = saved(page, panel.get_by_role("link", name=re.compile("Save Hi-5.png")), tmp_path)
    first = pixels_of(written)
    assert first.shape[0] == 4 * 32
    address = image.get_attribute("src")
    panel.get_by_role("button", name="Another font").click()
    assert wait_until(lambda: image.get_attribute("src") != address)
    field.fill("π")
    expect(page.locator(".notice p")).to_have_text(re.compile("has no π"), timeout=TIMEOUT)
    field.fill("Hi")
    expect(text.get_by_role("img", name="Hi", exact=True)).to_be_visible(timeout=TIMEOUT)
    expect(page.locator(".notice")).to_be_hidden()
    text.click()
    expect(page).to_have_url(re.compile("#/zoom"))
    wait_zoomed(page)
    page.go_back()
    expect(field).to_have_value("Hi")
    field.fill("")
    expect(panel.locator(".drawing")).to_have_count(24, timeout=TIMEOUT)


def test_numbers_out_of_range_are_moved_to_their_limits(page: Page) -> None:
    panel = visit(page, "Draw")
    expect(panel.locator(".drawing")).to_have_count(24, timeout=TIMEOUT)
    number = panel.get_by_label("Number of the draw")
    for typed, kept in (("999999999999999999999", str(2**31 - 1)), ("-5", "0"), ("", "0")):
        number.fill(typed)
        number.press("Enter")
        number.blur()
        expect(number).to_have_value(kept)
    expect(panel.locator(".stage[data-stale]")).to_have_count(0, timeout=TIMEOUT)
    expect(page.locator(".notice")).to_be_hidden()
