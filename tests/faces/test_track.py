"""Following a face from frame to frame: when it is followed, and when a whole search is due."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mien.faces.detect import Cascade
from mien.faces.surroundings import Surroundings
from mien.faces.track import MAX_FOLLOWED, WHOLE_SEARCH_S, FaceTracker
from mien.results import ByteArray, Face, FloatArray

POINTS = np.array([[180, 180], [220, 180], [200, 200], [185, 220], [215, 220]], np.float32)
GREY = np.full((400, 500, 3), 120, np.uint8)


def face_at(left: float = 150, top: float = 140, height: float = 100, score: float = 1.0) -> Face:
    return Face(np.array([left, top, left + 80, top + height], np.float32), POINTS, score)


class Place:
    """In the place of O-Net: gives one answer, and keeps the boxes that it was asked about."""

    def __init__(self, answer: Face | None) -> None:
        self.answer = answer
        self.asked: list[list[float]] = []

    def __call__(self, image_rgb: ByteArray, box_xyxy: FloatArray) -> Face | None:
        self.asked.append(box_xyxy.tolist())
        return self.answer


def tracker_of(place: Place) -> FaceTracker:
    return FaceTracker(place, least_score=0.9, border_share=0.1)


def followed(answer: Face | None, at_s: float = 1.03, image: ByteArray = GREY) -> Face | None:
    """What is given for a frame after a whole search at 1 s."""
    tracker = tracker_of(Place(answer))
    tracker.start(GREY, 1.0, face_at())
    return tracker.follow(image, at_s)


def test_the_face_of_the_next_frame_is_the_one_at_the_place_of_the_last_box() -> None:
    first, second, place = face_at(150), face_at(155), Place(face_at(160))
    tracker = tracker_of(place)
    tracker.start(GREY, 0.0, first)
    place.answer = second
    assert tracker.follow(GREY, 0.03) is second
    assert tracker.follow(GREY, 0.06) is second
    assert place.asked == [first.box_xyxy.tolist(), second.box_xyxy.tolist()]


def test_without_a_whole_search_no_face_is_followed() -> None:
    tracker = tracker_of(Place(face_at()))
    assert tracker.follow(GREY, 0.0) is None
    tracker.start(GREY, 0.0, face_at())
    tracker.stop()
    assert tracker.follow(GREY, 0.03) is None


def test_a_face_that_was_lost_once_is_not_followed_again() -> None:
    place = Place(None)
    tracker = tracker_of(place)
    tracker.start(GREY, 0.0, face_at())
    assert tracker.follow(GREY, 0.03) is None
    place.answer = face_at()
    assert tracker.follow(GREY, 0.06) is None
    tracker.start(GREY, 0.06, face_at())
    assert tracker.follow(GREY, 0.09) is not None


def test_half_a_second_after_a_whole_search_another_one_is_due() -> None:
    assert WHOLE_SEARCH_S == 0.5
    assert followed(face_at(), 1.49) is not None
    assert followed(face_at(), 1.5) is None


def test_half_a_second_is_counted_from_the_whole_search_and_not_from_the_last_frame() -> None:
    tracker = tracker_of(Place(face_at()))
    tracker.start(GREY, 0.0, face_at())
    times = [0.1, 0.2, 0.3, 0.4, 0.5]
    assert [tracker.follow(GREY, at_s) is not None for at_s in times] == [True] * 4 + [False]


def test_a_clock_that_hardly_moves_does_not_put_off_the_whole_search() -> None:
    tracker = tracker_of(Place(face_at()))
    tracker.start(GREY, 0.0, face_at())
    kept = [tracker.follow(GREY, 1e-6 * number) is not None for number in range(1, 20)]
    assert kept == [True] * MAX_FOLLOWED + [False] * (19 - MAX_FOLLOWED)


@pytest.mark.parametrize("at_s", [1.0, 0.99, -5.0, math.nan, math.inf, -math.inf])
def test_a_time_that_does_not_follow_is_searched_whole(at_s: float) -> None:
    assert followed(face_at(), at_s) is None


@pytest.mark.parametrize(
    ("face", "is_followed"),
    [
        (face_at(score=0.9), True),
        (face_at(score=0.89), False),
        (face_at(score=math.nan), False),
        (face_at(left=165), True),  # 15 of 100 pixels
        (face_at(left=166), False),
        (face_at(top=124), False),
        (face_at(height=116), False),
        (face_at(left=math.nan), False),
        (None, False),
    ],
    ids=str,
)
def test_a_face_that_is_unsure_or_moved_fast_is_searched_whole(
    face: Face | None, is_followed: bool
) -> None:
    assert (followed(face) is not None) is is_followed


def test_a_small_face_is_searched_whole_which_says_to_move_closer() -> None:
    for height, is_followed in ((44.0, True), (43.0, False)):
        small = Face(np.array([200, 200, 235, 200 + height], np.float32), POINTS, 1.0)
        tracker = tracker_of(Place(small))
        tracker.start(GREY, 0.0, small)
        assert (tracker.follow(GREY, 0.03) is not None) is is_followed


@pytest.mark.parametrize(
    ("box", "is_followed"),
    [
        ([10, 100, 90, 200], True),  # a tenth of 100 pixels
        ([9, 100, 89, 200], False),
        ([100, 9, 180, 109], False),
        ([411, 100, 491, 200], False),
        ([100, 291, 180, 391], False),
    ],
)
def test_a_face_at_the_border_is_searched_whole(box: list[float], is_followed: bool) -> None:
    face = Face(np.array(box, np.float32), POINTS, 1.0)
    tracker = tracker_of(Place(face))
    tracker.start(GREY, 0.0, face)
    assert (tracker.follow(GREY, 0.03) is not None) is is_followed


def test_a_frame_of_another_size_is_searched_whole() -> None:
    assert followed(face_at(), image=GREY[:-1]) is None


# the surroundings ---------------------------------------------------------------------------


def with_patch(left: int, top: int, width: int, height: int, level: int) -> ByteArray:
    changed = GREY.copy()
    changed[top : top + height, left : left + width] = level
    return changed


@pytest.mark.parametrize(
    ("frame", "may_be"),
    [
        (GREY, False),
        (with_patch(300, 50, 40, 50, 150), True),  # half as high as the face
        (with_patch(300, 50, 40, 50, 90), True),
        (with_patch(300, 50, 40, 50, 138), False),  # hardly another level
        (with_patch(300, 50, 12, 12, 255), False),  # too small to be a rival
        (with_patch(300, 0, 12, 400, 255), False),  # an outline that moved
        (with_patch(150, 140, 80, 100, 255), False),  # the face itself
        (np.full_like(GREY, 145), True),  # a lamp is turned on
    ],
    ids=["same", "bright", "dark", "faint", "small", "outline", "the face", "all"],
)
def test_what_changes_away_from_the_face_may_be_a_second_face(
    frame: ByteArray, may_be: bool
) -> None:
    assert Surroundings(GREY, face_at()).may_show_rival(frame, face_at()) is may_be
    assert (followed(face_at(), image=frame) is None) is may_be


def test_a_second_face_that_comes_slowly_is_compared_with_the_last_whole_search() -> None:
    tracker = tracker_of(Place(face_at()))
    tracker.start(GREY, 0.0, face_at())
    fading = [with_patch(300, 50, 40, 50, 120 + 8 * number) for number in range(1, 5)]
    kept = [tracker.follow(one, 0.03 * (n + 1)) is not None for n, one in enumerate(fading)]
    assert kept == [True, True, False, False]


def test_the_noise_of_a_sensor_is_no_second_face() -> None:
    rng = np.random.default_rng(0)
    noisy = [np.clip(GREY + rng.normal(0, 8, GREY.shape), 0, 255).astype(np.uint8) for _ in "12"]
    assert not Surroundings(noisy[0], face_at()).may_show_rival(noisy[1], face_at())


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 400), (400, 3), (0, 0)])
def test_a_frame_of_less_than_a_cell_shows_nobody(height: int, width: int) -> None:
    tiny = np.zeros((height, width, 3), np.uint8)
    assert not Surroundings(tiny, face_at()).may_show_rival(tiny, face_at())


# O-Net at the place of a box ------------------------------------------------------------------


def moved(image: ByteArray, x: int, y: int) -> ByteArray:
    return np.roll(image, (y, x), axis=(0, 1))


@pytest.mark.parametrize("shift_xy", [(0, 0), (7, -5), (-10, 10)])
def test_the_face_at_a_place_is_the_one_that_a_whole_search_finds(
    cascade: Cascade, astronaut: ByteArray, shift_xy: tuple[int, int]
) -> None:
    """Within what two whole searches of two frames differ by: 0.18 of the distance of the eyes."""
    before = cascade.find(astronaut, "largest")[0]
    frame = moved(astronaut, *shift_xy)
    whole = cascade.find(frame, "largest")[0]
    there = cascade.find_at(frame, before.box_xyxy)
    assert there is not None
    assert there.score > 0.99
    apart = np.linalg.norm(there.points_xy - whole.points_xy, axis=1).max()
    assert apart < 0.1 * whole.eye_distance_px


def test_the_place_is_cut_out_and_gives_what_the_whole_picture_gives(
    cascade: Cascade, astronaut: ByteArray
) -> None:
    """The same pixels around the box, and others far away: the same face bit for bit."""
    box = cascade.find(astronaut, "largest")[0].box_xyxy
    elsewhere = astronaut.copy()
    elsewhere[300:], elsewhere[:, :60] = 7, 200
    one, other = (cascade.find_at(image, box) for image in (astronaut, elsewhere))
    assert one is not None
    assert other is not None
    assert one.to_dict() == other.to_dict()
    wider = np.pad(astronaut, ((30, 0), (50, 0), (0, 0)))
    shifted = cascade.find_at(wider, box + np.array([50, 30, 50, 30], np.float32))
    assert shifted is not None
    np.testing.assert_allclose(shifted.points_xy - [50, 30], one.points_xy, atol=1e-3)


@pytest.mark.parametrize(
    "box",
    [
        [300, 300, 400, 420],
        [-900, -900, -800, -800],
        [9000, 9000, 9100, 9100],
        [5, 5, 5, 5],
        [200, 200, 100, 100],
        [-1e9, -1e9, 1e9, 1e9],
    ],
)
def test_a_place_without_a_face_has_none(
    cascade: Cascade, astronaut: ByteArray, box: list[float]
) -> None:
    assert cascade.find_at(astronaut, np.array(box, np.float32)) is None
