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
    assert "a stranger of the cohort scores 0.4" in said.out
    assert "good: margin" not in said.out
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
    assert "  good: margin to the nearest of 400 strangers 0.08\n" in said.out
    assert "nearest stranger: similarity" not in said.out
    told = mien("enroll", "me", shared_photos / "faces" / "me", "--replace", "--verbose")
    assert "  nearest stranger: similarity 0.327, threshold 0.408\n" in told.out
