"""Unlock and Enroll in a real Chromium whose camera shows photos."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from tests.web.conftest import Service, create_token
from tests.web.page_actions import Page, enroll, expect, focused, open_view, portraits, unlock


def test_enrolling_from_files_and_unlocking_with_the_camera(page: Page, shots: Path) -> None:
    enroll(page, "eileen", portraits(shots))
    assert "From 3 photos" in page.inner_text("#enroll-result")
    assert "Similarity to the others: 0." in page.locator("#enroll-result .shots").text_content()
    assert unlock(page, "eileen") == ("Unlocked", "The same person.")
    assert page.is_visible("#unlock-gauge")
    label = page.get_attribute("#unlock-gauge", "aria-label")
    assert label.startswith("similarity 0.")
    assert "a stranger would score" in page.inner_text("#unlock-scores").lower()
    assert page.is_visible("#unlock-decision.yes .lock")


def test_a_repeated_photo_is_left_out_and_the_others_keep_their_messages(
    page: Page, shots: Path
) -> None:
    one, two, _ = portraits(shots)
    enroll(page, "eileen", [one, one, two])
    assert "From 2 photos" in page.inner_text("#enroll-result")
    page.click("#enroll-result summary")
    first, again, other = page.locator("#enroll-result .shots p").all_inner_texts()
    assert again == "Left out: nearly the same as photo 1, so it adds nothing."
    assert first.startswith("Similarity to the others: 0.")
    assert other == first


def test_no_face_several_faces_and_no_picture_are_locked_with_the_reason(
    page: Page, shots: Path
) -> None:
    enroll(page, "eileen", portraits(shots))
    word, reason = unlock(page, "eileen", shots / "wall.jpg")
    assert word == "Locked"
    assert "no face found" in reason.lower()
    assert not page.is_visible("#unlock-gauge")
    assert "2 faces" in unlock(page, "eileen", shots / "crowd.jpg")[1]
    torn = shots / "torn.jpg"
    torn.write_bytes((shots / "her1.jpg").read_bytes()[:500])
    assert unlock(page, "eileen", torn)[0] == "Locked"


def test_five_failures_block_an_enrolled_and_an_unknown_name_alike(
    page: Page, service: Service, shots: Path, shared_photos: Path
) -> None:
    """With scope unlock; whoever may list the names is told."""
    enroll(page, "eileen", portraits(shots))
    assert unlock(page, "nobody", shots / "her4.jpg") == (
        "Locked",
        "nobody is not enrolled.",
    )
    page.goto(f"{service.address}/#{create_token(service, 'unlock')}")
    expect(page.locator("nav a:visible")).to_have_count(1)
    stranger = shared_photos / "faces_test" / "me_test.jpg"
    for name in ("eileen", "nobody"):
        for _ in range(5):
            assert unlock(page, name, stranger) == ("Locked", "Not similar enough.")
        # not even the owner is accepted now
        assert unlock(page, name, shots / "her4.jpg") == ("Locked", "Too many failed attempts.")
        expect(page.locator("#unlock-again")).to_have_attribute("aria-disabled", "true")
        expect(page.locator("#unlock-again")).to_have_text(re.compile(r"Try again in \d+ second"))


def test_a_stranger_is_refused(page: Page, shots: Path, shared_photos: Path) -> None:
    enroll(page, "me", sorted((shared_photos / "faces" / "me").iterdir()))
    assert unlock(page, "me", shared_photos / "faces_test" / "me_test.jpg")[0] == "Unlocked"
    assert unlock(page, "me") == ("Locked", "Not similar enough.")  # the camera shows somebody else


@pytest.mark.parametrize("leaving", ["another name", "another view"])
def test_a_decision_disappears_with_another_name_or_view(
    page: Page, shots: Path, leaving: str
) -> None:
    enroll(page, "eileen", portraits(shots))
    assert unlock(page, "eileen", shots / "her4.jpg") == ("Unlocked", "The same person.")
    if leaving == "another name":
        page.fill("#unlock-user", "eileena")
    else:
        open_view(page, "people")
        open_view(page, "unlock")
    assert not page.is_visible("#unlock-decision")


def test_enter_in_the_name_field_starts_the_camera_which_unlocks_by_itself(
    page: Page, shots: Path
) -> None:
    enroll(page, "eileen", portraits(shots))
    open_view(page, "unlock")
    expect(page.locator("#unlock-user")).to_have_value("eileen")  # the only person
    page.fill("#unlock-user", "")
    page.press("#unlock-user", "Enter")
    expect(page.locator("#notice")).to_have_text("Type a name first.")
    page.evaluate(
        """() => {
            const send = window.fetch;
            window.fetch = (path, options) => {
                if (path.endsWith("/frames")) window.sent = options.body.getAll("photos").length;
                return send(path, options);
            };
        }"""
    )
    page.fill("#unlock-user", "eileen")
    assert not page.is_visible("#notice")  # what was wrong is being put right
    page.press("#unlock-user", "Enter")
    expect(page.locator("#unlock-result")).to_have_text("Unlocked")
    assert page.evaluate("window.sent") == 5


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Type the person's name."),
        ("a/b", "A name cannot contain a slash"),
        ("..", '".." is the name of a folder'),
        ("-x", "A name cannot start with a dash"),
        ("a\u200bb", "an invisible character"),
    ],
)
def test_an_invalid_name_is_refused_before_anything_is_sent(
    page: Page, name: str, words: str
) -> None:
    open_view(page, "enroll")
    page.fill("#enroll-user", name)
    page.press("#enroll-user", "Enter")
    expect(page.locator("#notice")).to_contain_text(words)
    assert focused(page) == "enroll-user"


def test_each_photo_shows_its_similarity_to_the_others_as_text_and_bar(
    page: Page, shots: Path
) -> None:
    enroll(page, "eileen", portraits(shots))
    page.click("#enroll-result summary")
    for number in range(3):
        card = page.locator("#enroll-result .shots li").nth(number)
        words = card.locator("p").inner_text()
        found = re.fullmatch(r"Similarity to the others: (0\.\d\d)\.", words)
        assert found
        drawn = card.locator(".meter .fill").evaluate("bar => parseFloat(bar.style.width)")
        assert abs(drawn - 100 * float(found[1])) <= 1


def test_a_photo_of_somebody_else_is_marked(page: Page, shots: Path, shared_photos: Path) -> None:
    open_view(page, "enroll")
    page.fill("#enroll-user", "eileen")
    odd = shared_photos / "faces_test" / "me_test.jpg"
    page.set_input_files("#enroll-files", [str(photo) for photo in [*portraits(shots), odd]])
    expect(page.locator("#enroll-photos li")).to_have_count(4)
    expect(page.locator("#enroll-photos")).not_to_contain_text("Checking")
    page.click("#enroll-send")
    expect(page.locator("#notice")).to_contain_text("do not show one person: photo 4")
    expect(page.locator("#enroll-photos li.bad")).to_have_count(1)
    page.click("[aria-label='Remove photo 4']")
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label == "Remove photo 3"  # the one before it
    page.click("#enroll-send")
    expect(page.locator("#enroll-result")).to_contain_text("From 3 photos")


def test_a_large_photo_is_shrunk_and_stays_upright(page: Page, shots: Path, tmp_path: Path) -> None:
    lying = tmp_path / "lying.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # as a phone held upright stores it: to be turned clockwise
    with Image.open(shots / "her1.jpg") as opened:
        large = opened.resize((3000, 3000)).rotate(90)
        large.save(lying, quality=100, subsampling=0, exif=exif)
    assert lying.stat().st_size > 1024 * 1024
    open_view(page, "enroll")
    with page.expect_response("**/v1/look") as answer:
        page.set_input_files("#enroll-files", str(lying))
    expect(page.locator("#enroll-photos li p")).to_have_text("Good.")
    seen = answer.value.json()
    assert (seen["width"], seen["height"]) == (1600, 1600)
    left, top, right, bottom = seen["face"][
        "box_xyxy"
    ]  # near its place in her1.jpg, which has 512 px
    assert abs((left + right) / 2 - 229 / 512 * 1600) < 50
    assert abs((top + bottom) / 2 - 113 / 512 * 1600) < 50
