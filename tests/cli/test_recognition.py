"""`unlock`, `identify`, `compare`, `list`, `forget`; a damaged vault and an altered model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.vault.sealed_parts import store_record

from mien.models import EMBEDDERS, cached_graph_path
from mien.results import ModelId
from mien.settings import load_settings
from mien.vault import Record
from mien.vault.open import open_vault

Mien = Callable[..., Any]
"""Runs a command: `.code`, `.out`, `.err`, `.json`, `.complaint`; see conftest."""


# unlock, identify, compare -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "photo", "code", "outcome"),
    [
        ("ana", "probe.png", 0, "unlocked"),
        ("ben", "probe.png", 1, "not_the_owner"),
        ("ana", "wall.png", 3, "no_face"),
        ("ana", "crowd.png", 4, "several_faces"),
        ("ana", "text.jpg", 5, "unreadable_image"),
        ("zoe", "probe.png", 6, "not_enrolled"),
    ],
)
def test_unlock_gives_the_same_outcome_in_words_and_in_json(
    mien: Mien, album: Path, vault: Path, user: str, photo: str, code: int, outcome: str
) -> None:
    in_words = mien("unlock", user, album / photo)
    data = mien("unlock", user, album / photo, "--json").json
    assert in_words.code == data["exit_code"] == code
    assert data["outcome"] == outcome
    if "error" in data:
        assert in_words.complaint == data["error"]
        assert in_words.out == ""
    else:
        assert in_words.out.startswith("unlocked: " if code == 0 else "locked: ")
        assert in_words.out.count("\n") == 1
        assert 0.36 < data["threshold"] < 0.5
        assert (data["odds"] is None) is (code in (3, 4))
        assert data["model"] == "sface"
        assert (data["similarity"] is None) is (code in (3, 4))
        assert (data["face"] is None) is (code in (3, 4))


@pytest.mark.parametrize("target", ["1e-7", "nan", "0"])
def test_an_unsupported_target_fmr_is_refused_before_the_attempt_is_counted(
    mien: Mien, album: Path, vault: Path, target: str
) -> None:
    before = mien("log", "--json").json
    refused = mien("unlock", "ana", album / "probe.png", "--target-fmr", target)
    assert refused.code == 2
    assert "does not support FMR" in refused.complaint
    assert mien("log", "--json").json == before


@pytest.mark.parametrize("target", ["0.11", "0.3", "0.99", "1", "inf"])
def test_a_target_fmr_above_one_in_ten_is_refused(
    mien: Mien, album: Path, vault: Path, target: str
) -> None:
    refused = mien("unlock", "ana", album / "probe.png", "--target-fmr", target)
    assert refused.code == 2
    assert "does not support FMR" in refused.complaint
    assert mien("unlock", "ana", album / "probe.png", "--target-fmr", "0.1").code == 0


def test_identify_names_the_right_person_or_nobody(mien: Mien, album: Path, vault: Path) -> None:
    found = mien("identify", album / "probe.png")
    assert found.code == 0
    assert found.out.startswith("ana: the same person")
    mien("forget", "ana")
    nobody = mien("identify", album / "probe.png")
    assert nobody.code == 1
    assert nobody.out.startswith("no match: not similar enough")
    data = mien("identify", album / "probe.png", "--json").json
    assert data["user"] is None
    assert data["outcome"] == "not_the_owner"


@pytest.mark.parametrize(("photo", "code"), [("wall.png", 3), ("crowd.png", 4), ("text.jpg", 5)])
def test_identify_needs_a_photo_of_one_person(
    mien: Mien, album: Path, vault: Path, photo: str, code: int
) -> None:
    ran = mien("identify", album / photo)
    assert ran.code == code
    assert ran.complaint


def test_identify_exits_with_6_if_nobody_is_enrolled(mien: Mien, album: Path) -> None:
    ran = mien("identify", album / "probe.png")
    assert ran.code == 6
    assert "mien enroll" in ran.complaint


@pytest.mark.parametrize(
    ("b", "code"), [("me/2.png", 0), ("wall.png", 3), ("crowd.png", 4), ("text.jpg", 5)]
)
def test_compare_exits_with_the_code_of_its_outcome(
    mien: Mien, album: Path, b: str, code: int
) -> None:
    ran = mien("compare", album / "probe.png", album / b)
    assert ran.code == code
    if code == 0:
        assert ran.out.startswith("same person: a good match; a stranger would score")
        told = mien("compare", album / "probe.png", album / b, "--verbose").out
        assert told.startswith("same person: a good match, similarity 0.9")
        assert mien("compare", album / "probe.png", album / b, "--json").json["outcome"] == (
            "same_person"
        )
    else:
        assert ran.complaint


def test_compare_exits_with_1_for_two_people(mien: Mien, album: Path, shared_photos: Path) -> None:
    photos = album / "probe.png", shared_photos / "faces" / "me" / "me_1.jpg"
    ran = mien("compare", *photos)
    assert ran.code == 1
    assert ran.out.startswith("different people: a stranger would score this high about once in")
    data = mien("compare", *photos, "--json").json
    assert (data["outcome"], data["exit_code"]) == ("different_people", 1)


# list and forget ---------------------------------------------------------------------------


def test_list_shows_the_enrolled_people(mien: Mien, vault: Path) -> None:
    ran = mien("list")
    at = datetime(2026, 1, 31, 12, tzinfo=timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M %z")
    assert ran.out.splitlines() == [
        f"{name}  enrolled {at} with sface  {words}  last unlock never"
        for name, words in (("ana", "3 photos, poor"), ("ben", "1 photo, fair"))
    ]
    people = mien("list", "--json").json["people"]
    assert [person["user"] for person in people] == ["ana", "ben"]


def test_list_without_a_vault_creates_no_file(mien: Mien, home: Path) -> None:
    before = sorted(home.rglob("*"))
    ran = mien("list")
    assert ran.code == 0
    assert ran.out.startswith("nobody is enrolled; run: mien enroll")
    assert mien("list", "--json").json["people"] == []
    assert sorted(home.rglob("*")) == before


def test_forget_removes_a_template(mien: Mien, album: Path, vault: Path) -> None:
    assert mien("forget", "ana").out == "forgot ana\n"
    assert mien("unlock", "ana", album / "probe.png").code == 6
    again = mien("forget", "ana")
    assert again.code == 6
    assert "ana is not enrolled" in again.complaint
    assert mien("forget", "ben", "--json").json == {
        "outcome": "forgotten",
        "exit_code": 0,
        "user": "ben",
    }


def test_an_unknown_name_creates_no_file(mien: Mien, home: Path, album: Path) -> None:
    before = sorted(home.rglob("*"))
    assert mien("unlock", "ana", album / "probe.png").code == 6
    assert mien("forget", "ana").code == 6
    assert sorted(home.rglob("*")) == before


# damaged vault, missing model --------------------------------------------------------------


def test_a_damaged_vault_exits_with_8(mien: Mien, album: Path, vault: Path) -> None:
    whole = vault.read_bytes()
    vault.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    for arguments in (("unlock", "ana", album / "probe.png"), ("list",), ("doctor", "--json")):
        ran = mien(*arguments)
        assert ran.code == 8
        assert "\n" not in ran.out[:-1]
    assert mien("unlock", "ana", album / "probe.png", "--json").json["outcome"] == "vault_damaged"


def test_a_vault_that_other_users_can_write_exits_with_8(
    mien: Mien, album: Path, vault: Path
) -> None:
    vault.chmod(0o622)
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 8
    assert "chmod 600" in ran.complaint


def test_a_template_of_another_model_exits_with_10(
    mien: Mien, album: Path, vault: Path, somebody: Callable[[str, ModelId], Record]
) -> None:
    with open_vault(load_settings(), create=False, surface="library") as opened:
        store_record(opened, somebody("ana", ModelId("vggface2", "cd" * 32)))
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 10
    assert ran.complaint
    assert mien("unlock", "ana", album / "probe.png", "--json").json["outcome"] == (
        "model_unavailable"
    )


def test_altered_weights_exit_with_10(
    mien: Mien, album: Path, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = EMBEDDERS["sface"].model
    real = load_settings().cache_dir
    graphs_alone = shutil.ignore_patterns("*.optimised")  # with these no weights are read
    shutil.copytree(real, tmp_path / "cache" / "mien", ignore=graphs_alone)
    cached_graph_path(row, "onnxruntime", tmp_path / "cache" / "mien").unlink()
    (tmp_path / row.file_name).write_bytes(b"other weights")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 10
    assert "model sface at" in ran.complaint
    assert "was altered" in ran.complaint
    assert mien("unlock", "ana", album / "probe.png", "--json").json["exit_code"] == 10
