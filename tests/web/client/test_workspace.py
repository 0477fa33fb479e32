"""One picture for all views, its addresses, and how it comes in."""

import base64
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import BrowserContext, Dialog, Page, Route, expect

from tests.web.client.browser import (
    TIMEOUT,
    Studio,
    open_picture,
    query,
    visit,
    wait_compared,
    wait_until,
    wait_zoomed,
)
from tests.web.client.conftest import open_studio

DROP = """([name, type, data]) => {
    const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, {type}));
    const event = type => new DragEvent(type, {dataTransfer: transfer, bubbles: true});
    document.body.dispatchEvent(event('dragenter'));
    const veil = !document.querySelector('.drop-veil').hidden;
    document.body.dispatchEvent(event('drop'));
    return veil;
}"""
PASTE = """([name, type, data]) => {
    const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, {type}));
    document.body.dispatchEvent(
        new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true}));
}"""


def as_file(path: Path) -> list[str]:
    return [path.name, "image/png", base64.b64encode(path.read_bytes()).decode()]


def test_one_picture_serves_all_views(page: Page, photo: Path) -> None:
    uploads: list[str] = []
    posted = r"/api/pictures\?"
    page.on("request", lambda r: uploads.append(r.url) if re.search(posted, r.url) else None)
    open_picture(page, photo)
    wait_compared(page)
    for view in ("Zoom", "Fractalize"):
        visit(page, view)
        wait_zoomed(page)
        expect(page.locator(".chip strong")).to_have_text("holiday.png")
    visit(page, "Restore")
    expect(page.locator("paint-view canvas")).to_be_visible()
    visit(page, "Compress")
    wait_compared(page)
    assert len(uploads) == 1


def test_a_picture_is_dropped_anywhere_or_pasted(page: Page, photo: Path, tmp_path: Path) -> None:
    assert page.evaluate(DROP, as_file(photo))
    expect(page.locator(".chip strong")).to_have_text("holiday.png", timeout=TIMEOUT)
    expect(page).to_have_url(re.compile("#/compress"))
    expect(page.locator(".drop-veil")).to_be_hidden()
    other = tmp_path / "pasted.png"
    Image.new("RGB", (40, 30), "teal").save(other)
    page.evaluate(PASTE, as_file(other))
    expect(page.locator(".chip strong")).to_have_text("pasted.png", timeout=TIMEOUT)


def test_an_address_restores_view_picture_and_settings(
    page: Page, photo: Path, studio: Studio, context: BrowserContext
) -> None:
    open_picture(page, photo)
    visit(page, "Compress")
    quality = page.get_by_label("Quality", exact=True).last
    quality.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    wait_compared(page)
    address = page.url
    assert "right=clg%3Aq55" in address or "right=clg:q55" in address
    again = context.new_page()
    again.goto(address)
    expect(again.locator(".chip strong")).to_have_text("holiday.png", timeout=TIMEOUT)
    expect(again.get_by_label("Quality", exact=True).last).to_have_value("55")
    wait_compared(again)


