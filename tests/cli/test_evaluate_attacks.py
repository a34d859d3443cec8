"""`mien evaluate attacks`: from a manifest to rates, with the real networks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mien.lab.evaluate.attack_manifest import COLUMNS

Mien = Callable[..., Any]


def test_clips_are_scored_and_the_rates_are_written(
    mien: Mien, album: Path, liveness_files: Path, tmp_path: Path
) -> None:
    for clip in ("live", "print"):
        (tmp_path / clip).mkdir()
        for number in (1, 2, 3):
            shutil.copy(album / "me" / f"{number}.png", tmp_path / clip / f"{number}.png")
    manifest = tmp_path / "clips.csv"
    lines = [
        ",".join(COLUMNS),
        "live,10,ana,,,,live,,,,enroll",
        "print,10,ana,,,,attack,print,,,test",
    ]
    manifest.write_text("\n".join(lines) + "\n")
    ran = mien("evaluate", "attacks", manifest, "--out", tmp_path / "out")
    assert ran.code == 10
    assert ran.complaint.endswith("run: mien models add liveness")
    assert mien("models", "add", "liveness", "--file", liveness_files).code == 0
    ran = mien("evaluate", "attacks", manifest, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "not stated: APCER of print: 1 clips, 30 are needed" in ran.out
    assert (tmp_path / "out" / "report.html").is_file()
    data = json.loads((tmp_path / "out" / "attacks.json").read_text())
    assert [clip["frames"] for clip in data["clips"]] == [3, 3]
    # photos of the same three poses, so they match; the passive check has the last word
    assert "IAPAR, attacks on enrolled people that unlock" in ran.out
    assert (data["iapar"]["trials"], data["iapar"]["errors"]) in ((1, 0), (1, 1))
    assert data["clips"][0]["score"] == data["clips"][1]["score"]


def test_a_clip_is_recorded_and_can_be_evaluated(
    mien: Mien, film: Path, liveness_files: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "recorded"
    given = ("--frames", film, "--subject", "ana", "--rotate", "0")
    ran = mien("evaluate", "record", folder, *given, "--label", "live", "--json")
    assert (ran.code, ran.json["clip"], ran.json["frames"]) == (0, "clips/0001", 4)
    ran = mien("evaluate", "record", folder, *given, "--label", "attack", "--species", "print")
    assert "print: 1 clips of the split test; 29 more to state a rate" in ran.out
    assert mien("evaluate", "record", folder, *given, "--label", "attack").code == 2
    assert mien("evaluate", "record", folder, *given, "--label", "live", "--seconds", "0").code == 2
    assert mien("models", "add", "liveness", "--file", liveness_files).code == 0
    ran = mien("evaluate", "attacks", folder / "manifest.csv", "--out", tmp_path / "out")
    assert (ran.code, "2 clips scored" in ran.out) == (0, True)
