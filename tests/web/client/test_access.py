"""Access: names and contrasts (axe-core), keyboard alone, phones, less motion."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.web.client.browser import (
    AXE,
    TIMEOUT,
    VIEWS,
    Studio,
    open_picture,
    visit,
    wait_compared,
    wait_until,
    wait_zoomed,
)
from tests.web.client.conftest import PHONE, open_studio

SMALL_TARGETS = """() => [...document.querySelectorAll(
    'button, a[href], select, summary, label.toggle, input:not(.file-input, [type=checkbox])')]
    .filter(e => e.offsetParent && !e.closest('[hidden], .skip, zoom-view .surface'))
    .filter(e => !e.classList.contains('skip'))
    .map(e => [e.outerHTML.slice(0, 90), e.getBoundingClientRect()])
    .filter(([, b]) => b.height < 43.5 || b.width < 43.5)
    .map(([html, b]) => `${html} ${b.width}x${b.height}`)"""


def faults(page: Page) -> list[str]:
    """What axe-core calls serious or critical."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def settle(page: Page, view: str) -> None:
    """Wait until a view shows what it makes at once."""
    if view == "Compress":
        wait_compared(page)
    if view in ("Zoom", "Fractalize", "Stylize"):
        wait_zoomed(page)
    if view == "Draw":
        expect(page.locator(".drawing").first).to_be_visible(timeout=TIMEOUT)


@pytest.mark.skipif(not AXE.is_file(), reason="NO AXE: run `npm ci` in src/neural_collage/web")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_serious_faults_of_access(
    browser: Browser, studio: Studio, photo: Path, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    open_studio(page, studio)
    found = {"Start": faults(page)}
    open_picture(page, photo)
    for view in VIEWS:
        visit(page, view)
        settle(page, view)
        folded = page.locator("main details:not([open]):visible")
        while folded.count():
            folded.first.locator("summary").first.click()
        found[view] = faults(page)
    page.locator("header input[type=file]").set_input_files(Path(__file__))
    expect(page.locator(".notice")).to_be_visible(timeout=TIMEOUT)
    found["notice"] = faults(page)
    context.close()
    assert {view: each for view, each in found.items() if each} == {}


def test_tabs_are_moved_by_arrows_and_are_one_stop(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    wait_compared(page)
    page.get_by_role("tab", name="Compress").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Zoom")).to_be_focused()
    expect(page.get_by_role("tab", name="Zoom")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="Draw")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Compress")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.role") != "tab"


def test_everything_in_compress_is_reached_by_the_tab_key(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    wait_compared(page)
    page.get_by_role("tab", name="Compress").focus()
    reached = set()
    for _ in range(22):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "() => { const e = document.activeElement; return (e.ariaLabel ||"
                " e.labels?.[0]?.textContent || e.innerText || e.tagName).trim().slice(0, 30) }"
            )
        )
    wanted = ("Two versions", "Line between", "Zoom in", "Left side", "Quality", "Save holiday")
    for name in wanted:
        assert any(each.startswith(name) for each in reached), (name, reached)


def test_the_stop_of_the_viewer_takes_its_keys(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    visit(page, "Zoom")
    wait_zoomed(page)
    page.get_by_role("tab", name="Zoom").focus()
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('surface')"):
            break
    assert "Plus and minus" in page.evaluate("document.activeElement.ariaLabel")
    before = page.locator("zoom-view").get_attribute("data-factor")
    page.keyboard.press("+")
    assert wait_until(lambda: page.locator("zoom-view").get_attribute("data-factor") != before)
    inside = page.locator("zoom-view .surface [tabindex='0']")
    expect(inside).to_have_count(0)


def test_a_phone_shows_all_views_in_its_width_with_large_targets(phone: Page, photo: Path) -> None:
    assert phone.evaluate(SMALL_TARGETS) == []
    open_picture(phone, photo)
    for view in VIEWS:
        visit(phone, view)
        settle(phone, view)
        assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert phone.evaluate(SMALL_TARGETS) == []
        for tab in phone.get_by_role("tab").all():
            box = tab.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= PHONE["width"] + 0.5
            assert box["y"] + box["height"] <= PHONE["height"] + 0.5


def test_a_result_is_scrolled_into_view_on_a_phone(phone: Page, photo: Path) -> None:
    open_picture(phone, photo)
    visit(phone, "Fractalize")
    wait_zoomed(phone)
    bold = phone.get_by_role("radio", name="Bold")
    bold.scroll_into_view_if_needed()
    phone.evaluate("window.scrollTo(0, 600)")
    bold.check()
    assert wait_until(lambda: phone.evaluate("scrollY") < 60)
    wait_zoomed(phone)


def test_a_swipe_over_a_whole_picture_scrolls_the_page(phone: Page, photo: Path) -> None:
    open_picture(phone, photo)
    wait_compared(phone)
    action = "e => getComputedStyle(e).touchAction"
    surface = phone.locator("compare-view .surface")
    assert surface.evaluate(action) == "pan-y"
    phone.get_by_role("button", name="Zoom in", exact=True).click()
    assert surface.evaluate(action) == "none"
    assert phone.locator(".divider").first.evaluate(action) == "pan-y"
    visit(phone, "Zoom")
    viewer = wait_zoomed(phone)
    assert viewer.locator(".openseadragon-canvas").first.evaluate(action) == "pan-y"


def test_less_motion_is_respected(browser: Browser, studio: Studio, photo: Path) -> None:
    context: BrowserContext = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    open_studio(page, studio)
    open_picture(page, photo)
    visit(page, "Zoom")
    viewer = wait_zoomed(page)
    viewer.locator(".surface").focus()
    before = float(str(viewer.get_attribute("data-factor")))
    page.keyboard.press("+")
    page.wait_for_timeout(60)
    assert float(str(viewer.get_attribute("data-factor"))) == pytest.approx(1.5 * before, rel=0.02)
    assert page.evaluate(
        "getComputedStyle(document.querySelector('button')).transitionDuration"
    ) in (
        "0s",
        "",
    )
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_as_light_or_dark_as_the_system(
    browser: Browser, studio: Studio, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    open_studio(page, studio)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    rgb = [int(n) for n in re.findall(r"\d+", background)[:3]]
    assert (sum(rgb) < 300) == (scheme == "dark")
    context.close()
