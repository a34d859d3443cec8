"""What a person does on the page, for the tests of each of its views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Page = Any
WAIT_S = 120.0
"""Only so that a hang fails instead of hanging the tests; nothing is timed."""


def expect(locator: Any) -> Any:
    """Playwright's own, which waits until it holds, for as long as a loaded machine may need."""
    from playwright.sync_api import expect

    expect.set_options(timeout=WAIT_S * 1000)
    return expect(locator)


def open_page(browser: Any, address: str) -> Page:
    """A new window with the page of this address."""
    page = browser.new_page()
    page.set_default_timeout(WAIT_S * 1000)
    page.goto(address)
    return page


def focused(page: Page) -> str:
    """The id of the element with the focus, or its text."""
    return page.evaluate("document.activeElement.id || document.activeElement.textContent")


def open_view(page: Page, view: str) -> None:
    page.click(f"nav a[data-view={view}]")
    page.wait_for_selector(f"#view-{view}:not([hidden])")


def enroll(page: Page, name: str, photos: list[Path]) -> None:
    open_view(page, "enroll")
    if page.is_visible("#enroll-result"):
        page.click("text=Enroll somebody else")
    page.fill("#enroll-user", name)
    page.set_input_files("#enroll-files", [str(photo) for photo in photos])
    expect(page.locator("#enroll-photos li")).to_have_count(len(photos))
    expect(page.locator("#enroll-photos")).not_to_contain_text("Checking")
    page.click("#enroll-send")
    expect(page.locator("#enroll-result .result")).to_have_text(f"{name} is enrolled")


def unlock(page: Page, name: str, photo: Path | None = None) -> tuple[str, str]:
    """Unlock with a photo, or with the camera. Returns the result and the reason."""
    open_view(page, "unlock")
    page.fill("#unlock-user", "")  # what was decided before disappears
    page.fill("#unlock-user", name)
    if photo is None:
        page.click("#unlock-camera")  # starts the camera; the rest goes by itself
    else:
        page.set_input_files("#unlock-file", str(photo))
    page.wait_for_selector("#unlock-decision:not([hidden])")
    return page.inner_text("#unlock-result"), page.inner_text("#unlock-reason")


def portraits(shots: Path) -> list[Path]:
    """Three photos of one person."""
    return [shots / f"her{number}.jpg" for number in (1, 2, 3)]
