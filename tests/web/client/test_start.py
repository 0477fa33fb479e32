"""The first screen, and its examples."""

import re
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.web.client.browser import TIMEOUT, wait_compared, wait_until, wait_zoomed


def test_the_first_screen_says_what_it_is_in_one_sentence(page: Page) -> None:
    lead = page.locator(".lead").inner_text()
    assert lead.count(".") == 1
    assert lead.endswith(".")
    expect(page.get_by_role("button", name="Choose a picture").first).to_be_visible()
    steps = page.locator(".how li")
    expect(steps).to_have_count(2)
    for image in steps.locator("img").all():
        assert len(str(image.get_attribute("alt"))) > 20
        image.scroll_into_view_if_needed()
        loaded = partial(image.evaluate, "i => i.complete && i.naturalWidth > 0")
        assert wait_until(loaded)
    paper = page.get_by_role("link", name=re.compile("paper"))
    assert "arxiv.org/abs/2204.07673" in str(paper.get_attribute("href"))


@pytest.mark.parametrize("number", range(6))
def test_an_example_opens_a_finished_result_at_one_click(page: Page, number: int) -> None:
    expect(page.locator(".example")).to_have_count(6)
    page.locator(".example").nth(number).click()
    expect(page).to_have_url(re.compile("#/(?!start)"))
    view = page.evaluate("location.hash.match(/[a-z]+/)[0]")
    if view in ("zoom", "fractalize", "stylize"):
        wait_zoomed(page)
    else:
        wait_compared(page)
    if view != "zoom":
        expect(page.get_by_role("link", name=re.compile("^Save ")).first).to_be_visible(
            timeout=TIMEOUT
        )
    expect(page.locator(".notice")).to_be_hidden()


def test_the_address_of_a_view_without_a_picture_asks_for_one(page: Page) -> None:
    page.evaluate("location.hash = '#/fractalize'")
    expect(page.get_by_role("heading", name="Choose a picture first")).to_be_visible()
    expect(page.locator(".workspace")).to_have_count(0)


def test_an_unknown_address_is_the_first_screen(page: Page) -> None:
    page.evaluate("location.hash = '#/nonsense?p=..%2F..%2Fetc'")
    expect(page.locator(".hero h1")).to_be_visible()
    expect(page.locator(".example")).to_have_count(6)
