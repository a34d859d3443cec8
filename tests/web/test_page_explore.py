"""Explore in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.web.conftest import Service, start_service
from tests.web.page_actions import Page, expect, open_view, portraits


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all tests here: none of them minds what another one enrolled."""
    with start_service(tmp_path_factory.mktemp("home")) as service:
        yield service


@pytest.fixture
def explored(page: Page, shots: Path) -> Page:
    open_view(page, "explore")
    page.set_input_files("#explore-files", [str(photo) for photo in portraits(shots)])
    page.wait_for_selector(".map")
    return page


def view_of(page: Page) -> list[float]:
    """The visible part of the map: left, top, width, height, of 640 by 480."""
    return [float(number) for number in page.get_attribute(".map", "viewBox").split()]


def test_explore_shows_faces_heat_map_and_map_and_stores_nothing(
    page: Page, shots: Path, service: Service
) -> None:
    open_view(page, "explore")
    photos = [*portraits(shots), shots / "wall.jpg"]
    page.set_input_files("#explore-files", [str(photo) for photo in photos])
    page.wait_for_selector(".map")
    assert "3 faces found." in page.inner_text("#explore-result")
    assert page.locator(".heat td[data-caption]").count() == 9
    page.click("summary")
    assert "wall.jpg: no face found" in page.inner_text("details")
    assert not list((service.home / "data" / "mien").glob("*.jpg"))


