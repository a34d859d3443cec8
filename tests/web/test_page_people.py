"""People and Log in a real Chromium."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.web.conftest import HANG_TIMEOUT_S, Service, fill_vault
from tests.web.page_actions import Page, enroll, expect, focused, open_view, portraits

LONG = 64 * "W"


def test_an_empty_vault_shows_what_to_do(page: Page) -> None:
    open_view(page, "people")
    page.wait_for_selector("text=Nobody is enrolled yet.")
    open_view(page, "log")
    page.wait_for_selector("text=The log is empty.")


def test_people_are_listed_with_quality_and_forgotten_after_confirmation(
    page: Page, shots: Path
) -> None:
    enroll(page, "eileen", portraits(shots))
    enroll(page, "twin", [shots / "her4.jpg"])
    open_view(page, "people")
    page.wait_for_selector(".person")
    said = page.inner_text("#people-list")
    assert "3 photos, lowest similarity to each other 0." in said
    assert "Looks like twin" in said
    assert "One photo only" in said
    page.click("text=Forget twin")
    assert page.locator(".person").count() == 2
    page.click("text=Really forget twin?")
    expect(page.locator(".person")).to_have_count(1)
    open_view(page, "log")
    page.wait_for_selector("text=twin was forgotten")
    assert "complete and unaltered" in page.inner_text("#log-list")


def test_many_people_are_shown_a_hundred_at_a_time(page: Page, service: Service) -> None:
    fill_vault(service.home, 203)
    open_view(page, "people")
    expect(page.locator(".person")).to_have_count(100)
    page.click("text=Show more people")
    expect(page.locator(".person")).to_have_count(200)
    assert focused(page) == "Forget user 100"
    page.click("text=Show more people")
    expect(page.locator(".person")).to_have_count(203)
    assert page.locator("text=Show more people").count() == 0
    shown = page.locator(".person h3").all_inner_texts()
    assert shown == [f"user {number:03}" for number in range(203)]


@pytest.fixture
def twin(page: Page, service: Service, shots: Path) -> Page:
    """The People view with one person, whose name is long."""
    photos = {"photos": (shots / "her4.jpg").read_bytes()}
    url = f"{service.address}/v1/people/{LONG}"
    httpx.post(
        url, files=photos, headers=service.headers, timeout=HANG_TIMEOUT_S
    ).raise_for_status()
    open_view(page, "people")
    page.wait_for_selector(".person")
    return page


@pytest.mark.parametrize("turning_away", ["Escape", "Tab past", "Cancel"])
def test_forgetting_must_be_confirmed_again_after_a_cancel(twin: Page, turning_away: str) -> None:
    forget, cancel = twin.locator(".person .danger"), twin.get_by_text("Cancel")
    assert not cancel.is_visible()
    forget.click()
    expect(forget).to_contain_text("Really forget")
    if turning_away == "Escape":
        twin.keyboard.press("Escape")
    elif turning_away == "Cancel":
        cancel.click()
    else:
        twin.keyboard.press("Shift+Tab")
    expect(forget).to_contain_text("Forget")
    assert not cancel.is_visible()
    forget.click()
    expect(forget).to_contain_text("Really forget")
    assert twin.locator(".person").count() == 1


def test_an_error_is_shown_where_it_happened_and_again_in_the_next_view(
    twin: Page, service: Service
) -> None:
    url = f"{service.address}/v1/people/{LONG}"
    httpx.delete(url, headers=service.headers, timeout=HANG_TIMEOUT_S).raise_for_status()
    twin.click(".person .danger")
    twin.click(".person .danger")
    expect(twin.locator(".person #notice")).to_contain_text("is not enrolled")
    open_view(twin, "unlock")
    assert not twin.locator("#notice").is_visible()
    twin.fill("#unlock-user", "")
    twin.click("#unlock-camera")
    expect(twin.locator("#view-unlock #notice")).to_contain_text("Type a name first")


def test_after_forgetting_the_list_has_the_focus_and_it_is_announced(twin: Page) -> None:
    twin.focus(".person .danger")
    twin.keyboard.press("Enter")
    twin.keyboard.press("Enter")
    expect(twin.locator("#announcement")).to_contain_text("is forgotten.")
    assert focused(twin) == "people-title"


def test_a_long_name_fits_a_phone(twin: Page, shots: Path) -> None:
    enroll(twin, "eileen", portraits(shots)[:1])  # who is said to look like the long name
    twin.set_viewport_size({"width": 390, "height": 844})
    for view in ("people", "log"):
        open_view(twin, view)
        twin.wait_for_selector(f"#{view}-list :text('{LONG}')")
        if view == "people":
            twin.click(f"text=Forget {LONG}")
        assert twin.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_altered_log_is_an_alert_and_not_an_empty_list(twin: Page, service: Service) -> None:
    vault = service.home / "data" / "mien" / "vault.sqlite"
    with closing(sqlite3.connect(vault, isolation_level=None)) as db:
        key, value = db.execute("SELECT key, value FROM cell_log").fetchone()
        broken = value[:-1] + bytes([value[-1] ^ 1])
        db.execute("UPDATE cell_log SET value = ? WHERE key = ?", (broken, key))
    open_view(twin, "log")
    alert = twin.locator("#log-list .error[role=alert]")
    expect(alert).to_contain_text("was altered")
