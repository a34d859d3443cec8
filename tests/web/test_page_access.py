"""Which views a token shows; the page by keyboard, on a phone and for screen readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import HANG_TIMEOUT_S, Service, create_token
from tests.web.page_actions import (
    Page,
    enroll,
    expect,
    focused,
    open_page,
    open_view,
    portraits,
    unlock,
)


def test_without_a_token_the_page_shows_no_view(browser: Any, service: Service) -> None:
    page = open_page(browser, service.address)
    page.wait_for_selector("#view-locked:not([hidden])")
    assert not page.is_visible("nav")
    page.fill("#token", "mien_wrong")
    page.click("#token-form button")
    expect(page.locator("#notice")).to_contain_text("This token is not valid.")
    assert page.is_visible("#view-locked")
    page.fill("#token", service.token)
    page.click("#token-form button")
    page.wait_for_selector("#view-enroll:not([hidden])")
    assert not page.is_visible("#notice")
    page.close()


def test_the_printed_address_opens_the_page_in_a_locked_tab(browser: Any, service: Service) -> None:
    page = open_page(browser, f"{service.address}/#mien_of_an_earlier_start")
    expect(page.locator("#notice")).to_contain_text("This token is not valid.")
    ticket = service.tickets.get(timeout=HANG_TIMEOUT_S)
    page.goto(f"{service.address}/#{ticket}")
    page.wait_for_selector("#view-enroll:not([hidden])")
    assert ticket not in page.url
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [
        *(0, 0),
        "",
    ]
    page.goto(f"{service.address}/#mien_wrong")  # another token closes what was open
    page.wait_for_selector("#view-locked:not([hidden])")
    assert "mien_wrong" not in page.url
    page.fill("#token", f"{service.address}/#{service.token}")
    page.click("#token-form button")
    page.wait_for_selector("#view-enroll:not([hidden])")
    page.close()


def test_a_printed_address_opens_the_page_once_and_the_next_one_is_printed(
    browser: Any, service: Service
) -> None:
    ticket = service.tickets.get(timeout=HANG_TIMEOUT_S)
    for pasted in (False, True):
        page = open_page(browser, service.address)
        if pasted:
            page.fill("#token", f"{service.address}/#{ticket}")
            page.click("#token-form button")
        else:
            page.goto(f"{service.address}/#{ticket}")
        page.wait_for_selector("#view-enroll:not([hidden])")
        page.goto(f"{service.address}/#{ticket}")
        expect(page.locator("#notice")).to_contain_text("This address was used before.")
        assert page.is_visible("#view-locked")
        page.close()
        ticket = service.tickets.get(timeout=HANG_TIMEOUT_S)


@pytest.mark.parametrize(
    ("scope", "views"),
    [
        ("unlock", ["Unlock"]),
        ("enroll", ["Unlock", "Enroll", "People", "Explore"]),
        ("admin", ["Unlock", "Enroll", "People", "Explore", "Log"]),
    ],
)
def test_a_token_shows_the_views_of_its_scope(
    browser: Any, service: Service, scope: str, views: list[str]
) -> None:
    page = open_page(browser, f"{service.address}/#{create_token(service, scope)}")
    # with an empty vault, whoever may enroll begins with that
    first = "unlock" if scope == "unlock" else "enroll"
    page.wait_for_selector(f"#view-{first}:not([hidden])")
    assert page.locator("nav a:visible").all_inner_texts() == views
    page.goto(f"{service.address}/#log")
    page.wait_for_selector(f"#view-{'log' if scope == 'admin' else first}:not([hidden])")
    assert page.is_visible("#view-log") is (scope == "admin")
    page.close()


def test_the_skip_link_stays_in_the_current_view(page: Page) -> None:
    open_view(page, "people")
    page.focus(".skip")
    page.keyboard.press("Enter")
    assert focused(page) == "main"
    assert page.is_visible("#view-people")
    page.evaluate(
        """() => new Promise((done) => {
            addEventListener("hashchange", () => done(), { once: true });
            location.hash = "#main";
        })"""
    )
    assert page.is_visible("#view-people")


def test_the_token_does_not_stay_in_the_address(page: Page, service: Service) -> None:
    assert service.token not in page.url


def test_all_views_are_reached_with_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = []
    for _ in range(5):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.dataset.view"))
    assert seen == ["unlock", "enroll", "people", "explore", "log"]
    page.keyboard.press("Enter")
    page.wait_for_selector("#view-log:not([hidden])")


def test_every_view_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for view in ("unlock", "enroll", "people", "explore", "log"):
        open_view(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(page: Page, shots: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install it")
    page.emulate_media(color_scheme=scheme)
    enroll(page, "eileen", portraits(shots))
    unlock(page, "eileen", shots / "her4.jpg")
    open_view(page, "explore")
    page.set_input_files("#explore-files", [str(photo) for photo in portraits(shots)])
    page.wait_for_selector(".map")
    for view in ("unlock", "enroll", "people", "explore", "log"):
        open_view(page, view)
        found = axe.Axe().run(page).response["violations"]
        serious = [
            (view, one["id"], [node["target"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