def test_back_goes_through_views_and_not_through_steps_of_sliders(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    wait_compared(page)
    length = page.evaluate("history.length")
    quality = page.get_by_label("Quality", exact=True).last
    quality.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    wait_compared(page)
    assert page.evaluate("history.length") == length
    visit(page, "Zoom")
    viewer = wait_zoomed(page)
    viewer.locator(".surface").focus()
    page.keyboard.press("+")
    wait_zoomed(page)
    page.go_back()
    expect(page).to_have_url(re.compile("#/compress"))
    expect(page.get_by_label("Quality", exact=True).last).to_have_value("42")
    expect(page.locator("zoom-view:visible")).to_have_count(0)
    page.go_forward()
    expect(page).to_have_url(re.compile("#/zoom"))
    wait_zoomed(page)
    page.go_back()
    page.go_back()
    expect(page.locator(".hero h1")).to_be_visible()


def test_a_result_is_sent_on(page: Page, photo: Path) -> None:
    open_picture(page, photo)
    wait_compared(page)
    page.get_by_role("button", name="Zoom into it").last.click()
    expect(page).to_have_url(re.compile("#/zoom"))
    expect(page.locator(".chip strong")).to_have_text("holiday-q50.clg", timeout=TIMEOUT)
    wait_zoomed(page)


def test_two_tabs_of_a_visitor_do_not_disturb_each_other(
    page: Page, context: BrowserContext, studio: Studio, photo: Path, large: Path
) -> None:
    other = context.new_page()
    open_studio(other, studio)
    open_picture(page, large)
    open_picture(other, photo)
    wait_compared(other)
    wait_compared(page)
    expect(page.locator(".chip strong")).to_have_text("wide.jpg")
    expect(other.locator(".chip strong")).to_have_text("holiday.png")
    for each, name in ((page, "wide-q50.clg"), (other, "holiday-q50.clg")):
        expect(each.get_by_role("link", name=re.compile(name))).to_be_visible()
    assert query(page)["p"] != query(other)["p"]


def test_a_name_is_text(page: Page, photo: Path, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> \"quoted\" 'name' & ünï.png"
    odd = tmp_path / name
    odd.write_bytes(photo.read_bytes())
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    open_picture(page, odd)
    wait_compared(page)
    assert dialogs == []
    assert page.locator("img[src=x]").count() == 0


def test_an_unreadable_file_is_said_once_and_keeps_the_old_picture(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    open_picture(page, photo)
    wait_compared(page)
    text = tmp_path / "letter.png"
    text.write_text("Dear picture,")
    page.locator("header input[type=file]").set_input_files(text)
    notice = page.locator(".notice")
    expect(notice).to_be_visible(timeout=TIMEOUT)
    message = notice.locator("p").inner_text()
    assert "letter.png" in message
    assert not re.search(r"/tmp|Traceback|Error|\(\d{3}\)", message)
    assert page.locator(".notice:visible").count() == 1
    expect(page.locator(".chip strong")).to_have_text("holiday.png")
    expect(page.get_by_role("link", name=re.compile("holiday-q50.clg"))).to_be_visible()
    open_picture(page, photo)  # a success takes the message away
    expect(notice).to_be_hidden(timeout=TIMEOUT)


def test_a_picture_above_the_limit_is_offered_reduced(page: Page, tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    Image.new("L", (9000, 6000), 90).save(huge)
    page.locator("header input[type=file]").set_input_files(huge)
    offer = page.get_by_role("button", name="Open it reduced")
    expect(offer).to_be_visible(timeout=TIMEOUT)
    assert "megapixels" in page.locator(".notice p").inner_text()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".notice")).to_be_hidden()
    expect(page.locator(".chip strong")).to_have_count(0)
    page.locator("header input[type=file]").set_input_files(huge)
    offer.click()
    expect(page.locator(".chip strong")).to_have_text("huge.png", timeout=TIMEOUT)
    facts = page.locator(".chip span").first.inner_text()
    width, height = (int(n.replace(",", "")) for n in re.findall(r"[\d,]+", facts)[:2])
    assert width * height <= 24_000_000


def test_an_empty_file_and_one_that_went_away_are_said(page: Page, tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    empty.touch()
    page.locator("header input[type=file]").set_input_files(empty)
    expect(page.get_by_text("empty.png is empty")).to_be_visible()
    moving = tmp_path / "moving.png"
    Image.effect_noise((800, 800), 90).save(moving)

    def change(route: Route) -> None:
        moving.write_bytes(b"another file")
        route.abort()

    page.route("**/api/pictures?*", change)
    page.locator("header input[type=file]").set_input_files(moving)
    assert wait_until(lambda: page.locator(".notice p").inner_text().startswith("moving.png"))
    expect(page.get_by_text("changed or went away while it was read")).to_be_visible()
