"""People and Log in a real Chromium."""

from __future__ import annotations

import re
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
    assert "3 photos · " in said
    assert "Looks like twin" in said
    assert "One photo only" in said
    assert page.locator(".person .tag").all_inner_texts() == ["Poor", "Poor"]  # they look alike
    page.click("[aria-label='Forget twin']")
    expect(page.locator("dialog h2")).to_have_text("Forget twin?")
    assert page.locator(".person").count() == 2
    page.click("dialog >> text=Forget twin >> nth=-1")
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
    assert focused(page) == "Add photos"
    shown = page.evaluate(
        "document.activeElement.closest('.person').querySelector('h3').textContent"
    )
    assert shown == "user 100"
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


@pytest.mark.parametrize("turning_away", ["Escape", "Keep"])
def test_whoever_turns_away_from_the_question_forgets_nobody(twin: Page, turning_away: str) -> None:
    twin.click(".person .danger")
    expect(twin.locator("dialog")).to_be_visible()
    assert focused(twin) == "Keep"  # Enter deletes nothing
    if turning_away == "Escape":
        twin.keyboard.press("Escape")
    else:
        twin.click("dialog >> text=Keep")
    expect(twin.locator("dialog")).to_have_count(0)
    assert focused(twin) == "Forget"
    assert twin.locator(".person").count() == 1


def test_an_error_is_shown_where_it_happened_and_again_in_the_next_view(
    twin: Page, service: Service
) -> None:
    url = f"{service.address}/v1/people/{LONG}"
    httpx.delete(url, headers=service.headers, timeout=HANG_TIMEOUT_S).raise_for_status()
    twin.click(".person .danger")
    twin.click("dialog .danger")
    expect(twin.locator(".person #notice")).to_contain_text("is not enrolled")
    open_view(twin, "unlock")
    assert not twin.locator("#notice").is_visible()
    twin.fill("#unlock-user", "")
    twin.click("#unlock-camera")
    expect(twin.locator("#view-unlock #notice")).to_contain_text("Type a name first")
    twin.fill("#unlock-user", "a")
    assert not twin.locator("#notice").is_visible()


def test_after_forgetting_the_list_has_the_focus_and_it_is_announced(twin: Page) -> None:
    twin.focus(".person .danger")
    twin.keyboard.press("Enter")
    twin.keyboard.press("Shift+Tab")
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
            twin.click(f"[aria-label='Forget {LONG}']")
            assert twin.locator("dialog").bounding_box()["width"] <= 390
            twin.keyboard.press("Escape")
        assert twin.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_person_is_renamed_and_a_name_that_is_taken_is_refused(page: Page, shots: Path) -> None:
    enroll(page, "eileen", portraits(shots))
    enroll(page, "zoe", portraits(shots)[:1])
    open_view(page, "people")
    page.click(".person >> nth=1 >> text=Rename")
    page.fill("#new-name", "eileen")
    page.press("#new-name", "Enter")
    expect(page.locator(".person #notice")).to_have_text(
        "Eileen is enrolled already; choose another name."
    )
    page.click(".person >> nth=1 >> text=Rename")
    page.fill("#new-name", "ana")
    page.click("dialog .primary")
    expect(page.locator("#announcement")).to_have_text("zoe is now ana.")
    expect(page.locator(".person h3").first).to_have_text("ana")
    open_view(page, "log")
    expect(page.locator("#log-list")).to_contain_text("zoe was renamed to ana")


def test_a_picture_is_kept_only_on_request_and_can_be_removed(page: Page, shots: Path) -> None:
    enroll(page, "ana", portraits(shots)[:1])
    page.click("text=Enroll somebody else")
    page.check("#enroll-picture")
    enroll(page, "eileen", portraits(shots))
    open_view(page, "people")
    expect(page.locator(".person span.face")).to_have_text("a")  # a letter in place of a picture
    assert page.locator(".person img.face").count() == 1
    open_view(page, "unlock")
    page.click(".pick[data-user=eileen]")
    expect(page.locator("#unlock-user")).to_have_value("eileen")
    expect(page.locator(".pick[data-user=eileen]")).to_have_attribute("aria-pressed", "true")
    assert page.locator(".pick img").count() == 1
    open_view(page, "people")
    page.click("text=Remove picture")
    expect(page.locator("#announcement")).to_have_text("The picture of eileen is removed.")
    expect(page.locator(".person img.face")).to_have_count(0)


