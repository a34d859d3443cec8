"""What `mien enroll` says about a template: expected refusals, nearest stranger, look-alikes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mien = Callable[..., Any]
"""Runs a command: `.code`, `.out`, `.err`, `.json`, `.complaint`; see conftest."""


@pytest.fixture
def two_albums(album: Path, tmp_path: Path) -> Path:
    """one/ and two/, photos of the same person in each."""
    for folder, names in (("one", ["1", "2"]), ("two", ["3"])):
        (tmp_path / folder).mkdir()
        for name in names:
            shutil.copy(album / "me" / f"{name}.png", tmp_path / folder)
    return tmp_path


def test_enroll_says_how_often_a_refusal_is_expected(mien: Mien, two_albums: Path) -> None:
    said = mien("enroll", "ana", two_albums / "one")
    assert "expect to be refused" in said.out
    # a stranger of the cohort is near to this face, so there is a warning and no margin
    assert "one of 400 strangers scores 0.4" in said.out
    assert "  quality: poor\n" in said.out
    data = mien("enroll", "ana", two_albums / "one", "--replace", "--json").json
    assert data["margin"] < 0.0 < data["closest_stranger"] < 1.0


def test_enroll_warns_of_two_people_who_look_alike(mien: Mien, two_albums: Path) -> None:
    mien("enroll", "ana", two_albums / "one")
    said = mien("enroll", "twin", two_albums / "two")
    assert "looks like ana (0." in said.out
    data = mien("enroll", "twin", two_albums / "two", "--replace", "--json").json
    assert [one["user"] for one in data["look_alikes"]] == ["ana"]
    assert data["look_alikes"][0]["similarity"] > 0.8


def test_enroll_gives_the_margin_to_the_nearest_stranger(mien: Mien, shared_photos: Path) -> None:
    said = mien("enroll", "me", shared_photos / "faces" / "me")
    assert said.out.splitlines()[1] == "  quality: good"
    assert "similarity" not in said.out
    told = mien("enroll", "me", shared_photos / "faces" / "me", "--replace", "--verbose")
    assert "  nearest of 400 strangers: similarity 0.327, threshold 0.408\n" in told.out
    assert "me_1.jpg': good, similarity to the others 0.79" in told.out


def test_a_bad_photo_of_a_folder_is_left_out_and_named(
    mien: Mien, album: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    shutil.copy(album / "probe.png", folder / "a.png")
    shutil.copy(album / "wall.png", folder / "b.png")
    (folder / "c.jp2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20))
    ran = mien("enroll", "kim", folder)
    assert ran.code == 0
    assert "enrolled kim from 1 photo" in ran.out
    assert f"  left out '{folder}/b.png': no face found" in ran.out
    assert f"  left out '{folder}/c.jp2' is JPEG 2000" in ran.out
    assert len(mien("enroll", "lee", folder, "--json").json["left_out"]) == 2
    named = mien("enroll", "max", folder / "a.png", folder / "b.png")
    assert named.code == 3
    (folder / "a.png").unlink()
    assert mien("enroll", "noa", folder).code == 3
