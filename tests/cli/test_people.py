"""`mien rename` and `mien forget`: what they change, and when they ask."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mien = Callable[..., Any]


class Terminal(io.StringIO):
    """A terminal on which this is typed."""

    def isatty(self) -> bool:
        return True


def test_a_renamed_person_unlocks_under_the_new_name_only(
    mien: Mien, album: Path, vault: Path
) -> None:
    ran = mien("rename", "ana", "anna")
    assert (ran.code, ran.out) == (0, "renamed ana to anna\n")
    assert mien("unlock", "anna", album / "probe.png").code == 0
    assert mien("unlock", "ana", album / "probe.png").code == 6
    assert "ana was renamed to anna" in mien("log").out
    assert mien("rename", "anna", "ann", "--json").json == {
        "outcome": "renamed", "exit_code": 0, "user": "ann", "earlier": "anna",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "code", "words"),
    [
        (("nobody", "eve"), 6, "'nobody' is not enrolled"),
        (("ana", "ben"), 2, "'ben' is enrolled already; choose another name"),
        (("ana", "a/b"), 2, "has a slash"),
        (("ana", "an\u3164a"), 2, "cannot be seen"),
    ],
)
def test_a_rename_that_cannot_be_is_refused_and_changes_nothing(
    mien: Mien, vault: Path, names: tuple[str, str], code: int, words: str
) -> None:
    before = mien("list").out
    ran = mien("rename", *names)
    assert (ran.code, words in ran.err) == (code, True)
    assert mien("list").out == before


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("yes\n", 0), ("n\n", 2), ("\n", 2)])
def test_forget_asks_at_a_terminal(
    mien: Mien, vault: Path, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    ran = mien("forget", "ana")
    assert ran.code == code
    assert "Forget ana? The template cannot be restored. [y/N]" in ran.err
    assert ("ana" in mien("list").out) == (code != 0)


def test_forget_does_not_ask_with_yes_or_about_nobody(
    mien: Mien, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert mien("forget", "nobody").code == 6
    assert mien("forget", "ana", "--yes").out == "forgot ana\n"


# list and photos -----------------------------------------------------------------------------


def test_list_shows_photos_quality_and_the_last_unlock_with_a_zone(
    mien: Mien, album: Path, home: Path
) -> None:
    mien("enroll", "ana", album / "me")
    before = mien("list").out
    assert re.fullmatch(
        r"ana  enrolled \d{4}-\d\d-\d\d \d\d:\d\d [+-]\d{4} with sface"
        r"  3 photos, (good|fair|poor)  last unlock never\n",
        before,
    )
    assert mien("unlock", "ana", album / "probe.png").code == 0
    assert re.search(r"last unlock \d{4}-\d\d-\d\d \d\d:\d\d [+-]\d{4}\n$", mien("list").out)
    (person,) = mien("list", "--json").json["people"]
    assert sorted(person) == ["enrolled", "last_unlock", "model", "photos", "quality", "user"]
    assert person["photos"] == 3
    assert person["last_unlock"].endswith("+00:00")


def test_photos_lists_the_photos_and_removes_one(mien: Mien, album: Path, home: Path) -> None:
    mien("enroll", "ana", album / "me")
    lines = mien("photos", "ana").out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["photo 1", "photo 2", "photo 3"]
    assert all(re.search("good, similarity to the others 0.9", line) for line in lines)
    assert mien("photos", "ana", "--remove", "2").out == "removed photo 2 of ana; 2 photos left\n"
    found = mien("photos", "ana", "--json").json
    assert [one["number"] for one in found["photos"]] == [1, 2]
    assert "a photo of ana was removed" in mien("log").out
    assert mien("unlock", "ana", album / "probe.png").code == 0
    mien("photos", "ana", "--remove", "1")
    assert mien("photos", "ana").out.splitlines()[0] == "photo 1: the only one"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nobody",), 6, "'nobody' is not enrolled"),
        (("nobody", "--remove", "1"), 6, "'nobody' is not enrolled"),
        (("ana", "--remove", "0"), 2, "has the photos 1 to 1, not 0"),
        (("ana", "--remove", "2"), 2, "has the photos 1 to 1, not 2"),
        (("ana", "--remove", "1"), 2, "the only photo of 'ana'"),
    ],
)
def test_a_photo_that_cannot_be_removed_is_refused_and_nothing_changes(
    mien: Mien, album: Path, home: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    mien("enroll", "ana", album / "me" / "1.png")
    before = mien("list").out, mien("log").out
    ran = mien("photos", *arguments)
    assert (ran.code, words in ran.err) == (code, True)
    assert (mien("list").out, mien("log").out) == before


def test_removing_a_photo_asks_at_a_terminal(
    mien: Mien, album: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mien("enroll", "ana", album / "me")
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    ran = mien("photos", "ana", "--remove", "1")
    assert ran.code == 2
    assert "Remove photo 1 of ana? It cannot be restored. [y/N]" in ran.err
    assert len(mien("photos", "ana").out.splitlines()) == 3
    assert mien("photos", "ana", "--remove", "1", "--yes").code == 0


# what is kept of unlocks --------------------------------------------------------------------------


def test_a_wrong_unlock_is_marked_and_the_mark_removed(
    mien: Mien, album: Path, vault: Path
) -> None:
    assert mien("not-me", "ana").code == 2
    assert mien("unlock", "ana", album / "probe.png").code == 0
    assert re.search(
        r"^last unlock 1: \d{4}-\d\d-\d\d \d\d:\d\d [+-]\d{4}$", mien("photos", "ana").out, re.M
    )
    ran = mien("not-me", "ana")
    assert (ran.code, ran.out.splitlines()[1]) == (
        0, "  if it was ana after all: mien not-me ana --undo",
    )  # fmt: skip
    locked = mien("unlock", "ana", album / "probe.png")
    assert locked.code == 1
    assert "more like a face that was marked as somebody else's" in locked.out
    assert "marked as somebody else's 1: " in mien("photos", "ana").out
    assert mien("not-me", "ana", "--undo", "2").code == 2
    assert mien("not-me", "ana", "--undo", "--unlock", "1").code == 2
    assert mien("not-me", "ana", "--undo").out.endswith("counts as ana again\n")
    assert mien("unlock", "ana", album / "probe.png").code == 0
    log = mien("log").out
    assert "an unlock of ana was marked as somebody else's" in log
    assert "a mark on an unlock of ana was removed" in log
    assert mien("not-me", "nobody").code == 6


def test_a_template_follows_the_face_and_says_what_it_needs_for_that(
    mien: Mien, album: Path, vault: Path
) -> None:
    ran = mien("photos", "ana", "--follow", "on")
    assert (ran.code, "learns nothing before you run: mien models add liveness" in ran.out) == (
        0, True,
    )  # fmt: skip
    assert mien("photos", "ana", "--json").json["follows"] is True
    assert "it follows the face" in mien("photos", "ana").out
    assert mien("unlock", "ana", album / "probe.png").code == 0
    assert mien("photos", "ana", "--json").json["learned"] == [], "a photo file teaches nothing"
    ran = mien("photos", "ana", "--undo-learned")
    assert (ran.code, "no learned face kept" in ran.err) == (2, True)
    assert mien("photos", "ana", "--follow", "off", "--json").json["outcome"] == "follow_off"
    assert mien("photos", "ana", "--json").json["follows"] is False
    assert mien("photos", "nobody", "--follow", "on").code == 6
    assert mien("photos", "ana", "--follow", "on", "--remove", "1").code == 2


# a folder of people --------------------------------------------------------------------------


def test_a_folder_of_people_is_enrolled_and_whoever_cannot_be_is_named(
    mien: Mien, album: Path, home: Path, tmp_path: Path
) -> None:
    root = tmp_path / "people"
    shutil.copytree(album / "me", root / "ana")
    (root / "wall").mkdir()
    shutil.copy(album / "wall.png", root / "wall")
    ran = mien("enroll", "--folder", root)
    assert ran.code == 3
    lines = ran.out.splitlines()
    assert lines[0] == "enrolled ana from 3 photos"
    assert lines[-2].startswith(f"not enrolled: wall: '{root}/wall/wall.png': no face found")
    assert lines[-1] == "enrolled 1 of 2 people"
    assert mien("unlock", "ana", album / "probe.png").code == 0
    again = mien("enroll", "--folder", root, "--json").json
    assert (again["outcome"], again["exit_code"]) == ("usage", 2)
    assert [one["outcome"] for one in again["people"]] == ["usage", "no_face"]
    shutil.rmtree(root / "wall")
    assert mien("enroll", "--folder", root, "--replace").code == 0


@pytest.mark.parametrize("other", [("ana",), ("--camera",), ("--frames", "x")])
def test_a_folder_takes_the_place_of_name_and_photos(mien: Mien, other: tuple[str, ...]) -> None:
    ran = mien("enroll", "--folder", "people", *other)
    assert (ran.code, "takes the place of NAME" in ran.err) == (2, True)


def test_the_name_may_stand_after_options(mien: Mien, album: Path, home: Path) -> None:
    ran = mien("enroll", "--model", "sface", "ana", album / "me" / "1.png")
    assert ran.out.startswith("enrolled ana from 1 photo\n")
