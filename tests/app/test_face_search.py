"""Turned photos and faces at the border, with a detector that is written down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pytest

from mien.app.face_search import (
    LARGE_FROM_PIXELS,
    MARGIN_SHARE,
    MAX_TURNED_PIXELS,
    MAX_TURNED_PIXELS_AGAIN,
    SURE_SCORE,
    SURE_TO_ENROLL,
    SURELY_ALONE,
    FindFace,
    FoundFace,
    find_near_border,
    find_upright,
)
from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, SeveralFacesFound
from mien.results import ByteArray, Face

POINTS = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def face_at(left: float, top: float, size: float = 40.0, score: float = 0.99) -> Face:
    box = np.array([left, top, left + size, top + size], np.float32)
    return Face(box, POINTS / 100 * size + box[:2], score)


def marked(height: int = 200, width: int = 300) -> ByteArray:
    """A grey photo whose upper left corner is white."""
    image = np.full((height, width, 3), 100, np.uint8)
    image[:40, :40] = 255
    return image


def detector(scores: dict[int, float | type[Exception]], calls: list[int]) -> FindFace:
    """Scores by the number of quarter turns, which it sees by the white corner."""

    def find(image: ByteArray) -> Face:
        corners = [image[0, 0], image[-1, 0], image[-1, -1], image[0, -1]]
        turns = int(np.argmax([int(corner[0]) for corner in corners]))
        calls.append(turns)
        found = scores.get(turns, NoFaceFound)
        if isinstance(found, type):
            raise found("no face")
        return face_at(60, 50, score=found)

    return find


def test_a_sure_face_is_searched_once() -> None:
    calls: list[int] = []
    found = find_upright(marked(), detector({0: SURE_SCORE, 1: 1.0}, calls))
    assert (found.quarter_turns, calls) == (0, [0])


@pytest.mark.parametrize(
    ("scores", "turns"),
    [
        ({0: 0.98, 1: 0.9, 2: 0.99, 3: 0.95}, 2),
        ({0: 0.98, 1: 0.9}, 0),
        ({0: 0.98, 1: 0.98}, 0),
        ({1: 0.7}, 1),
        ({3: 0.8, 2: 0.7}, 3),
        ({0: 0.7, 1: SeveralFacesFound, 2: 0.75}, 2),
    ],
)
def test_the_turn_with_the_surest_face_is_used(
    scores: dict[int, float | type[Exception]], turns: int
) -> None:
    image = marked()
    found = find_upright(image, detector(scores, []))
    assert found.quarter_turns == turns
    np.testing.assert_array_equal(found.image_rgb, np.rot90(image, turns))


@pytest.mark.parametrize(
    ("scores", "turns"),
    [
        ({0: SURE_TO_ENROLL, 1: 1.0}, 0),
        ({0: SURE_TO_ENROLL - 1e-6, 1: 1.0}, 1),
        ({0: SURE_SCORE, 2: 0.999}, 2),
        ({0: SURELY_ALONE, 1: SeveralFacesFound}, 0),
        ({0: 0.98, 1: 0.97, 2: 0.99}, 2),
    ],
)
def test_a_photo_to_enroll_needs_a_surer_face(
    scores: dict[int, float | type[Exception]], turns: int
) -> None:
    found = find_upright(marked(), detector(scores, []), carefully=True)
    assert found.quarter_turns == turns


@pytest.mark.parametrize(
    "scores",
    [
        {0: SURELY_ALONE - 1e-6, 2: SeveralFacesFound},
        {0: 0.98, 1: 0.99, 2: SeveralFacesFound},
        {2: SeveralFacesFound},
    ],
)
def test_a_photo_to_enroll_whose_turn_shows_several_people_is_refused(
    scores: dict[int, float | type[Exception]],
) -> None:
    """Upside down a detector may miss all but one of them."""
    with pytest.raises(SeveralFacesFound):
        find_upright(marked(), detector(scores, []), carefully=True)


def test_a_photo_without_a_face_in_any_turn_has_none() -> None:
    calls: list[int] = []
    with pytest.raises(NoFaceFound):
        find_upright(marked(), detector({}, calls))
    assert calls == [0, 1, 2, 3]


def test_several_faces_are_refused_without_a_search_of_turns() -> None:
    calls: list[int] = []
    with pytest.raises(SeveralFacesFound):
        find_upright(marked(), detector({0: SeveralFacesFound, 1: 1.0}, calls))
    assert calls == [0]


def test_turns_of_a_large_photo_are_compared_on_a_small_one() -> None:
    sizes: list[int] = []
    inner = detector({2: 0.9}, [])

    def find(image: ByteArray) -> Face:
        sizes.append(image.shape[0] * image.shape[1])
        return inner(image)

    find_upright(marked(1500, 2000), find)
    assert max(sizes[1:4]) <= MAX_TURNED_PIXELS
    assert sizes[0] == sizes[4] == 3_000_000


@pytest.mark.parametrize("turns", range(4))
def test_a_face_is_given_in_pixels_of_the_photo_as_it_was_read(turns: int) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[120:130, 40:60] = 255
    turned = np.ascontiguousarray(np.rot90(image, turns))
    rows, columns = np.nonzero(turned[..., 0])
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    points = np.repeat([[box[0], box[1]]], 5, axis=0)
    face = Face(np.array(box, np.float32), np.array(points, np.float32), 0.9)
    found = FoundFace(turned, face, turns).face_as_read
    np.testing.assert_array_equal(found.box_xyxy, [40, 120, 60, 130])
    assert found.points_xy[0].tolist() in ([40, 120], [60, 120], [60, 130], [40, 130])
    assert found.score == 0.9


# faces at the border -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "searched"), [(0.7, True), (0.9, False), (-5.0, True), (60.0, False)]
)
def test_a_face_near_the_border_is_searched_again(left: float, searched: bool) -> None:
    shapes: list[tuple[int, ...]] = []
    margin = int(MARGIN_SHARE * 40)

    def find(image: ByteArray) -> Face:
        shapes.append(image.shape)
        assert not image[:margin].any()
        assert not image[:, -margin:].any()
        return face_at(left + margin + 1, 50 + margin, score=0.97)

    found = find_near_border(marked(), face_at(left, 50), find)
    assert shapes == ([(200 + 2 * margin, 300 + 2 * margin, 3)] if searched else [])
    assert found.box_xyxy[0] == pytest.approx(left + (1 if searched else 0))
    assert found.score == (0.97 if searched else 0.99)


@pytest.mark.parametrize(
    "find",
    [
        lambda image: face_at(200, 50),
        detector({}, []),
        detector(dict.fromkeys(range(4), SeveralFacesFound), []),
    ],
)
def test_the_first_face_stays_if_the_second_search_finds_another_or_none(
    find: Callable[[ByteArray], Face],
) -> None:
    first = face_at(0, 50)
    assert find_near_border(marked(), first, find) is first


def test_overhang_is_how_far_the_box_reaches_over_the_border() -> None:
    assert FoundFace(marked(), face_at(-4, 50)).overhang == pytest.approx(0.1)
    assert FoundFace(marked(), face_at(268, 50)).overhang == pytest.approx(0.2)
    assert FoundFace(marked(), face_at(100, 20)).overhang == pytest.approx(-0.5)


# real photos -------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_is_recognised_as_the_upright_one(
    pipeline: Pipeline, astronaut: ByteArray, turns: int
) -> None:
    upright = pipeline.embed_probe(astronaut)
    turned = pipeline.embed_probe(np.ascontiguousarray(np.rot90(astronaut, turns)))
    assert float(turned.vector @ upright.vector) > 0.99
    assert turned.faults == ()


def test_turns_are_not_searched_if_the_pipeline_is_told_so(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    fixed = Pipeline(pipeline.cascade, pipeline.embedder, pipeline.matcher, pipeline.gates)
    fixed.search_turns = False
    assert fixed.find_face(astronaut).quarter_turns == 0
    lying = np.ascontiguousarray(np.rot90(astronaut))
    with contextlib.suppress(NoFaceFound):
        assert fixed.find_face(lying).quarter_turns == 0
    assert pipeline.find_face(lying).quarter_turns == 3


def test_a_face_that_fills_the_photo_is_found_as_on_the_whole_photo(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    left, top, right, bottom = pipeline.door_face(astronaut).box_xyxy.astype(int)
    tight = np.ascontiguousarray(astronaut[top:bottom, left:right])
    whole = pipeline.embed_probe(astronaut).vector
    assert float(pipeline.embed_probe(tight).vector @ whole) > 0.8


def test_turns_of_an_unsure_face_are_searched_around_it_and_not_over_a_large_photo() -> None:
    image = np.zeros((2000, 3000, 3), np.uint8)
    shapes: list[tuple[int, ...]] = []

    def find(seen: ByteArray) -> Face:
        shapes.append(seen.shape[:2])
        return face_at(1500, 1000, size=100, score=0.9)

    find_upright(image, find)
    assert shapes[:4] == [(2000, 3000), (300, 300), (300, 300), (300, 300)]


def test_the_surroundings_of_a_face_end_at_the_border() -> None:
    shapes: list[tuple[int, ...]] = []

    def find(seen: ByteArray) -> Face:
        shapes.append(seen.shape[:2])
        return face_at(-20, 180, size=40, score=0.9)

    find_upright(marked(200, 300), find)
    assert shapes[1] == (60, 60)  # turned: rows 140 to 200, columns 0 to 60


@pytest.mark.parametrize(("height", "width"), [(1000, 1000), (1000, 1001), (2000, 3000)])
def test_a_large_photo_without_a_face_is_searched_once_more_less_shrunk(
    height: int, width: int
) -> None:
    searched: list[int] = []

    def find(seen: ByteArray) -> Face:
        searched.append(seen.shape[0] * seen.shape[1])
        raise NoFaceFound("no face")

    with pytest.raises(NoFaceFound):
        find_upright(np.zeros((height, width, 3), np.uint8), find)
    passes = 1 + (height * width > LARGE_FROM_PIXELS)
    assert len(searched) == 1 + 3 * passes
    assert max(searched[1:4]) <= MAX_TURNED_PIXELS
    assert all(size <= MAX_TURNED_PIXELS_AGAIN for size in searched[4:])
    assert not searched[4:] or min(searched[4:]) > MAX_TURNED_PIXELS
