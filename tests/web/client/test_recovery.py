"""The server goes away under an open page, and comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.web.client.browser import TIMEOUT, Studio, open_picture, wait_compared
from tests.web.client.conftest import open_studio


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Studio]:
    """A studio of one test."""
    studio = Studio(tmp_path)
    yield studio
    studio.stop()


def test_a_restart_is_said_and_the_picture_opened_again(
    context: BrowserContext, photo: Path, mortal: Studio
) -> None:
    studio = mortal
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    open_studio(page, studio)
    open_picture(page, photo)
    page.get_by_label("Quality", exact=True).last.press("Home")
    wait_compared(page)
    studio.stop()
    expect(page.get_by_text("The studio does not answer")).to_be_visible(timeout=TIMEOUT)
    studio.start()
    expect(page.get_by_text("was started again")).to_be_visible(timeout=TIMEOUT)
    expect(page.get_by_role("link", name="Save holiday-q1.clg")).to_have_count(0)
    page.get_by_role("button", name="Open holiday.png again").click()
    wait_compared(page)
    expect(page.get_by_label("Quality", exact=True).last).to_have_value("1")
    expect(page.locator(".notice")).to_be_hidden()
