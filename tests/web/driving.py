"""What a person does on the page, for the tests of each of its views."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

Page = Any


def expect(locator: Any) -> Any:
    """Looks again until it holds."""
    from playwright.sync_api import expect

    return expect(locator)


def focused(page: Page) -> str:
    """The id of what has the focus, or its words."""
    return page.evaluate("document.activeElement.id || document.activeElement.textContent")


def go(page: Page, view: str) -> None:
    page.click(f"nav a[data-view={view}]")
    page.wait_for_selector(f"#view-{view}:not([hidden])")


def enroll(page: Page, name: str, photos: list[Path]) -> None:
    go(page, "enroll")
    page.fill("#enroll-user", name)
    page.set_input_files("#enroll-files", [str(photo) for photo in photos])
    expect(page.locator("#enroll-photos li")).to_have_count(len(photos))
    expect(page.locator("#enroll-photos")).not_to_contain_text("Checking")
    page.click("#enroll-send")
    expect(page.locator("#enroll-result")).to_contain_text(f"{name} is enrolled")


def knock(page: Page, name: str, photo: Path | None = None) -> tuple[str, str]:
    """Try the door, with a photo or with the camera. Returns the word and the reason."""
    go(page, "unlock")
    page.evaluate("document.getElementById('unlock-decision').hidden = true")
    page.fill("#unlock-user", name)
    if photo is None:
        page.click("#view-unlock .start")
        page.wait_for_selector("[data-camera=unlock][data-state=on]")
        over = page.locator("#view-unlock canvas")
        expect(over).to_have_attribute("data-face", re.compile("good|poor"))
        page.click("#unlock-camera")
    else:
        page.set_input_files("#unlock-file", str(photo))
    page.wait_for_selector("#unlock-decision:not([hidden])")
    return page.inner_text("#unlock-result"), page.inner_text("#unlock-reason")


def her(shots: Path) -> list[Path]:
    return [shots / f"her{number}.jpg" for number in (1, 2, 3)]
