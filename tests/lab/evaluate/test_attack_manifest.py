"""The list of clips: what is read, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import UsageError
from mien.lab.evaluate.attack_manifest import COLUMNS, read_manifest

HEADER = ",".join(COLUMNS)
LIVE = "a.mp4,25,anna,2026-01-31,webcam,day,live,,,,test"
ATTACK = "b,12.5,anna,2026-01-31,webcam,day,attack,print,A4,hand,test"


def manifest(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "clips.csv"
    path.write_text("\n".join((header, *lines)) + "\n")
    return path


def test_the_clips_are_read_with_paths_beside_the_manifest(tmp_path: Path) -> None:
    live, attack = read_manifest(manifest(tmp_path, LIVE, ATTACK))
    assert (live.path, live.fps, live.is_attack) == (tmp_path / "a.mp4", 25.0, False)
    assert (attack.path, attack.species, attack.is_attack) == (tmp_path / "b", "print", True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (LIVE.replace(",25,", ",0,"), "line 2: fps is a number above 0, not '0'"),
        (LIVE.replace(",25,", ",nan,"), "fps is a number above 0"),
        (LIVE.replace(",25,", ",fast,"), "not 'fast'"),
        (LIVE.replace(",live,", ",alive,"), "label is one of live, attack, not 'alive'"),
        (LIVE.replace(",test", ",train"), "split is one of enroll, devel, test"),
        (LIVE.replace("live,,", "live,print,"), "a living person has none"),
        (ATTACK.replace("print", ""), "an attack has a species"),
        (ATTACK.replace(",test", ",enroll"), "nobody enrolls with an attack"),
        (LIVE + ",more", "more values than columns"),
        (LIVE.removeprefix("a.mp4"), "or no clip"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_manifest(manifest(tmp_path, line))


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no column 'split'"):
        read_manifest(manifest(tmp_path, "a", header=HEADER.removesuffix(",split")))
    with pytest.raises(UsageError, match="has no clip"):
        read_manifest(manifest(tmp_path))


def test_a_clip_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'a\.mp4' is in the manifest twice"):
        read_manifest(manifest(tmp_path, LIVE, LIVE))


def test_nobody_is_in_devel_and_in_test(tmp_path: Path) -> None:
    devel = ATTACK.replace(",test", ",devel")
    with pytest.raises(UsageError, match="'anna' has clips of devel and of test"):
        read_manifest(manifest(tmp_path, LIVE, devel))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not CSV in UTF-8"):
        read_manifest(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_manifest(tmp_path / "none.csv")
