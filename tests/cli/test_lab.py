"""`models`, `doctor`, `explore` and `demo`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mien = Callable[..., Any]
"""Runs a command: `.code`, `.out`, `.err`, `.json`, `.complaint`; see conftest."""


# models and doctor -------------------------------------------------------------------------


def test_models_lists_every_row_with_licence_and_hash(mien: Mien) -> None:
    ran = mien("models")
    assert ran.code == 0
    for name in ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "sface"):
        assert name in ran.out
    assert "Apache-2.0" in ran.out
    data = mien("models", "--json").json
    assert data["outcome"] == "listed"
    assert {row["state"] for row in data["models"]} == {"ok"}
    assert all(len(row["sha256"]) == 64 for row in data["models"])


def test_models_exits_with_10_for_an_altered_file(
    mien: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pnet.lz4").write_bytes(b"other weights")
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    data = mien("models", "--json").json
    assert data["outcome"] == "model_unavailable"
    assert [row["name"] for row in data["models"] if row["state"] == "altered"] == ["mtcnn-pnet"]
    ran = mien("doctor")
    assert ran.code == 10
    assert f"FAIL model mtcnn-pnet: altered at {str(tmp_path / 'pnet.lz4')!r}" in ran.out


def test_doctor_finds_no_fault_here_and_creates_no_file(mien: Mien, home: Path) -> None:
    before = sorted(home.rglob("*"))
    ran = mien("doctor")
    assert ran.code == 0, ran.out
    assert "FAIL" not in ran.out
    data = mien("doctor", "--json").json
    assert data["outcome"] == "healthy"
    assert sorted(home.rglob("*")) == before


# before the work ---------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
@pytest.mark.parametrize(
    "command",
    [
        ("audit", "none"),
        ("explore", "none"),
        ("evaluate", "folder", "none"),
        ("evaluate", "pairs", "--pairs", "none", "--images", "none"),
        ("evaluate", "attacks", "none"),
    ],
)
def test_what_a_report_needs_is_asked_for_before_the_folder_is_read(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, package: str, command: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    ran = mien(*command)
    assert ran.code == 2
    assert "[lab]" in ran.complaint
    assert "reports need" in ran.complaint


def test_explore_takes_the_articles_layout_and_warns_of_a_mixed_folder(
    mien: Mien, people: Path, tmp_path: Path
) -> None:
    root = tmp_path / "album"
    shutil.copytree(people, root / "faces")
    (root / "faces_test").mkdir()
    ran = mien("explore", root, "--out", tmp_path / "seen")
    assert ran.code == 0
    assert "the people are the sub-folders of faces, as in the article" in ran.out
    assert "warning" not in ran.out


# explore and demo --------------------------------------------------------------------------


def test_explore_writes_a_report_and_names_the_photos_that_it_left_out(
    mien: Mien, people: Path, tmp_path: Path
) -> None:
    out = tmp_path / "seen"
    ran = mien("explore", people, "--out", out)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "5 faces of 2 people"
    assert lines[1].startswith(f"  left out {str(people / 'me' / 'text.jpg')!r} is not a picture")
    assert lines[2].startswith(f"  left out {str(people / 'me' / 'wall.png')!r}: no face found")
    assert lines[3] == f"report: {out / 'report.html'}"
    assert {path.name for path in out.iterdir()} >= {
        "report.html",
        "faces.png",
        "similarity.png",
        "map.png",
    }


def test_demo_runs_on_a_folder_of_people(mien: Mien, people: Path, tmp_path: Path) -> None:
    ran = mien("demo", "--photos", people, "--out", tmp_path / "shown")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "unlocking for me, 5 faces found"
    assert lines[3].split() == ["probe", "decision", "similarity", "threshold"]
    assert lines[4].split()[:2] == ["3.png", "unlocked"]
    assert (tmp_path / "shown" / "report.html").is_file()


def test_a_newline_in_the_name_of_a_folder_is_escaped(
    mien: Mien, people: Path, tmp_path: Path
) -> None:
    shown = mien(
        "demo", "--photos", people, "--out", tmp_path / "shown", "--owner", "two\nlines", "--json"
    )
    assert shown.json["owner"] == "two\nlines"
    ran = mien("demo", "--photos", people, "--out", tmp_path / "shown", "--owner", "no\nbody")
    assert ran.code == 2
    assert r"no face found for 'no\nbody'; choose one of 'me', 'two\nlines'" in ran.complaint


@pytest.mark.parametrize("command", ["explore", "demo"])
def test_a_folder_without_people_exits_with_2(mien: Mien, command: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        option = ("--photos", folder) if command == "demo" else (folder,)
        ran = mien(command, *option, "--out", tmp_path / "out")
        assert ran.code == 2
        assert ran.complaint
    assert not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_exits_with_2(
    mien: Mien, people: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    ran = mien("explore", people, "--out", tmp_path / "file" / "out")
    assert ran.code == 2
    assert "cannot make the folder" in ran.complaint
