"""Clips are recorded as pictures without loss, and each has its line in the manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import UsageError
from mien.lab.evaluate.attack_manifest import read_manifest
from mien.lab.evaluate.recording import MANIFEST_NAME, record_clip, what_is_missing
from mien.media.frame import Frame

LIVE = {
    "label": "live", "split": "test", "subject": "anna", "species": "", "instrument": "",
    "support": "", "light": "daylight", "session_day": "2026-01-31", "camera": "0",
}  # fmt: skip
PRINT = LIVE | {"label": "attack", "species": "print", "instrument": "laser", "support": "hand"}


def frames(count: int, fps: float = 10.0) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [
        Frame(number / fps, rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        for number in range(count)
    ]


def test_the_frames_are_kept_bit_for_bit_with_their_rate(tmp_path: Path) -> None:
    shown = frames(30)
    made = record_clip(shown, tmp_path, LIVE, seconds=2.0)
    assert (made.name, made.frames, round(made.fps, 6)) == ("clips/0001", 21, 10.0)
    pictures = sorted((tmp_path / made.name).iterdir())
    assert [picture.name for picture in pictures][:2] == ["000001.png", "000002.png"]
    for picture, frame in zip(pictures, shown, strict=False):
        with Image.open(picture) as image:
            np.testing.assert_array_equal(np.asarray(image), frame.image_rgb)
    assert pictures[0].stat().st_mode & 0o777 == 0o600


def test_each_clip_adds_a_line_that_the_evaluation_reads(tmp_path: Path) -> None:
    for columns in (LIVE, PRINT, LIVE | {"subject": "ben", "split": "enroll"}):
        record_clip(frames(5), tmp_path, columns, seconds=9)
    clips = read_manifest(tmp_path / MANIFEST_NAME)
    assert [(clip.name, clip.fps, clip.species) for clip in clips] == [
        ("clips/0001", 10.0, ""),
        ("clips/0002", 10.0, "print"),
        ("clips/0003", 10.0, ""),
    ]
    assert (clips[1].instrument, clips[1].support, clips[2].split) == ("laser", "hand", "enroll")
    assert clips[0].path == tmp_path / "clips/0001"


def test_a_fast_camera_is_thinned_to_fifteen_a_second(tmp_path: Path) -> None:
    made = record_clip(frames(121, fps=60.0), tmp_path, LIVE, seconds=9)
    assert (made.frames, round(made.fps, 3)) == (31, 15.0)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (PRINT | {"species": ""}, "an attack has a species"),
        (LIVE | {"species": "print"}, "a living person has none"),
        (PRINT | {"split": "enroll"}, "nobody enrolls with an attack"),
    ],
)
def test_a_clip_that_cannot_be_is_refused_before_it_is_recorded(
    tmp_path: Path, columns: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        record_clip(iter([]), tmp_path, columns, seconds=1)
    assert not (tmp_path / MANIFEST_NAME).exists()


def test_fewer_than_two_frames_are_no_clip(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fewer than two frames"):
        record_clip(frames(1), tmp_path, LIVE, seconds=1)
    assert not (tmp_path / MANIFEST_NAME).exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot record in .*choose another folder"):
        record_clip(frames(3), tmp_path / "file", LIVE, seconds=1)


def test_what_is_missing_counts_the_clips_of_the_test_split(tmp_path: Path) -> None:
    for columns in (LIVE, PRINT, PRINT):
        record_clip(frames(3), tmp_path, columns, seconds=1)
    assert what_is_missing(read_manifest(tmp_path / MANIFEST_NAME)) == [
        "  living people: 1 clips of the split test; 29 more to state a rate",
        "  print: 2 clips of the split test; 28 more to state a rate",
        "  for personal thresholds, record each person once with --split enroll",
    ]
