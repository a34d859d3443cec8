"""Enroll in a real Chromium: first use, the guide, questions, drafts and drop zones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import ALLOWED, CAMERA, Service, start_service, write_y4m
from tests.web.page_actions import WAIT_S, Page, enroll, expect, focused, open_view, portraits


def test_the_first_use_is_a_welcome_to_enroll(page: Page, service: Service, shots: Path) -> None:
    expect(page.locator("#welcome h2")).to_have_text("Welcome to mien")
    assert page.title() == "Enroll - mien"
    enroll(page, "eileen", portraits(shots))
    assert not page.is_visible("#welcome")
    page.click("text=Try it now")
    expect(page.locator("#unlock-result")).to_have_text("Unlocked")  # by itself
    page.goto("about:blank")
    page.goto(f"{service.address}/#{service.token}")
    page.wait_for_selector("#view-unlock:not([hidden])")
    open_view(page, "enroll")
    assert not page.is_visible("#welcome")


def test_the_guide_takes_five_photos_by_itself(
    chromium: Callable[..., Any], service: Service, shots: Path, tmp_path: Path
) -> None:
    film = write_y4m([shots / f"her{number}.jpg" for number in (1, 2, 3, 4)], tmp_path / "her.y4m")
    browser = chromium(ALLOWED, CAMERA, f"--use-file-for-fake-video-capture={film}")
    page = browser.new_page()
    page.set_default_timeout(WAIT_S * 1000)
    page.goto(f"{service.address}/#{service.token}")
    page.wait_for_selector("#view-enroll:not([hidden])")
    page.fill("#enroll-user", "eileen")
    page.evaluate(
        """() => {
            window.told = new Set();
            const said = document.querySelector("#view-enroll .guidance");
            new MutationObserver(() => window.told.add(said.textContent))
                .observe(said, { childList: true });
        }"""
    )
    page.click("#enroll-camera")
    expect(page.locator("#enroll-photos li")).to_have_count(5)
    expect(page.locator("#view-enroll .guidance")).to_have_text("All photos are taken.")
    assert page.evaluate("document.querySelector('#view-enroll video').srcObject") is None
    assert {"Turn your head a little to your left.", "Come a little closer."} <= set(
        page.evaluate("[...window.told]")
    )
    assert page.locator(".ring .done").count() == 0
    assert focused(page) == "enroll-send"
    page.keyboard.press("Enter")
    expect(page.locator("#enroll-result .result")).to_have_text("eileen is enrolled")
    browser.close()


def test_one_primary_button_is_shown_at_a_time(page: Page, shots: Path) -> None:
    primary = page.locator("button.primary:visible")
    expect(primary).to_have_text(["Start the camera"])
    page.set_input_files("#enroll-files", str(shots / "her1.jpg"))
    expect(primary).to_have_text(["Enroll 1 photo"])
    page.fill("#enroll-user", "eileen")
    page.click("#enroll-send")
    expect(primary).to_have_text(["Try it now"])
    open_view(page, "unlock")
    expect(primary).to_have_text(["Unlock with the camera"])
    open_view(page, "explore")
    expect(primary).to_have_text(["Choose a folder"])


def test_advice_is_not_red_and_an_error_is(page: Page, shots: Path) -> None:
    page.set_input_files("#enroll-files", str(shots / "wall.jpg"))
    told = page.locator("#enroll-photos li.bad p")
    expect(told).to_contain_text("No face found")
    colour = "element => getComputedStyle(element).color"
    token = "name => getComputedStyle(document.documentElement).getPropertyValue(name)"

    def rgb(name: str) -> str:
        text = page.evaluate(token, name).strip().removeprefix("#")
        red, green, blue = (int(text[at : at + 2], 16) for at in (0, 2, 4))
        return f"rgb({red}, {green}, {blue})"

    assert told.evaluate(colour) == rgb("--advice")
    page.fill("#enroll-user", "eileen")
    page.click("#enroll-send")
    expect(page.locator("#notice")).to_be_visible()
    assert page.locator("#notice").evaluate(colour) == rgb("--no")


def test_a_name_that_is_taken_is_asked_about_when_it_happens(page: Page, shots: Path) -> None:
    enroll(page, "eileen", portraits(shots)[:2])
    page.click("text=Enroll somebody else")
    page.fill("#enroll-user", "eileen")
    page.set_input_files("#enroll-files", str(shots / "her3.jpg"))
    page.wait_for_selector("#enroll-photos li")
    page.click("#enroll-send")
    expect(page.locator("dialog h2")).to_have_text("eileen is enrolled already")
    page.click("dialog >> text=Choose another name")
    expect(page.locator("#enroll-user")).to_be_focused()
    page.click("#enroll-send")
    page.click("dialog >> text=Add them to eileen")
    expect(page.locator("#enroll-result")).to_contain_text("From 3 photos")


def test_another_face_in_place_of_somebody_is_asked_about_again(
    page: Page, shots: Path, shared_photos: Path
) -> None:
    enroll(page, "eileen", portraits(shots)[:2])
    page.click("text=Enroll somebody else")
    page.fill("#enroll-user", "eileen")
    page.set_input_files("#enroll-files", str(shared_photos / "faces_test" / "me_test.jpg"))
    page.wait_for_selector("#enroll-photos li")
    page.click("#enroll-send")
    page.click("dialog >> text=Replace the earlier photos")
    expect(page.locator("dialog h2")).to_have_text("These photos show another face")
    page.click("dialog >> text=Let the new face be eileen")
    expect(page.locator("#enroll-result")).to_contain_text("From 1 photo")


def test_photos_survive_a_reload_and_leave_nothing_once_they_are_enrolled(
    page: Page, service: Service, shots: Path
) -> None:
    stored = """async () => {
        const open = await new Promise((done) => {
            const asked = indexedDB.open("mien");
            asked.onsuccess = () => done(asked.result);
        });
        const all = open.objectStoreNames.length ? await new Promise((done) => {
            const asked = open.transaction("drafts").objectStore("drafts").getAll();
            asked.onsuccess = () => done(asked.result);
        }) : [];
        open.close();
        const text = all.map((one) => new TextDecoder("latin1").decode(one.sealed)).join("");
        return [all.length, text.includes("eileen"), sessionStorage.length];
    }"""
    page.fill("#enroll-user", "eileen")
    page.set_input_files("#enroll-files", [str(photo) for photo in portraits(shots)])
    expect(page.locator("#enroll-photos p")).to_have_text(["Good."] * 3)
    expect(page.locator("#enroll-send")).to_have_text("Enroll 3 photos")
    assert page.evaluate(stored) == [1, False, 1]  # sealed
    page.reload()
    page.wait_for_selector("#view-locked:not([hidden])")
    page.goto(f"{service.address}/#{service.token}")
    open_view(page, "enroll")
    expect(page.locator("#enroll-user")).to_have_value("eileen")
    expect(page.locator("#enroll-photos p")).to_have_text(["Good."] * 3)
    page.click("#enroll-send")
    expect(page.locator("#enroll-result .result")).to_have_text("eileen is enrolled")
    expect(page.locator("#enroll-send")).to_be_hidden()
    assert page.evaluate(stored) == [0, False, 0]


def test_photos_are_dropped_on_the_picture(page: Page, shots: Path) -> None:
    box = page.locator("#enroll-drop").bounding_box()
    driver = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        driver.send(
            "Input.dispatchDragEvent",
            {
                "type": kind,
                "x": box["x"] + 20,
                "y": box["y"] + 20,
                "data": {
                    "items": [],
                    "files": [str(shots / "her1.jpg")],
                    "dragOperationsMask": 1,
                },
            },
        )
    expect(page.locator("#enroll-photos p")).to_have_text("Good.")


@pytest.fixture
def two_faces(chromium: Callable[..., Any], shots: Path, tmp_path: Path) -> Iterator[Any]:
    film = write_y4m([shots / "crowd.jpg"], tmp_path / "crowd.y4m")
    browser = chromium(ALLOWED, CAMERA, f"--use-file-for-fake-video-capture={film}")
    yield browser
    browser.close()


def test_two_faces_get_a_box_each(two_faces: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with start_service(home) as service:
        page = two_faces.new_page()
        page.set_default_timeout(WAIT_S * 1000)
        page.goto(f"{service.address}/#{service.token}")
        page.wait_for_selector("#view-enroll:not([hidden])")
        page.click("#enroll-camera")
        expect(page.locator("#view-enroll canvas")).to_have_attribute("data-boxes", "2")
        expect(page.locator("#view-enroll .guidance")).to_contain_text("only one person at a time")
        assert page.locator("#enroll-photos li").count() == 0