def test_past_unlocks_are_a_line_over_the_threshold(
    page: Page, service: Service, shots: Path
) -> None:
    enroll(page, "eileen", portraits(shots))
    open_view(page, "people")
    expect(page.locator(".person")).to_contain_text("Not unlocked yet.")
    for number in (1, 2, 4):
        sent = {"photo": (shots / f"her{number}.jpg").read_bytes()}
        httpx.post(
            f"{service.address}/v1/unlock",
            data={"user": "eileen"},
            files=sent,
            headers=service.headers,
            timeout=HANG_TIMEOUT_S,
        ).raise_for_status()
    open_view(page, "log")
    open_view(page, "people")
    spark = page.locator(".spark")
    expect(spark).to_have_attribute(
        "aria-label",
        re.compile(
            r"^Similarities of the last 3 unlocks: 0\.\d\d to 0\.\d\d; the threshold is 0\."
        ),
    )
    assert spark.locator("path").get_attribute("d").count("L") == 2
    expect(page.locator(".person")).to_contain_text("Last unlocked")


@pytest.mark.parametrize(("button", "mode"), [("Add photos", "5"), ("Replace", "2")])
def test_photos_are_added_to_a_person_or_replaced(
    page: Page, shots: Path, button: str, mode: str
) -> None:
    enroll(page, "eileen", portraits(shots))
    open_view(page, "people")
    page.click(f".person button:text-is('{button}')")
    page.wait_for_selector("#view-enroll:not([hidden])")
    expect(page.locator("#enroll-user")).to_have_value("eileen")
    page.set_input_files("#enroll-files", [str(shots / f"her{number}.jpg") for number in (4, 1)])
    expect(page.locator("#enroll-photos li")).to_have_count(2)
    page.click("#enroll-send")
    # her1 is in the template already, so that adding it again adds nothing
    count = {"5": "From 4 photos", "2": "From 2 photos"}[mode]
    expect(page.locator("#enroll-result")).to_contain_text(count)


def test_the_log_has_days_and_filters(page: Page, service: Service, shots: Path) -> None:
    enroll(page, "eileen", portraits(shots))
    url, headers = f"{service.address}/v1/unlock", service.headers
    for user, photo in (("eileen", "her4"), ("eileen", "wall"), ("eileen", "wall")):
        sent = {"photo": (shots / f"{photo}.jpg").read_bytes()}
        httpx.post(url, data={"user": user}, files=sent, headers=headers, timeout=HANG_TIMEOUT_S)
    open_view(page, "log")
    expect(page.locator(".day")).to_have_text(["Today"])
    texts = page.locator(".lines li > span")
    expect(texts).to_have_text(
        [
            "No face was seen for eileen (2 times) page",
            "eileen unlocked pageThat was not me",  # and its button
            "eileen was enrolled page",
        ]
    )
    page.select_option(".filters select", label="Unlocked")
    expect(texts).to_have_text(["eileen unlocked pageThat was not me"])
    page.fill(".filters input", "nobody")
    expect(page.locator("#log-rows")).to_have_text("No entry matches.")


def test_an_altered_log_is_an_alert_and_not_an_empty_list(twin: Page, service: Service) -> None:
    vault = service.home / "data" / "mien" / "vault.sqlite"
    with closing(sqlite3.connect(vault, isolation_level=None)) as db:
        key, value = db.execute("SELECT key, value FROM cell_log").fetchone()
        broken = value[:-1] + bytes([value[-1] ^ 1])
        db.execute("UPDATE cell_log SET value = ? WHERE key = ?", (broken, key))
    open_view(twin, "log")
    alert = twin.locator("#log-list .error[role=alert]")
    expect(alert).to_contain_text("was altered")
