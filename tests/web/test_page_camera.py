"""The page's camera: it stops, and each failure has its own message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import PLAIN_NAME, Service, start_service
from tests.web.page_actions import Page, expect, focused, open_page, open_view

SAID = "#view-unlock .guidance"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests here: none of them minds what another one enrolled."""
    with start_service(tmp_path_factory.mktemp("home")) as service:
        yield service


def start(page: Page) -> None:
    """Start the camera for a name that is not enrolled."""
    open_view(page, "unlock")
    page.fill("#unlock-user", "nobody")
    page.click("#unlock-camera")


def test_the_camera_stops_when_the_view_is_left(page: Page) -> None:
    start(page)
    page.wait_for_selector("[data-camera=unlock][data-state=on]")
    open_view(page, "people")
    assert page.evaluate("document.querySelector('#view-unlock video').srcObject") is None


def test_a_camera_that_starts_after_its_view_was_left_is_stopped_at_once(page: Page) -> None:
    page.evaluate(
        """() => {
            const camera = navigator.mediaDevices, start = camera.getUserMedia.bind(camera);
            const let_ = new Promise((go) => { window.letItStart = go; });
            camera.getUserMedia = (wanted) => {
                window.started = let_.then(() => start(wanted));
                return window.started;
            };
        }"""
    )
    start(page)
    expect(page.locator(SAID)).to_have_text("Waiting for the camera…")
    open_view(page, "people")
    states = page.evaluate(
        """async () => {
            window.letItStart();
            const stream = await window.started; // for which the page waited first
            return stream.getTracks().map((track) => track.readyState);
        }"""
    )
    assert states == ["ended"]
    open_view(page, "unlock")
    expect(page.locator(SAID)).to_have_text("The camera is off.")


def test_the_button_keeps_the_focus_and_the_camera_can_be_stopped(page: Page) -> None:
    open_view(page, "enroll")  # where nothing is decided by itself
    page.focus("#enroll-camera")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-camera=enroll][data-state=on]")
    assert focused(page) == "enroll-camera"
    page.click("#view-enroll .stop")
    expect(page.locator("#view-enroll .guidance")).to_have_text("The camera is off.")
    assert page.evaluate("document.querySelector('#view-enroll video').srcObject") is None


def test_another_camera_can_be_chosen(
    chromium: Callable[..., Any], service: Service, shots: Path
) -> None:
    two = "--use-fake-device-for-media-stream=device-count=2"
    page = open_page(
        chromium("--use-fake-ui-for-media-stream", two), f"{service.address}/#{service.token}"
    )
    open_view(page, "enroll")
    page.click("#enroll-camera")
    choice = page.locator("#view-enroll .camera-bar select")
    expect(choice.locator("option")).to_have_count(2)
    stage = page.locator("[data-camera=enroll]")
    before, other = choice.evaluate(
        "select => [select.selectedIndex, 1 - select.selectedIndex].map((at) => select[at].text)"
    )
    expect(stage).to_have_attribute("data-device", before)
    choice.select_option(label=other)
    expect(stage).to_have_attribute("data-device", other)
    page.close()


def test_a_forbidden_camera_and_a_missing_camera_have_their_own_messages(
    chromium: Callable[..., Any], service: Service
) -> None:
    for arguments, words in (
        (["--use-fake-device-for-media-stream"], "The browser does not let this page use"),
        ([], "No camera was found."),
    ):
        page = open_page(chromium(*arguments), f"{service.address}/#{service.token}")
        page.wait_for_selector("nav:not([hidden])")
        start(page)
        expect(page.locator(SAID)).to_contain_text(words)
        assert page.is_visible("#unlock-camera")


def test_at_an_insecure_address_the_message_says_what_to_open(browser: Any, tmp_path: Path) -> None:
    with start_service(tmp_path, "--name", PLAIN_NAME) as service:
        page = open_page(
            browser, f"{service.address.replace('127.0.0.1', PLAIN_NAME)}/#{service.token}"
        )
        page.wait_for_selector("nav:not([hidden])")
        start(page)
        expect(page.locator(SAID)).to_contain_text(
            "plain HTTP, and browsers allow no camera there. Open"
        )
        page.close()


def test_when_the_service_stops_the_drawn_face_disappears(page: Page, service: Service) -> None:
    open_view(page, "enroll")
    page.click("#enroll-camera")
    expect(page.locator("#view-enroll canvas")).to_have_attribute("data-face", "good")
    service.stop()
    expect(page.locator("#view-enroll .guidance")).to_have_text(
        "The service does not respond; check that mien serve is still running."
    )
    assert page.get_attribute("#view-enroll canvas", "data-face") is None
    drawn = """canvas => canvas.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0)"""
    assert page.locator("#view-enroll canvas").evaluate(drawn) is False
    open_view(page, "people")
    expect(page.locator("#people-list [role=alert]")).to_contain_text("service does not respond")
    assert page.is_visible("#people-list >> text=Try again")
