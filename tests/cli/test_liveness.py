"""`mien unlock` with the liveness check: not_live is 9, charged, logged and said."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.app import live_vote
from mien.media.frame import Frame
from mien.settings import Settings, load_settings

Mien = Callable[..., Any]


@dataclass
class LoginName:
    """The part of a row of the user database that is read."""

    pw_name: str


def score_always(monkeypatch: pytest.MonkeyPatch, score: float) -> None:
    monkeypatch.setattr(live_vote, "open_scorer", lambda settings: lambda image, face: score)


@pytest.fixture
def camera(album: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A camera before which she sits. Gives what it was asked with, a row for each look."""
    asked: list[dict[str, Any]] = []

    def read(device: str, **given: Any) -> Iterator[Frame]:
        asked.append(given)
        for number in range(4):
            with Image.open(album / "probe.png") as picture:
                yield Frame(number / 10, np.asarray(picture.convert("RGB")))

    monkeypatch.setattr("mien.media.camera.read_camera", read)
    return asked


def test_a_virtual_camera_is_allowed_only_where_no_living_person_is_asked_for(
    mien: Mien, vault: Path, camera: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    score_always(monkeypatch, 2.0)
    for policy in ("off", "passive"):
        monkeypatch.setenv("MIEN_LIVENESS", policy)
        mien("unlock", "ana", "--camera")
    assert [one["allow_virtual"] for one in camera] == [True, False]


def test_without_a_name_the_camera_decides_on_the_login_name_and_not_on_the_environment(
    mien: Mien, vault: Path, camera: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ben")
    monkeypatch.setenv("USER", "ben")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {os.getuid(): LoginName("ana")}[uid])
    ran = mien("unlock", "--camera")
    assert ran.code == 0
    assert ran.out.startswith("unlocked: ana, ")


def test_a_user_id_without_a_name_is_told_to_give_one(
    mien: Mien, vault: Path, camera: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    assert mien("unlock", "--camera").complaint.endswith("has no name here; give NAME")


def test_a_picture_exits_with_9_and_is_charged_and_logged(
    mien: Mien, vault: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS", "passive")
    score_always(monkeypatch, -1.0)
    data = mien("unlock", "ana", "--frames", film, "--json").json
    assert (data["outcome"], data["exit_code"], data["similarity"]) == ("not_live", 9, None)
    assert data["liveness"] == {
        "tier": "casual", "score": -1.0, "threshold": 0.0, "frames": 3, "refused_by": "passive",
    }  # fmt: skip
    unlocks = [one for one in mien("log", "--json").json["entries"] if one["kind"] == "unlock"]
    assert [one["outcome"] for one in unlocks] == ["not_live_passive"]
    for _ in range(4):
        ran = mien("unlock", "ana", "--frames", film)
        assert ran.code == 9
    assert ran.out.startswith("locked: ana, the camera does not show a living person; face it")
    assert mien("unlock", "ana", "--frames", film).code == 7  # five failures


def test_a_living_owner_unlocks_with_the_evidence(
    mien: Mien, vault: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS", "passive")
    score_always(monkeypatch, 2.0)
    data = mien("unlock", "ana", "--frames", film, "--json").json
    assert data["outcome"] == "unlocked"
    assert data["liveness"]["score"] == 2.0


def test_passive_without_the_models_stays_locked(
    mien: Mien, vault: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS", "passive")
    ran = mien("unlock", "ana", "--frames", film)
    assert ran.code == 10
    assert ran.complaint.endswith("run: mien models add liveness")


def test_a_camera_is_checked_as_soon_as_the_models_are_there(
    mien: Mien, vault: Path, camera: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = mien("unlock", "ana", "--camera")
    assert ran.code == 0
    warning = "warning: not checked for a living person, a photo may unlock"
    assert f"{warning}; run: mien models add liveness" in ran.out
    score_always(monkeypatch, -1.0)
    assert mien("unlock", "ana", "--camera").code == 9
    monkeypatch.setenv("MIEN_LIVENESS", "off")
    ran = mien("unlock", "ana", "--camera")
    assert ran.code == 0
    assert f"{warning}; the setting liveness is off" in ran.out


def test_a_photo_file_cannot_be_checked_and_that_is_said(
    mien: Mien, vault: Path, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "checked" not in mien("unlock", "ana", album / "probe.png").out
    monkeypatch.setenv("MIEN_LIVENESS", "passive")
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 0
    assert "note: a photo file cannot be checked for life" in ran.out
    assert mien("unlock", "ana", album / "probe.png", "--json").json["liveness"] is None


def test_another_value_of_the_setting_is_refused(
    mien: Mien, vault: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS", "strict")
    ran = mien("unlock", "ana", "--frames", film)
    assert ran.code == 2
    assert "unknown liveness 'strict'; choose one of off, passive, active, auto" in ran.complaint


def test_the_real_models_check_a_film(
    mien: Mien, vault: Path, film: Path, liveness_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS", "passive")
    assert mien("models", "add", "liveness", "--file", liveness_files).code == 0
    data = mien("unlock", "ana", "--frames", film, "--json").json
    assert data["outcome"] in ("unlocked", "not_live")
    assert data["liveness"]["frames"] == 3
    print(data["liveness"])


# the challenge -----------------------------------------------------------------------------


def test_a_photo_cannot_be_challenged(mien: Mien, vault: Path, album: Path) -> None:
    ran = mien("unlock", "ana", album / "probe.png", "--challenge")
    assert ran.code == 2
    assert "--challenge needs --camera" in ran.complaint


def test_a_challenge_without_the_models_stays_locked(mien: Mien, vault: Path, film: Path) -> None:
    ran = mien("unlock", "ana", "--frames", film, "--challenge")
    assert ran.code == 10
    assert "run: mien models add liveness" in ran.complaint


def test_a_film_that_does_not_do_what_is_asked_is_9_and_in_the_log(
    mien: Mien, vault: Path, film: Path, home: Path, with_liveness: Settings
) -> None:
    models = load_settings().data_dir / "models"
    shutil.copytree(with_liveness.data_dir / "models", models, dirs_exist_ok=True)
    data = mien("unlock", "ana", "--frames", film, "--challenge", "--json").json
    assert (data["outcome"], data["exit_code"], data["similarity"]) == ("not_live", 9, None)
    assert data["liveness"]["challenge"] == "denied"
    assert "the challenge was not passed" in data["reason"]
    assert mien("log", "--json").json["entries"][-1]["outcome"] == "not_live_gap"