@pytest.mark.parametrize("what", ["photos", "a folder"])
def test_dropped_photos_and_folders_are_explored(
    page: Page, shots: Path, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "people" / "her"
    folder.mkdir(parents=True)
    photo = folder / "dropped.jpg"
    photo.write_bytes((shots / "her1.jpg").read_bytes())
    open_view(page, "explore")
    box = page.locator("#drop").bounding_box()
    # as when files are dragged from a file manager
    driver = page.context.new_cdp_session(page)
    files = [str(photo if what == "photos" else folder.parent)]
    for kind in ("dragEnter", "dragOver", "drop"):
        if kind == "drop":
            expect(page.locator("#drop")).to_have_class("drop box over")
        driver.send(
            "Input.dispatchDragEvent",
            {
                "type": kind,
                "x": box["x"] + 20,
                "y": box["y"] + 20,
                "data": {"items": [], "files": files, "dragOperationsMask": 1},
            },
        )
    expect(page.locator("#explore-result")).to_contain_text("1 face found.")
    expect(page.locator("#explore-result .shots p")).to_have_text("dropped.jpg")
    expect(page.locator("#drop")).to_have_class("drop box")


def test_keys_zoom_and_move_the_map(explored: Page) -> None:
    explored.focus(".map")
    for key in ("+", "="):
        width = view_of(explored)[2]
        explored.keyboard.press(key)
        assert view_of(explored)[2] == pytest.approx(width / 1.25)
    left, top, width, _ = view_of(explored)
    explored.keyboard.press("ArrowRight")
    explored.keyboard.press("ArrowDown")
    assert view_of(explored)[0] == pytest.approx(left + width / 8)
    assert view_of(explored)[1] > top
    explored.keyboard.press("-")
    assert view_of(explored)[2] == pytest.approx(width * 1.25)
    explored.keyboard.press("0")
    assert view_of(explored) == [0, 0, 640, 480]


def test_buttons_zoom_the_map_and_the_mouse_drags_it(explored: Page) -> None:
    for _ in range(3):
        explored.click("[aria-label='Zoom in']")
    left, top, width, _ = view_of(explored)
    assert width < 400
    explored.locator(".map").scroll_into_view_if_needed()
    box = explored.locator(".map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    explored.mouse.move(x, y)
    explored.mouse.down()
    explored.mouse.move(x + 50, y + 30)
    explored.mouse.up()
    assert view_of(explored)[0] == pytest.approx(left - 50 * width / box["width"], abs=0.5)
    assert view_of(explored)[1] == pytest.approx(top - 30 * width / box["width"], abs=0.5)
    explored.click("[aria-label='Zoom out']")
    explored.click("text=Show all")
    assert view_of(explored) == [0, 0, 640, 480]


def test_two_fingers_pinch_the_map(explored: Page) -> None:
    explored.locator(".map").scroll_into_view_if_needed()
    box = explored.locator(".map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    driver = explored.context.new_cdp_session(explored)

    def touch(kind: str, apart: int) -> None:
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        driver.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [] if kind == "touchEnd" else points},
        )

    touch("touchStart", 40)
    for apart in (50, 60, 80):
        touch("touchMove", apart)
    touch("touchEnd", 0)
    assert view_of(explored)[2] == pytest.approx(320, rel=0.05)


@pytest.mark.parametrize("way", ["hover", "focus", "tap"])
def test_the_caption_names_the_face_or_pair_pointed_at(explored: Page, way: str) -> None:
    act: dict[str, Callable[[str], None]] = {
        "hover": explored.hover,
        "focus": lambda where: explored.locator(where).focus(),
        "tap": explored.click,
    }
    act[way](".heat tbody tr:nth-child(2) td:nth-child(4)")
    heat, map_ = explored.locator(".caption").first, explored.locator(".caption").last
    expect(heat).to_have_text(re.compile(r"^her2\.jpg and her3\.jpg: 0\.\d+, the same person$"))
    act[way](".map image:nth-of-type(2)")
    expect(map_).to_have_text(re.compile(r"^her2\.jpg; most similar: her"))


def test_arrow_keys_move_between_the_pairs(explored: Page) -> None:
    explored.focus(".heat tbody tr:first-child td:nth-child(2)")
    explored.keyboard.press("ArrowRight")
    explored.keyboard.press("ArrowDown")
    explored.keyboard.press("ArrowDown")
    explored.keyboard.press("ArrowDown")  # there is no further row
    caption = explored.locator(".caption").first
    expect(caption).to_have_text(re.compile(r"^her3\.jpg and her2\.jpg: 0\."))
    assert explored.locator(".heat td[tabindex='0']").count() == 1


def test_a_face_outside_the_view_is_shown_when_it_gets_the_focus(explored: Page) -> None:
    explored.focus(".map")
    for _ in range(12):
        explored.keyboard.press("+")
    left, top, width, height = view_of(explored)
    explored.locator(".map image").first.focus()
    place = explored.locator(".map image").first
    side = float(place.get_attribute("width"))
    x = float(place.get_attribute("x")) + side / 2
    y = float(place.get_attribute("y")) + side / 2
    left, top, width, height = view_of(explored)
    assert left <= x <= left + width
    assert top <= y <= top + height


def test_a_late_response_does_not_replace_a_newer_one(page: Page, shots: Path) -> None:
    open_view(page, "explore")
    held = []
    page.route("**/v1/explore", lambda route: held.append(route), times=1)
    first = portraits(shots)[:1]
    with page.expect_request("**/v1/explore"):
        page.set_input_files("#explore-files", [str(photo) for photo in first])
    page.set_input_files("#explore-files", [str(photo) for photo in portraits(shots)])
    page.wait_for_selector(".map")
    with page.expect_response("**/v1/explore"):
        held[0].continue_()
    expect(page.locator("#explore-result")).to_contain_text("3 faces found.")


def test_large_photos_are_shrunk_and_explored(page: Page, shots: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    with Image.open(shots / "her1.jpg") as opened:
        pixels = np.asarray(opened.resize((3200, 3200)), np.int16)
    noisy = np.clip(pixels + rng.integers(-25, 25, pixels.shape, np.int16), 0, 255)
    large = [tmp_path / f"large{number}.jpg" for number in range(6)]
    for photo in large:
        Image.fromarray(noisy.astype(np.uint8)).save(photo, quality=95)
    assert sum(photo.stat().st_size for photo in large) > 32 * 1024 * 1024
    open_view(page, "explore")
    page.set_input_files("#explore-files", [str(photo) for photo in large])
    page.wait_for_selector(".map")
    assert "6 faces found." in page.inner_text("#explore-result")


def test_photos_that_are_still_too_large_are_refused_with_their_size(
    page: Page, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.tiff"
    torn.write_bytes(bytes(33 * 1024 * 1024))
    open_view(page, "explore")
    page.set_input_files("#explore-files", str(torn))
    expect(page.locator("#explore-result [role=alert]")).to_have_text(
        "The photos have 33.0 MB, and at most 32 MB can be sent at once;"
        " choose fewer or smaller photos."
    )


def test_folders_are_groups_with_their_names(page: Page, shots: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    for folder, numbers in (("zoe", (1, 2)), ("ana", (3, 4))):
        (people / folder).mkdir(parents=True)
        for number in numbers:
            photo = people / folder / f"her{number}.jpg"
            photo.write_bytes((shots / f"her{number}.jpg").read_bytes())
    open_view(page, "explore")
    page.set_input_files("#explore-folder", str(people))
    page.wait_for_selector(".map")
    titles = page.locator("#explore-result h3")
    expect(titles).to_have_text(["ana", "zoe", "Similarity of each pair", "Map"])
    first = page.locator("#explore-result .shots").first
    assert sorted(first.locator("p").all_inner_texts()) == ["her3.jpg", "her4.jpg"]
    page.hover(".heat tbody tr:nth-child(1) td:nth-child(4)")
    expect(page.locator(".caption").first).to_have_text(
        re.compile(r"^ana/her\d\.jpg and zoe/her\d\.jpg: 0\.\d\d\d, the same person$")
    )
    # a thicker line where the next group begins
    assert page.locator(".heat tr.group-start").count() == 1
    assert page.locator(".heat tbody tr:first-child td.group-start").count() == 1
    labels = page.locator(".map text").all_text_contents()
    assert sorted(labels) == ["ana", "ana", "zoe", "zoe"]


def explore_with(page: Page, shots: Path, **changed: Any) -> None:
    """Explore three photos, with these fields of the service's response in place of its own."""
    open_view(page, "explore")
    page.evaluate(
        """(changed) => {
            const send = window.fetch;
            window.fetch = async (path, options) => {
                const response = await send(path, options);
                if (!path.endsWith("/explore")) return response;
                return new Response(JSON.stringify({ ...await response.json(), ...changed }));
            };
        }""",
        changed,
    )
    page.set_input_files("#explore-files", [str(photo) for photo in portraits(shots)])
    page.wait_for_selector(".map")


def test_pairs_from_the_threshold_on_are_framed_and_zero_has_no_sign(
    page: Page, shots: Path
) -> None:
    rows = [[1.0, -0.001, 0.4], [-0.001, 1.0, 0.399], [0.4, 0.399, 1.0]]
    explore_with(page, shots, similarity=rows, threshold=0.4)
    cells = page.locator(".heat tbody td")
    shown = ["1.00", "0.00", "0.40", "0.00", "1.00", "0.40", "0.40", "0.40", "1.00"]
    expect(cells).to_have_text(shown)
    framed = cells.evaluate_all("cells => cells.map((cell) => cell.classList.contains('same'))")
    assert framed == [True, False, True, False, True, False, True, False, True]
    expect(page.locator(".scale")).to_contain_text("from 0.40")
    page.hover(".heat tbody tr:nth-child(2) td:nth-child(4)")
    expect(page.locator(".caption").first).to_have_text(
        "her2.jpg and her3.jpg: 0.399, different people"
    )


def test_faces_do_not_lie_upon_each_other_on_the_map(page: Page, shots: Path) -> None:
    explore_with(page, shots, points=[[0, 0], [0, 0], [1, 1]])
    one, other = (page.locator(".map image").nth(at).bounding_box() for at in (0, 1))
    apart = max(abs(one["x"] - other["x"]), abs(one["y"] - other["y"]))
    assert apart > 0.9 * one["width"]


def test_the_heat_map_scrolls_in_its_box_on_a_phone(explored: Page) -> None:
    explored.set_viewport_size({"width": 360, "height": 740})
    assert explored.evaluate("document.documentElement.scrollWidth") <= 360
    expect(explored.locator(".map text").first).to_have_attribute("font-size", "20")
