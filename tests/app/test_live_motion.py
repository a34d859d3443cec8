"""Motion of a long look, on pictures whose face and surroundings are moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mien.app.live_motion import MotionWatch, measure_pairs
from mien.errors import NoFaceFound
from mien.liveness.motion import PAIR_S, PAIRS
from mien.media.frame import Frame
from mien.results import ByteArray, Face

SIDE, BOX, EYES_PX = 240, (90, 80, 150, 160), 30.0
FACE = Face(
    np.array(BOX, np.float32),
    np.array([[105, 110], [135, 110], [120, 125], [108, 145], [132, 145]], np.float32),
    0.99,
)


def texture(seed: int) -> ByteArray:
    """(240, 240, 3): spots of a few pixels, which can be followed."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), 2)
    grey = np.clip(128 + 300 * noise, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


ROOM, SKIN = texture(1), texture(2)


def picture(face_px: int, room_px: int) -> ByteArray:
    """Face and room, each moved to the right by so many pixels."""
    seen = np.roll(ROOM, room_px, axis=1)
    left, top, right, bottom = BOX
    moved = slice(left + face_px, right + face_px)
    seen[top:bottom, moved] = SKIN[top:bottom, left:right]
    return seen


def look(*pictures: ByteArray, step_s: float = PAIR_S) -> Iterable[Frame]:
    return [Frame(number * step_s, one) for number, one in enumerate(pictures)]


def judge(frames: Iterable[Frame], find_face: Callable[[ByteArray], Face] = lambda _: FACE) -> str:
    motion = MotionWatch()
    for _ in motion.watch(frames):
        pass
    return motion.judge(find_face)


SWAYS = (0, 3, 0, 3, 0)


def test_a_face_that_moves_before_a_room_that_does_not_passes() -> None:
    assert judge(look(*(picture(at, 0) for at in SWAYS))) == "passed"


def test_a_picture_that_moves_as_one_piece_is_rigid() -> None:
    assert judge(look(*(picture(at, at) for at in SWAYS))) == "rigid"


def test_a_picture_that_does_not_move_is_frozen() -> None:
    assert judge(look(*[picture(0, 0)] * 5)) == "frozen"


def test_a_look_shorter_than_six_seconds_is_not_judged() -> None:
    assert judge(look(*[picture(0, 0)] * PAIRS)) == ""
    assert judge(look(*[picture(0, 0)] * 50, step_s=0.1)) == ""
    assert judge(look(*[picture(0, 0)] * 61, step_s=0.1)) == "frozen"


def test_the_latest_six_seconds_count() -> None:
    still, sways = [picture(0, 0)] * 6, [picture(at, 0) for at in SWAYS]
    assert judge(look(*still, *sways)) == "passed"
    assert judge(look(*sways, *still)) == "frozen"


def test_the_frames_are_passed_on_unchanged() -> None:
    frames = list(look(picture(0, 0), picture(1, 0), step_s=0.1))
    assert list(MotionWatch().watch(frames)) == frames


def test_pairs_without_a_face_or_without_points_are_left_out() -> None:
    def find_none(image_rgb: ByteArray) -> Face:
        raise NoFaceFound("no face")

    assert judge(look(*[picture(0, 0)] * 5), find_none) == ""
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    assert measure_pairs([grey, grey], lambda _: FACE) == []


def test_a_displacement_is_in_distances_of_the_eyes() -> None:
    (pair,) = measure_pairs([picture(0, 0), picture(3, 0)], lambda _: FACE)
    assert pair.face_xy == pytest.approx([3 / EYES_PX, 0.0], abs=0.01)
    assert pair.surroundings_xy == pytest.approx([0.0, 0.0], abs=0.003)
