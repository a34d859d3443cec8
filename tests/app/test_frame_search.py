"""Frames of one stream: the face is followed, and what is decided is what whole searches decide."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

from mien.app.face_search import FoundFace
from mien.app.frame_search import FrameSearch
from mien.app.pipeline import Pipeline
from mien.app.verify import verify_photo
from mien.app.voting import DecideFrame, vote
from mien.errors import MienError, NoFaceFound, Outcome, SeveralFacesFound
from mien.faces.surroundings import Surroundings
from mien.media.frame import Frame
from mien.results import ByteArray, Decision, Template

ROOM = np.full((512, 1024, 3), 120, np.uint8)


@pytest.fixture
def searched(pipeline: Pipeline) -> mock.Mock:
    """Counts the whole searches, which are the real ones."""
    with mock.patch.object(pipeline, "find_face", wraps=pipeline.find_face) as search:
        yield search


def at(left: int, *photos: ByteArray) -> ByteArray:
    """Photos in a row in a grey room, the first one so far from its left."""
    room = ROOM.copy()
    for photo in photos:
        room[: photo.shape[0], left : left + photo.shape[1]] = photo
        left += 512
    return room


def with_head_moved(photo: ByteArray, right: int) -> ByteArray:
    """The astronaut's head so many pixels to the right, before what is behind her."""
    moved = photo.copy()
    moved[40:200, 160 + right : 290 + right] = photo[40:200, 160:290]
    return moved


def film(*images: ByteArray) -> list[Frame]:
    """Thirty frames a second."""
    return [Frame(number / 30, image) for number, image in enumerate(images)]


def found_on(frames: list[Frame], search: FrameSearch) -> list[FoundFace | MienError]:
    found: list[FoundFace | MienError] = []
    for frame in frames:
        try:
            found.append(search.find_face(frame, whole=False))
        except (NoFaceFound, SeveralFacesFound) as error:
            found.append(error)
    return found


def test_a_face_that_moves_a_little_is_searched_once_in_half_a_second(
    pipeline: Pipeline, astronaut: ByteArray, searched: mock.Mock
) -> None:
    frames = film(*(with_head_moved(astronaut, number % 4) for number in range(20)))
    found = found_on(frames, FrameSearch(pipeline))
    assert searched.call_count == 2  # at 0 and at 0.5 seconds
    for number, one in enumerate(found):
        assert isinstance(one, FoundFace)
        whole = pipeline.door_face(frames[number].image_rgb)
        apart = np.linalg.norm(one.face.points_xy - whole.points_xy, axis=1).max()
        assert apart < 0.18 * whole.eye_distance_px  # as two whole searches differ, docs/camera.md


def test_a_frame_that_is_to_be_searched_whole_is(
    pipeline: Pipeline, astronaut: ByteArray, searched: mock.Mock
) -> None:
    search = FrameSearch(pipeline)
    for frame in film(astronaut, astronaut, astronaut):
        search.find_face(frame, whole=True)
    assert searched.call_count == 3


