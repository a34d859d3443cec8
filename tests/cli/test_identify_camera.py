"""`mien identify` on frames: by the vote, the checks and the attempts of `mien unlock --camera`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.app import live_vote
from mien.media.frame import Frame
from mien.settings import Settings, load_settings

Mien = Callable[..., Any]


def score_always(monkeypatch: pytest.MonkeyPatch, score: float) -> None:
    monkeypatch.setattr(live_vote, "open_scorer", lambda settings: lambda image, face: score)


@pytest.fixture
def camera(album: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A camera before which she sits. Gives what it was asked with, a row for each look."""
    asked: list[dict[str, Any]] = []

    def read(device: str, **given: Any) -> Iterator[Frame]:
        asked.append({"device": device, **given})
        for number, name in enumerate(("me/1", "me/2", "me/3", "probe")):
            with Image.open(album / f"{name}.png") as picture:
                yield Frame(number / 10, np.asarray(picture.convert("RGB")))

    monkeypatch.setattr("mien.media.camera.read_camera", read)
    return asked


def log_of(mien: Mien) -> list[tuple[str, str, str]]:
    entries = mien("log", "--json").json["entries"]
    return [(one["kind"], one["user"], one["outcome"]) for one in entries]


def test_whoever_is_before_the_camera_is_named(
    mien: Mien, vault: Path, camera: list[dict[str, Any]]
) -> None:
    ran = mien("identify", "--camera", "2")
    assert ran.code == 0
    assert ran.out.startswith("ana: the same person, a good match")
    assert "warning: not checked for a living person, a photo may be taken for somebody" in ran.out
    assert [one["device"] for one in camera] == ["2"]


def test_a_film_names_who_it_shows_as_one_attempt(mien: Mien, vault: Path, film: Path) -> None:
    data = mien("identify", "--frames", film, "--json").json
    assert (data["user"], data["outcome"], data["exit_code"]) == ("ana", "unlocked", 0)
    assert data["liveness"] is None
    assert [one for one in log_of(mien) if one[0] == "identify"] == [
        ("identify", "ana", "unlocked")
    ]


def test_a_film_of_somebody_who_is_not_enrolled_is_no_match(
    mien: Mien, vault: Path, film: Path
) -> None:
    mien("forget", "ana", "--yes")
    ran = mien("identify", "--frames", film)
    assert ran.code == 1
    assert ran.out.startswith("no match: not similar enough")
    data = mien("identify", "--frames", film, "--json").json
    assert (data["user"], data["outcome"]) == (None, "not_the_owner")
    assert log_of(mien)[-1] == ("identify", "", "not_the_owner")


def test_frames_of_two_people_at_once_are_not_identified(
    mien: Mien, vault: Path, album: Path, tmp_path: Path
) -> None:
    for number in range(4):
        shutil.copy(album / "crowd.png", tmp_path / f"{number}.png")
    ran = mien("identify", "--frames", tmp_path)
    assert ran.code == 4
    assert ran.out.startswith("not identified: no frame shows one face: 4 with several faces")


def test_a_film_without_a_face_exits_with_3_and_is_never_counted(
    mien: Mien, vault: Path, album: Path, tmp_path: Path
) -> None:
    for number in range(3):
        shutil.copy(album / "wall.png", tmp_path / f"{number}.png")
    for _ in range(7):
        assert mien("identify", "--frames", tmp_path).code == 3


def test_an_empty_vault_exits_with_6(mien: Mien, home: Path, film: Path) -> None:
    assert mien("identify", "--frames", film).code == 6


# liveness -----------------------------------------------------------------------------------


def test_a_picture_before_the_camera_names_nobody(
    mien: Mien, vault: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS", "passive")
    score_always(monkeypatch, -1.0)
    data = mien("identify", "--frames", film, "--json").json
    assert (data["user"], data["outcome"], data["exit_code"]) == (None, "not_live", 9)
    assert data["similarity"] is None
    assert data["liveness"]["refused_by"] == "passive"
    assert log_of(mien)[-1] == ("identify", "", "not_live_passive")
    assert mien("identify", "--frames", film).out.startswith("not identified: the camera does not")


def test_a_living_person_is_named_with_the_evidence(
    mien: Mien, vault: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS", "passive")
    score_always(monkeypatch, 2.0)
    data = mien("identify", "--frames", film, "--json").json
    assert (data["user"], data["liveness"]["score"]) == ("ana", 2.0)


def test_a_virtual_camera_is_refused_where_a_living_person_is_asked_for(
    mien: Mien, vault: Path, camera: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    score_always(monkeypatch, 2.0)
    for policy in ("off", "passive"):
        monkeypatch.setenv("MIEN_LIVENESS", policy)
        assert mien("identify", "--camera").code == 0
    assert [one["allow_virtual"] for one in camera] == [True, False]


def test_passive_without_the_models_names_nobody(
    mien: Mien, vault: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS", "passive")
    ran = mien("identify", "--frames", film)
    assert ran.code == 10
    assert ran.complaint.endswith("run: mien models add liveness")


def test_a_film_that_does_not_do_what_is_asked_is_9(
    mien: Mien, vault: Path, film: Path, with_liveness: Settings
) -> None:
    models = load_settings().data_dir / "models"
    shutil.copytree(with_liveness.data_dir / "models", models, dirs_exist_ok=True)
    data = mien("identify", "--frames", film, "--challenge", "--json").json
    assert (data["user"], data["outcome"], data["exit_code"]) == (None, "not_live", 9)
    assert data["liveness"]["challenge"] == "denied"


# usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "give exactly one of a photo, --camera and --frames"),
        (("probe.png", "--camera"), 2, "give exactly one of a photo, --camera and --frames"),
        (("probe.png", "--challenge"), 2, "--challenge needs --camera"),
        (("--camera", "0", "--timeout", "0"), 2, "--timeout must be more than 0"),
        (("--camera", "probe.png"), 2, "is not a camera: give a number or a path"),
        (("--camera", "97"), 12, "there is no camera"),
        (("--frames", "absent.mp4"), 5, "absent.mp4"),
    ],
)
def test_what_cannot_be_done_is_said(
    mien: Mien, vault: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = mien("identify", *arguments)
    assert ran.code == code
    assert words in ran.complaint
    assert "NAME" not in ran.complaint


def test_ctrl_c_before_the_camera_exits_with_130_and_counts(
    mien: Mien, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(device: str, **given: Any) -> Iterator[Frame]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("mien.media.camera.read_camera", interrupted)
    ran = mien("identify", "--camera")
    assert ran.code == 130
    assert ran.complaint == "interrupted; the attempt counts as a failure"
    assert log_of(mien)[-1] == ("identify", "", "interrupted")
