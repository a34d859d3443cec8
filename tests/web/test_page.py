"""The page in a real Chromium, with a camera that shows a film made of photos."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import CHROMIUM, Service, y4m_of

playwright = pytest.importorskip(
    "playwright.sync_api", reason="drives the browser: pip install 'mien[test]'"
)
pytestmark = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason=f"needs a real browser at {CHROMIUM}: apt install chromium"
)

Page = Any


def expect(locator: Any) -> Any:
    """Looks again until it holds."""
    return playwright.expect(locator)


@pytest.fixture(scope="module")
def browser(shots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Its camera shows her."""
    film = y4m_of([shots / "her4.jpg"], tmp_path_factory.mktemp("film") / "her.y4m")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",  # the tests run as root, in a container
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={film}",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, service: Service) -> Iterator[Page]:
    """The page as it is opened from the printed address. A fault in a script fails the test."""
    context = browser.new_context(permissions=["camera"], viewport={"width": 900, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None,
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{service.address}/#{service.token}")
    page.wait_for_selector("#view-unlock:not([hidden])")
    yield page
    context.close()
    assert faults == []
    elsewhere = [url for url in asked if not url.startswith((service.address, "data:", "blob:"))]
    assert elsewhere == []  # it works offline


def go(page: Page, view: str) -> None:
    page.click(f"nav a[data-view={view}]")
    page.wait_for_selector(f"#view-{view}:not([hidden])")


def enrol(page: Page, name: str, photos: list[Path]) -> None:
    go(page, "enrol")
    page.fill("#enrol-user", name)
    page.set_input_files("#enrol-files", [str(photo) for photo in photos])
    expect(page.locator("#enrol-kept li")).to_have_count(len(photos))
    expect(page.locator("#enrol-kept")).not_to_contain_text("Looking")
    page.click("#enrol-send")
    expect(page.locator("#enrol-answer")).to_contain_text(f"{name} is enrolled")


def knock(page: Page, name: str, photo: Path | None = None) -> tuple[str, str]:
    """Try the door, with a photo or with the camera. Returns the word and the reason."""
    go(page, "unlock")
    page.evaluate("document.getElementById('unlock-answer').hidden = true")
    page.fill("#unlock-user", name)
    if photo is None:
        page.click("#view-unlock .start")
        page.wait_for_selector("#unlock-shoot:not([disabled])")
        over = page.locator("#view-unlock canvas")
        expect(over).to_have_attribute("data-face", re.compile("good|poor"))
        page.click("#unlock-shoot")
    else:
        page.set_input_files("#unlock-file", str(photo))
    page.wait_for_selector("#unlock-answer:not([hidden])")
    return page.inner_text("#unlock-word"), page.inner_text("#unlock-reason")


def her(shots: Path) -> list[Path]:
    return [shots / f"her{number}.jpg" for number in (1, 2, 3)]


def test_without_its_token_the_page_shows_nothing(browser: Any, service: Service) -> None:
    page = browser.new_page()
    page.goto(service.address)
    page.wait_for_selector("#view-locked:not([hidden])")
    page.fill("#token", "mien_wrong")
    page.click("#token-form button")
    page.wait_for_selector("#view-locked:not([hidden])")
    page.fill("#token", service.token)
    page.click("#token-form button")
    page.wait_for_selector("#view-unlock:not([hidden])")
    page.close()


def test_the_token_does_not_stay_in_the_address(page: Page, service: Service) -> None:
    assert service.token not in page.url


def test_an_empty_vault_says_what_to_do(page: Page) -> None:
    go(page, "people")
    page.wait_for_selector("text=Nobody is enrolled yet.")
    go(page, "log")
    page.wait_for_selector("text=Nothing happened yet.")


def test_she_is_enrolled_from_files_and_the_camera_opens_her_door(page: Page, shots: Path) -> None:
    enrol(page, "eileen", her(shots))
    said = page.inner_text("#enrol-answer")
    assert "eileen is enrolled from 3 photos" in said
    assert "Agrees with the others at 0." in page.inner_text("#enrol-kept")
    assert knock(page, "eileen") == ("Unlocked", "The same person.")
    assert page.is_visible("#unlock-gauge")
    label = page.get_attribute("#unlock-gauge", "aria-label")
    assert label.startswith("similarity 0.8")
    assert "a stranger would score" in page.inner_text("#unlock-numbers").lower()
    assert page.is_visible("#unlock-answer.yes .lock")


def test_a_photo_given_twice_is_left_out_and_the_others_keep_their_words(
    page: Page, shots: Path
) -> None:
    one, two, _ = her(shots)
    enrol(page, "eileen", [one, one, two])
    assert "eileen is enrolled from 2 photos" in page.inner_text("#enrol-answer")
    first, again, other = page.locator("#enrol-kept li p").all_inner_texts()
    assert again == "Left out: nearly the same as photo 1."
    assert first.startswith("Agrees with the others at 0.")
    assert other == first


def test_the_camera_enrols_with_guidance_drawn_over_the_picture(page: Page) -> None:
    go(page, "enrol")
    page.fill("#enrol-user", "eileen")
    page.click("#view-enrol .start")
    page.wait_for_selector("#enrol-shoot:not([disabled])")
    expect(page.locator("#view-enrol .say")).to_have_text(re.compile("Good|move closer|too "))
    expect(page.locator("#view-enrol canvas")).to_have_attribute(
        "data-face", re.compile("good|poor")
    )
    page.click("#enrol-shoot")
    page.wait_for_selector("#enrol-kept li")
    page.click("#enrol-send")
    page.wait_for_selector("text=eileen is enrolled from 1 photo")


def test_the_camera_stops_when_the_view_is_left(page: Page) -> None:
    page.click("#view-unlock .start")
    page.wait_for_selector("#unlock-shoot:not([disabled])")
    go(page, "people")
    assert page.evaluate("document.querySelector('#view-unlock video').srcObject") is None


def test_no_face_several_and_no_picture_stay_locked_and_say_why(page: Page, shots: Path) -> None:
    enrol(page, "eileen", her(shots))
    word, reason = knock(page, "eileen", shots / "wall.jpg")
    assert word == "Locked"
    assert "no face found" in reason.lower()
    assert not page.is_visible("#unlock-gauge")
    assert "2 faces" in knock(page, "eileen", shots / "crowd.jpg")[1]
    torn = shots / "torn.jpg"
    torn.write_bytes((shots / "her1.jpg").read_bytes()[:500])
    assert knock(page, "eileen", torn)[0] == "Locked"


def test_a_name_that_nobody_has_reads_like_a_stranger_until_the_door_shuts(
    page: Page, shots: Path
) -> None:
    for _ in range(5):
        assert knock(page, "nobody", shots / "her4.jpg") == ("Locked", "Not similar enough.")
    word, reason = knock(page, "nobody", shots / "her4.jpg")
    assert word == "Locked"
    assert reason.startswith("Too many failed attempts; try again in ")


def test_a_real_stranger_is_refused(page: Page, shots: Path, shared_photos: Path) -> None:
    enrol(page, "me", sorted((shared_photos / "faces" / "me").iterdir()))
    assert knock(page, "me", shared_photos / "faces_test" / "me_test.jpg")[0] == "Unlocked"
    assert knock(page, "me") == ("Locked", "Not similar enough.")  # the camera shows her


def test_a_taken_name_is_refused_in_words(page: Page, shots: Path) -> None:
    enrol(page, "eileen", her(shots)[:2])
    go(page, "enrol")
    page.set_input_files("#enrol-files", str(shots / "her3.jpg"))
    page.wait_for_selector("#enrol-send:not([disabled])")
    page.click("#enrol-send")
    page.wait_for_selector("#notice:not([hidden])")
    assert "is enrolled already" in page.inner_text("#notice")


def test_people_are_shown_with_their_strength_and_forgotten_after_asking_twice(
    page: Page, shots: Path
) -> None:
    enrol(page, "eileen", her(shots))
    enrol(page, "twin", [shots / "her4.jpg"])
    go(page, "people")
    page.wait_for_selector(".person")
    said = page.inner_text("#people-list")
    assert "3 photos, they agree at 0." in said
    assert "Looks like twin" in said
    assert "One photo only" in said
    page.click("text=Forget twin")
    assert page.locator(".person").count() == 2
    page.click("text=Really forget twin?")
    expect(page.locator(".person")).to_have_count(1)
    go(page, "log")
    page.wait_for_selector("text=twin was forgotten")
    assert "checks out" in page.inner_text("#log-list")


def test_explore_shows_faces_heat_map_and_map_and_keeps_nothing(
    page: Page, shots: Path, service: Service
) -> None:
    go(page, "explore")
    photos = [*her(shots), shots / "wall.jpg"]
    page.set_input_files("#explore-files", [str(photo) for photo in photos])
    page.wait_for_selector(".map")
    assert "3 faces found." in page.inner_text("#explore-answer")
    assert page.locator(".heat td[title]").count() == 9
    assert page.get_attribute(".heat tbody tr:first-child td:nth-child(2)", "title") == (
        "her1.jpg and her1.jpg: 1.000"
    )
    assert page.locator(".map image title").first.text_content() == "her1.jpg"
    before = page.get_attribute(".map", "viewBox")
    page.focus(".map")
    page.keyboard.press("+")
    assert page.get_attribute(".map", "viewBox") != before
    page.click("summary")
    assert "wall.jpg: no face found" in page.inner_text("details")
    assert not list((service.home / "data" / "mien").glob("*.jpg"))


def test_all_of_it_can_be_done_with_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = []
    for _ in range(5):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.dataset.view"))
    assert seen == ["unlock", "enrol", "people", "explore", "log"]
    page.keyboard.press("Enter")
    page.wait_for_selector("#view-log:not([hidden])")


def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for view in ("unlock", "enrol", "people", "explore", "log"):
        go(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page: Page, shots: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install it")
    page.emulate_media(color_scheme=scheme)
    enrol(page, "eileen", her(shots))
    knock(page, "eileen", shots / "her4.jpg")
    go(page, "explore")
    page.set_input_files("#explore-files", [str(photo) for photo in her(shots)])
    page.wait_for_selector(".map")
    for view in ("unlock", "enrol", "people", "explore", "log"):
        go(page, view)
        found = axe.Axe().run(page).response["violations"]
        serious = [
            (view, one["id"], [node["target"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