def test_a_second_face_that_comes_is_found_on_its_first_frame(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    alone, both = at(0, astronaut), at(0, astronaut, astronaut)
    found = found_on(film(alone, alone, both), FrameSearch(pipeline))
    assert isinstance(found[1], FoundFace)
    assert isinstance(found[2], SeveralFacesFound)


def test_after_a_frame_without_a_face_nothing_is_followed(
    pipeline: Pipeline, astronaut: ByteArray, searched: mock.Mock
) -> None:
    frames = film(at(0, astronaut), ROOM, at(0, astronaut), at(0, astronaut))
    found = found_on(frames, FrameSearch(pipeline))
    assert [isinstance(one, FoundFace) for one in found] == [True, False, True, True]
    assert searched.call_count == 3


def test_a_face_that_jumps_is_searched_whole(
    pipeline: Pipeline, astronaut: ByteArray, searched: mock.Mock
) -> None:
    left, right = at(0, astronaut), at(400, astronaut)
    found = found_on(film(left, right), FrameSearch(pipeline))
    assert searched.call_count == 2
    assert isinstance(found[0], FoundFace)
    assert isinstance(found[1], FoundFace)
    apart = found[1].face.points_xy - found[0].face.points_xy
    np.testing.assert_allclose(apart[:, 0], 400, atol=10)


def test_a_face_on_its_side_is_not_followed(
    pipeline: Pipeline, astronaut: ByteArray, searched: mock.Mock
) -> None:
    lying = np.ascontiguousarray(np.rot90(astronaut))
    found = found_on(film(lying, lying), FrameSearch(pipeline))
    assert [one.quarter_turns for one in found if isinstance(one, FoundFace)] == [3, 3]
    assert searched.call_count == 2


def test_another_face_at_the_same_place_is_compared_as_what_it_is(
    pipeline: Pipeline, astronaut: ByteArray, stranger: ByteArray, searched: mock.Mock
) -> None:
    """Only the box is carried from frame to frame: whoever takes her place is not taken for her."""
    her = pipeline.door_face(astronaut)
    other = placed_like(stranger, pipeline, her.box_xyxy)
    with mock.patch.object(Surroundings, "may_show_rival", return_value=False):
        search = FrameSearch(pipeline)
        first, second = (search.embed_probe(one, whole=False) for one in film(astronaut, other))
    assert searched.call_count == 1  # the second was followed
    alone = pipeline.embed_probe(other)
    assert float(second.vector @ alone.vector) > 0.95
    assert float(second.vector @ first.vector) < 0.363  # under which SFace tells two people


def placed_like(photo: ByteArray, pipeline: Pipeline, box_xyxy: np.ndarray) -> ByteArray:
    """(512, 512, 3): the photo, scaled and moved so that its face fills the box."""
    import cv2

    face = pipeline.door_face(photo)
    scale = float(box_xyxy[3] - box_xyxy[1]) / face.height_px
    middle = (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2
    corner = (box_xyxy[:2] + box_xyxy[2:]) / 2 - scale * middle
    matrix = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]], np.float32)
    return np.asarray(cv2.warpAffine(photo, matrix, (512, 512), borderValue=(120, 120, 120)))


# decisions ----------------------------------------------------------------------------------


def decider(pipeline: Pipeline, template: Template, *, follow: bool) -> DecideFrame:
    """Decides on frames whose faces are followed, or all of which are searched whole."""
    search = FrameSearch(pipeline)

    def decide(frame: Frame, *, whole: bool) -> Decision:
        def embed(image_rgb: ByteArray) -> object:
            return search.embed_probe(frame, whole=whole or not follow)

        with mock.patch.object(pipeline, "embed_probe", embed):
            return verify_photo(frame.image_rgb, template, pipeline)

    return decide


def both_decisions(
    frames: list[Frame], pipeline: Pipeline, template: Template
) -> list[tuple[Outcome, bool]]:
    decisions = []
    for follow in (True, False):
        try:
            decision = vote(frames, decider(pipeline, template, follow=follow))
        except NoFaceFound:
            decisions.append((Outcome.NO_FACE, False))
        else:
            decisions.append((decision.outcome, bool(decision)))
    return decisions


def test_the_frame_that_decides_is_searched_whole_even_if_no_change_was_seen(
    pipeline: Pipeline, template: Template, astronaut: ByteArray
) -> None:
    """The second face comes when one vote is left: nothing unlocks while it is there."""
    alone, both = at(0, astronaut), at(0, astronaut, astronaut)
    with mock.patch.object(Surroundings, "may_show_rival", return_value=False):
        for frames in (film(alone, alone, both, both), film(alone, both, both, both)):
            decide = decider(pipeline, template, follow=True)
            assert vote(frames, decide).outcome is Outcome.SEVERAL_FACES


@pytest.mark.parametrize(
    "script",
    ["hhh", "hhwhh", "hbhbh", "bbb", "hhb", "hbb", "www", "hsh", "sss", "hshsh", "shshs", "hhbbh"],
)
def test_following_decides_as_whole_searches_do(
    pipeline: Pipeline, template: Template, astronaut: ByteArray, stranger: ByteArray, script: str
) -> None:
    """h: her; b: both of two; w: a wall; s: somebody else at her place."""
    other = placed_like(stranger, pipeline, pipeline.door_face(astronaut).box_xyxy)
    rooms = {
        "h": at(0, astronaut),
        "b": at(0, astronaut, astronaut),
        "w": ROOM,
        "s": at(0, other),
    }
    followed, whole = both_decisions(film(*(rooms[one] for one in script)), pipeline, template)
    assert followed == whole
