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
    kept = "[Object.keys(sessionStorage), localStorage.length, document.cookie]"
    assert page.evaluate(kept) == [["mien-token"], 0, ""]
    page.reload()
    page.wait_for_selector("#view-enroll:not([hidden])")
    page.goto(f"{service.address}/#mien_wrong")  # another token closes what was open
    page.wait_for_selector("#view-locked:not([hidden])")
    assert "mien_wrong" not in page.url
    page.fill("#token", f"{service.address}/#{service.token}")
    page.click("#token-form button")
    page.wait_for_selector("#view-enroll:not([hidden])")
    assert page.evaluate(kept) == [[], 0, ""], "what was pasted may be good for years"
    page.reload()
    page.wait_for_selector("#view-locked:not([hidden])")
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
        ("metrics", ["Unlock"]),
    ],
)
def test_a_token_shows_the_views_of_its_scope(
    browser: Any, service: Service, scope: str, views: list[str]
) -> None:
    page = open_page(browser, f"{service.address}/#{create_token(service, scope)}")
    # with an empty vault, whoever may enroll begins with that
    first = "enroll" if "Enroll" in views else "unlock"
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


@pytest.mark.parametrize(("width", "language"), [(360, "en"), (320, "de"), (195, "de")])
def test_every_view_fits_a_phone(page: Page, width: int, language: str) -> None:
    """195 px: a phone of 390 px whose user enlarges everything twice."""
    page.select_option("#language", language)
    page.set_viewport_size({"width": width, "height": 740})
    for view in ("unlock", "enroll", "people", "explore", "log"):
        open_view(page, view)  # the navigation is within reach
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    ends = page.locator("nav a").evaluate_all(
        "links => links.map((link) => link.getBoundingClientRect().right)"
    )
    assert max(ends) <= width


def test_at_the_first_use_the_button_is_above_the_fold_of_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    button = page.locator("#enroll-camera").bounding_box()
    assert page.is_visible("#welcome")
    assert button["y"] + button["height"] <= page.locator("nav").bounding_box()["y"]


def test_a_long_message_of_the_camera_is_not_cut(page: Page, service: Service) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.select_option("#language", "de")
    open_view(page, "enroll")
    told = page.locator("#view-enroll .guidance")
    told.evaluate("element => { element.textContent = 'so eine lange Meldung '.repeat(20); }")
    stage, words = (
        page.locator(f"#view-enroll {one}").bounding_box() for one in (".stage", "p.guidance")
    )
    assert words["height"] > 200
    assert stage["y"] <= words["y"]
    assert words["y"] + words["height"] <= stage["y"] + stage["height"]


def serious_faults(page: Page) -> list[tuple[str, list[Any]]]:
    """What axe-core finds that is serious or critical: the rule, and where."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install it")
    found = axe.Axe().run(page).response["violations"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_serious_violation_in_any_state(
    page: Page, service: Service, shots: Path, scheme: str, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    assert serious_faults(page) == []  # the welcome
    open_view(page, "people")
    page.wait_for_selector("#view-people .empty")
    assert serious_faults(page) == []
    open_view(page, "enroll")
    page.press("#enroll-user", "Enter")
    page.wait_for_selector("#notice:not([hidden])")
    assert serious_faults(page) == []
    page.set_input_files("#enroll-files", [str(shots / "wall.jpg"), str(shots / "her1.jpg")])
    expect(page.locator("#enroll-photos li.bad")).to_have_count(1)
    assert serious_faults(page) == []
    page.click("#enroll-photos button >> nth=0")
    page.click("#enroll-photos button >> nth=0")
    page.check("#enroll-picture")
    enroll(page, "eileen", portraits(shots))
    page.click("#enroll-result summary")
    assert serious_faults(page) == []
    unlock(page, "eileen", shots / "her4.jpg")
    assert serious_faults(page) == []
    unlock(page, "nobody", shots / "her4.jpg")
    assert serious_faults(page) == []
    open_view(page, "explore")
    page.set_input_files("#explore-files", [str(photo) for photo in portraits(shots)])
    page.wait_for_selector(".map")
    assert serious_faults(page) == []
    open_view(page, "people")
    page.click(".person .danger")
    page.wait_for_selector("dialog[open]")
    assert serious_faults(page) == []
    page.keyboard.press("Escape")
    open_view(page, "log")
    page.wait_for_selector(".lines li")
    assert serious_faults(page) == []
    page.goto(f"{service.address}/#mien_wrong")
    page.wait_for_selector("#view-locked:not([hidden])")
    assert serious_faults(page) == []


def test_the_navigation_does_not_move_between_views(page: Page) -> None:
    places = "[...document.querySelectorAll('nav a')].map((link) => link.getBoundingClientRect().x)"
    seen = set()
    for view in ("unlock", "enroll", "people", "explore", "log"):
        open_view(page, view)
        seen.add(tuple(page.evaluate(places)))
    assert len(seen) == 1


def test_a_busy_button_under_the_pointer_has_the_colours_of_a_busy_one(page: Page) -> None:
    page.evaluate("document.querySelector('#enroll-camera').setAttribute('aria-disabled', 'true')")
    style = "getComputedStyle(document.querySelector('#enroll-camera')).backgroundColor"
    page.mouse.move(0, 0)
    away = page.evaluate(style)
    page.locator("#enroll-camera").hover(force=True)
    assert page.evaluate(style) == away


def test_whoever_asked_for_less_motion_gets_none(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("document.querySelector('#enroll-camera').classList.add('busy')")
    style = "getComputedStyle(document.querySelector('#enroll-camera'), '::after').animationName"
    assert page.evaluate(style) == "none"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(style) == "turn"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_gauge_of_a_decision_is_above_the_fold(page: Page, shots: Path, width: int) -> None:
    enroll(page, "eileen", portraits(shots))
    page.set_viewport_size({"width": width, "height": 664})  # of a phone, below its bars
    unlock(page, "eileen", shots / "her4.jpg")
    box = page.locator("#unlock-gauge").bounding_box()
    nav = page.locator("nav").bounding_box()
    bottom = nav["y"] if width == 390 else 664
    assert 0 <= box["y"] <= box["y"] + box["height"] <= bottom
    assert page.evaluate("scrollY") == 0


def test_every_file_of_the_page_has_a_media_type(page: Page, service: Service) -> None:
    with service.client("") as client:
        icon = client.get("/favicon.svg")
        assert (icon.status_code, icon.headers["content-type"]) == (
            200,
            "image/svg+xml; charset=utf-8",
        )
        assert client.get("/de.json").json()["page"]["Unlock"] == "Entsperren"
