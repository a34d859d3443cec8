"""The choice of the face on pictures with none, one or several, composed of one real face."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mien.app.pipeline import MAX_DOOR_PIXELS, Pipeline, open_pipeline
from mien.errors import NoFaceFound, Outcome, SeveralFacesFound, UsageError
from mien.faces.select import MIN_DOOR_FACE_PX
from mien.models import EMBEDDERS
from mien.results import ByteArray, FloatArray
from mien.settings import Settings


def scaled(photo: ByteArray, side: int) -> ByteArray:
    return np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.LANCZOS))


def placed(photo: ByteArray, on: ByteArray, left: int, top: int) -> ByteArray:
    """A copy of `on` with the photo pasted into it."""
    picture = on.copy()
    picture[top : top + len(photo), left : left + photo.shape[1]] = photo
    return picture


def middle_of(box_xyxy: FloatArray) -> tuple[float, float]:
    return float(box_xyxy[0] + box_xyxy[2]) / 2, float(box_xyxy[1] + box_xyxy[3]) / 2


def test_the_face_of_a_portrait_is_found_with_its_points_in_place(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    face = pipeline.door_face(astronaut)
    left, top, right, bottom = face.box_xyxy
    assert 175 < left < 190
    assert 55 < top < 70
    assert 260 < right < 275
    assert 165 < bottom < 180
    assert face.score > 0.99
    inside = (face.points_xy > face.box_xyxy[:2]) & (face.points_xy < face.box_xyxy[2:])
    assert inside.all()
    eyes, nose, mouth = face.points_xy[:2, 1], face.points_xy[2, 1], face.points_xy[3:, 1]
    assert eyes.max() < nose < mouth.min()
    assert face.points_xy[0, 0] < face.points_xy[1, 0]  # the viewer's left comes first


@pytest.mark.parametrize("level", [0, 127, 255])
def test_a_blank_picture_has_no_usable_face(pipeline: Pipeline, level: int) -> None:
    blank = np.full((240, 320, 3), level, np.uint8)
    assert len(pipeline.faces(blank)) == 0
    with pytest.raises(NoFaceFound, match="no face found; face the camera") as caught:
        pipeline.door_face(blank)
    assert caught.value.outcome is Outcome.NO_FACE


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 500), (500, 1), (11, 11), (12, 12), (20, 20)])
def test_a_picture_too_small_for_a_face_has_no_usable_face(
    pipeline: Pipeline, size_wh: tuple[int, int]
) -> None:
    with pytest.raises(NoFaceFound):
        pipeline.door_face(np.full((size_wh[1], size_wh[0], 3), 90, np.uint8))


def test_a_face_too_small_is_refused_with_both_sizes(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    blank = np.zeros((512, 512, 3), np.uint8)
    with pytest.raises(NoFaceFound) as caught:
        pipeline.door_face(placed(scaled(astronaut, 150), blank, 100, 100))
    words = str(caught.value)
    assert words.startswith("the largest face is ")
    assert f" px high, {MIN_DOOR_FACE_PX} are needed; move closer" in words
    assert 25 < int(words.split()[4]) < MIN_DOOR_FACE_PX


def test_two_faces_of_one_size_are_refused(pipeline: Pipeline, astronaut: ByteArray) -> None:
    with pytest.raises(SeveralFacesFound, match="2 faces of similar size") as caught:
        pipeline.door_face(np.hstack([astronaut, astronaut]))
    assert caught.value.outcome is Outcome.SEVERAL_FACES


def test_a_second_face_of_more_than_half_the_height_is_refused(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    pair = placed(scaled(astronaut, 330), np.hstack([astronaut, astronaut * 0]), 600, 100)
    with pytest.raises(SeveralFacesFound):
        pipeline.door_face(pair)


@pytest.mark.parametrize("side", [100, 150, 200])
def test_a_small_face_in_the_background_does_not_lock_the_owner_out(
    pipeline: Pipeline, astronaut: ByteArray, side: int
) -> None:
    alone = pipeline.door_face(astronaut)
    crowd = placed(scaled(astronaut, side), np.hstack([astronaut, astronaut * 0]), 700, 200)
    assert len(pipeline.faces(crowd)) > 1 or side == 100
    face = pipeline.door_face(crowd)
    np.testing.assert_allclose(face.box_xyxy, alone.box_xyxy, atol=2)


def test_the_nearest_of_several_faces_is_chosen_wherever_it_is(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    canvas = np.zeros((512, 1024, 3), np.uint8)
    crowd = placed(astronaut, placed(scaled(astronaut, 180), canvas, 20, 20), 512, 0)
    x, y = middle_of(pipeline.door_face(crowd).box_xyxy)
    assert 512 + 175 < x < 512 + 275
    assert 62 < y < 172


def test_embed_probe_finds_crops_and_embeds_a_face(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    probe = pipeline.embed_probe(astronaut)
    face, vector = probe.face, probe.vector
    assert vector.shape == (128,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
    by_hand = pipeline.embed([pipeline.crop(astronaut, face)])[0]
    np.testing.assert_array_equal(vector, by_hand)


def test_analysing_does_not_change_the_picture(pipeline: Pipeline, astronaut: ByteArray) -> None:
    photo = astronaut.copy()
    pipeline.embed_probe(photo)
    np.testing.assert_array_equal(photo, astronaut)


def test_the_pipeline_knows_its_model_and_threshold(pipeline: Pipeline) -> None:
    row = EMBEDDERS["sface"]
    assert pipeline.model == row.id
    assert pipeline.model.sha256 == row.model.sha256
    assert pipeline.matcher.threshold_for(photos=1).model == pipeline.model.name


def test_an_unknown_embedder_is_refused_by_name(settings: Settings) -> None:
    with pytest.raises(UsageError, match="unknown model 'facenet'; choose one of sface"):
        open_pipeline(settings, "facenet")


def test_a_large_picture_is_searched_shrunk_and_boxes_are_in_its_own_pixels(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    small = pipeline.door_face(astronaut)
    large = pipeline.door_face(np.repeat(np.repeat(astronaut, 5, axis=0), 5, axis=1))
    assert astronaut.size * 25 / 3 > MAX_DOOR_PIXELS
    assert np.abs(large.points_xy / 5 - small.points_xy).max() < 0.03 * small.eye_distance_px


@pytest.mark.parametrize(
    ("level", "advice"), [(255, "in less light: the photo is over-exposed"), (120, "in more light")]
)
def test_the_advice_without_a_face_depends_on_the_light(
    pipeline: Pipeline, level: int, advice: str
) -> None:
    with pytest.raises(NoFaceFound, match=advice):
        pipeline.door_face(np.full((200, 200, 3), level, np.uint8))
