"""Which face stands at the door: the highest one, if it is large enough and no other is near it."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import NoFaceFound, SeveralFacesFound
from mien.faces.select import choose_door_face
from mien.results import Faces


def faces_of(*heights: float) -> Faces:
    n = len(heights)
    boxes = np.array([[10 * at, 0, 10 * at + 5, h] for at, h in enumerate(heights)], np.float32)
    points = np.zeros((n, 5, 2), np.float32)
    return Faces(boxes.reshape(n, 4), points, np.full(n, 0.9, np.float32))


def test_without_a_face_there_is_no_door_face() -> None:
    with pytest.raises(NoFaceFound, match="no face found; face the camera"):
        choose_door_face(faces_of())


def test_forty_pixels_are_enough_and_less_is_too_small() -> None:
    assert choose_door_face(faces_of(40.0)).height_px == 40.0
    with pytest.raises(NoFaceFound, match="is 39 px high, 40 are needed; move closer"):
        choose_door_face(faces_of(39.4))


def test_a_second_face_of_half_the_height_is_refused_and_a_smaller_one_is_not() -> None:
    with pytest.raises(SeveralFacesFound, match="2 faces of similar size"):
        choose_door_face(faces_of(50.0, 100.0))
    assert choose_door_face(faces_of(49.5, 100.0)).height_px == 100.0
    assert choose_door_face(faces_of(100.0, 49.5, 20.0)).height_px == 100.0


def test_all_faces_of_similar_size_are_counted() -> None:
    with pytest.raises(SeveralFacesFound, match="3 faces of similar size"):
        choose_door_face(faces_of(60.0, 100.0, 80.0, 30.0))
