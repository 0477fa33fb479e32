"""Compress: two sides that follow their settings, and what is saved of them."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from neural_collage.evaluation.metrics import psnr
from tests.web.client.browser import (
    COLLAGE,
    TIMEOUT,
    kilobytes,
    open_picture,
    pixels_of,
    saved,
    screenshot,
    visit,
    wait_compared,
)


def test_what_is_saved_is_what_is_shown(page: Page, photo: Path, tmp_path: Path) -> None:
    open_picture(page, photo)
    right = page.get_by_role("region", name="Right side")
    quality = right.get_by_label("Quality", exact=True)
    quality.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    wait_compared(page)
    link = right.get_by_role("link", name=re.compile("Save holiday-q55.clg"))
    collage = saved(page, link, tmp_path)
    assert collage.name == "holiday-q55.clg"
    sizes = right.locator(".size-text").inner_text()
    assert kilobytes(sizes) == pytest.approx(collage.stat().st_size / 1000, rel=0.01)
    assert "smaller" in sizes
    right.get_by_label("Scale").select_option("2")
    png = saved(page, right.get_by_role("button", name=re.compile("Save as PNG")), tmp_path)
    again = tmp_path / "again.png"
    command = [*COLLAGE, "decompress", str(collage), "-o", str(again)]
    subprocess.run([*command, "--scale", "2"], check=True)
    assert np.array_equal(pixels_of(again), pixels_of(png))
    subprocess.run([*command, "--overwrite"], check=True)
    shown = re.findall(r"([\d.]+) dB", right.inner_text())[0]
    assert float(shown) == pytest.approx(psnr(pixels_of(photo), pixels_of(again)), abs=0.01)


def test_a_jpeg_of_equal_size_stands_beside_the_collage(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    left = page.get_by_role("region", name="Left side")
    left.get_by_label("Left side").select_option("jpeg")
    left.get_by_label("Set by").select_option("same")
    wait_compared(page)
    right = page.get_by_role("region", name="Right side")
    sizes = [kilobytes(side.locator(".size-text").inner_text()) for side in (left, right)]
    assert 0.6 * sizes[1] < sizes[0] <= sizes[1] * 1.01
    quality = right.get_by_label("Quality", exact=True)
    quality.focus()
    page.keyboard.press("End")  # the other side follows
    wait_compared(page)
    larger = [kilobytes(side.locator(".size-text").inner_text()) for side in (left, right)]
    assert larger[0] > 1.5 * sizes[0]


def test_a_target_size_is_met(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    right = page.get_by_role("region", name="Right side")
    right.get_by_label("Set by").select_option("size")
    field = right.get_by_label("Target size")
    field.fill("4")
    field.press("Enter")
    wait_compared(page)
    assert kilobytes(right.locator(".size-text").inner_text()) <= 4


def test_old_results_are_marked_and_cannot_be_saved_while_new_ones_are_made(
    page: Page, large: Path
) -> None:
    open_picture(page, large)
    wait_compared(page)
    right = page.get_by_role("region", name="Right side")
    link = right.get_by_role("link", name=re.compile("^Save"))
    expect(link).to_be_visible()
    right.get_by_label("Quality", exact=True).focus()
    page.keyboard.press("PageUp")
    assert right.get_attribute("data-stale") is not None
    expect(link).to_be_hidden()
    wait_compared(page)
    expect(link).to_be_visible()
    name = link.inner_text()
    quality = right.get_by_label("Quality", exact=True).input_value()
    assert f"-q{quality}.clg" in name


def test_work_can_be_stopped_and_is_no_error(page: Page, large: Path) -> None:
    page.route("**/api/jobs/*/events", lambda route: None)  # the job never tells that it ends
    open_picture(page, large)
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible(timeout=TIMEOUT)
    stop.click()
    expect(page.get_by_text("Stopped.", exact=True)).to_be_visible()
    expect(page.locator(".notice")).to_be_hidden()
    page.unroute("**/api/jobs/*/events")
    page.get_by_label("Quality", exact=True).last.press("ArrowRight")
    wait_compared(page)


def test_transparent_pixels_show_a_checkerboard_on_both_sides(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (200, 200), (0, 0, 0, 0)).save(path)
    open_picture(page, path)
    wait_compared(page)
    page.wait_for_timeout(300)
    seen = screenshot(page.locator("compare-view .surface")).astype(int)
    height, width = seen.shape[:2]
    for beside in (-120, 80):  # of the line
        part = seen[height // 2 - 90 : height // 2 - 40, width // 2 + beside :][:, :40]
        assert {212, 255} <= set(np.unique(part).tolist())


def test_one_pixel_is_compressed(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("RGB", (1, 1), (10, 200, 30)).save(path)
    open_picture(page, path)
    wait_compared(page)
    right = page.get_by_role("region", name="Right side")
    assert "inf" not in right.inner_text()
    assert "exact" in right.inner_text() or "dB" in right.inner_text()


def test_both_sides_are_zoomed_and_moved_by_keys(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    wait_compared(page)
    surface = page.locator("compare-view .surface")
    scale = page.locator("compare-view .scale-text")
    surface.focus()
    page.keyboard.press("1")
    expect(scale).to_have_text("100 %")
    page.keyboard.press("+")
    expect(scale).to_have_text("150 %")
    page.keyboard.press("-")
    expect(scale).to_have_text("100 %")
    before = screenshot(surface).astype(int)
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(100)
    assert abs(screenshot(surface).astype(int) - before).mean() > 1
    page.keyboard.press("0")
    divider = page.get_by_role("slider", name="Line between left and right")
    divider.focus()
    page.keyboard.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    for _ in range(3):
        page.keyboard.press("PageUp")
    expect(divider).to_have_attribute("aria-valuenow", "30")


def test_the_line_is_dragged(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    wait_compared(page)
    divider = page.get_by_role("slider", name="Line between left and right")
    grip = divider.locator(".grip").bounding_box()
    assert grip is not None
    x, y = grip["x"] + 20, grip["y"] + 20
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 200, y, steps=5)
    page.mouse.up()
    assert float(str(divider.get_attribute("aria-valuenow"))) < 40


def test_an_opened_clg_is_saved_as_png(page: Page, photo: Path, tmp_path: Path) -> None:
    collage = tmp_path / "own.clg"
    subprocess.run([*COLLAGE, "compress", str(photo), "-o", str(collage), "-q", "40"], check=True)
    open_picture(page, collage)
    left = page.get_by_role("region", name="Left side")
    wait_compared(page)
    png = saved(page, left.get_by_role("button", name=re.compile("Save as PNG")), tmp_path)
    assert png.name == "own-256x256.png"
    again = tmp_path / "again.png"
    subprocess.run([*COLLAGE, "decompress", str(collage), "-o", str(again)], check=True)
    assert np.array_equal(pixels_of(again), pixels_of(png))


def test_a_job_that_fails_says_why_at_its_side(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    wait_compared(page)
    right = page.get_by_role("region", name="Right side")
    right.get_by_label("Right side").select_option("jpeg")
    right.get_by_label("Set by").select_option("size")
    right.get_by_label("Target size").fill("0.2")
    right.get_by_label("Target size").press("Enter")
    expect(right.locator(".problem")).to_have_text(re.compile("JPEG.*\\.$"), timeout=TIMEOUT)
    expect(right.get_by_role("link", name=re.compile("^Save"))).to_be_hidden()
    right.get_by_label("Target size").fill("9")
    right.get_by_label("Target size").press("Enter")
    wait_compared(page)
    expect(right.locator(".problem")).to_be_hidden()


def test_a_picture_that_cannot_be_opened_leaves_no_old_result_of_another(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.png"
    Image.effect_noise((120, 80), 60).save(other)
    open_picture(page, photo)
    wait_compared(page)
    open_picture(page, other)
    stale = page.get_by_role("link", name=re.compile("holiday"))
    expect(stale).to_have_count(0)
    wait_compared(page)
    expect(page.get_by_role("link", name=re.compile("other-q50.clg"))).to_be_visible()
    visit(page, "Compress")
