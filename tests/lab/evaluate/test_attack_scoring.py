"""Clips are scored on their first five frames with a face, and judged by their motion."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import NoFaceFound, UnreadableImage
from mien.lab.evaluate.attack_manifest import Clip
from mien.lab.evaluate.attack_scoring import score_clip
from mien.liveness.motion import MotionFault
from mien.results import ByteArray, Face

SIDE = 160
FPS = 2.0
BOX = np.array([50, 50, 110, 110], np.float32)
POINTS = np.array([[65, 70], [95, 70], [80, 85], [68, 98], [92, 98]], np.float32)


def noise(seed: int, side: int) -> ByteArray:
    """Blocks of 4 px, which have corners to follow."""
    small = np.random.default_rng(seed).integers(0, 256, (side // 4, side // 4, 1), np.uint8)
    return np.kron(small, np.ones((4, 4, 3), np.uint8))


def clip(folder: Path, face_step: int, around_step: int, count: int = 13) -> Clip:
    """Pictures in which a square and what is around it move by so many pixels each."""
    folder.mkdir(exist_ok=True)
    wall, face = noise(1, SIDE + 2 * count * max(1, around_step)), noise(2, 60)
    for n in range(count):
        picture = wall[:SIDE, n * around_step : n * around_step + SIDE].copy()
        left = 50 - n * face_step
        picture[50:110, left : left + 60] = face
        Image.fromarray(picture).save(folder / f"{n}.png")
    return Clip("clip", folder, FPS, "anna", "", "", "", "live", "", "", "", "test")


class Finder:
    """Finds the square, wherever it has moved to."""

    def __init__(self, step: int) -> None:
        self.face = noise(2, 60)

    def __call__(self, image_rgb: ByteArray) -> Face:
        for left in range(51):
            if np.array_equal(image_rgb[50:110, left : left + 60], self.face):
                shift = np.array([left - 50, 0], np.float32)
                return Face(BOX + np.tile(shift, 2), POINTS + shift, 1.0)
        raise NoFaceFound("no square")


def test_the_score_is_the_mean_of_the_first_five_frames_with_a_face(tmp_path: Path) -> None:
    given = iter(range(1, 99))
    found = score_clip(clip(tmp_path, 0, 0), Finder(0), lambda image, face: float(next(given)))
    assert (found.score, found.frames) == (3.0, 5)
    assert found.is_response


@pytest.mark.parametrize(
    ("face_step", "around_step", "expected"),
    [(0, 0, MotionFault.FROZEN), (2, 2, MotionFault.RIGID), (2, 0, None), (0, 2, None)],
)
def test_six_seconds_are_judged_by_their_motion(
    tmp_path: Path, face_step: int, around_step: int, expected: MotionFault | None
) -> None:
    made = clip(tmp_path, face_step, around_step)
    found = score_clip(made, Finder(face_step), lambda image, face: 1.0)
    assert found.motion is expected


def test_a_shorter_clip_is_not_judged_by_its_motion(tmp_path: Path) -> None:
    found = score_clip(clip(tmp_path, 0, 0, count=12), Finder(0), lambda image, face: 1.0)
    assert found.motion is None
    assert found.frames == 5


def test_a_clip_without_a_face_is_a_non_response(tmp_path: Path) -> None:
    def nobody(image_rgb: ByteArray) -> Face:
        raise NoFaceFound("none")

    found = score_clip(clip(tmp_path, 0, 0), nobody, lambda image, face: 1.0)
    assert math.isnan(found.score)
    assert not found.is_response


def test_a_clip_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    missing = Clip("no", tmp_path / "no", FPS, "", "", "", "", "live", "", "", "", "test")
    with pytest.raises(UnreadableImage):
        score_clip(missing, Finder(0), lambda image, face: 1.0)
