"""Choose one of several faces: the one at the door, or by the methods of facenet-pytorch."""

from __future__ import annotations

import numpy as np

from mien.errors import NoFaceFound, SeveralFacesFound
from mien.faces.geometry import IndexArray, box_areas
from mien.results import Face, Faces

SELECTION_METHODS = ("probability", "largest", "largest_over_threshold", "center_weighted_size")
MIN_SCORE = 0.9  # of `largest_over_threshold`
CENTRE_WEIGHT = 2.0  # area that one squared pixel of distance from the centre costs

MIN_DOOR_FACE_PX = 40  # below this the crop is enlarged almost threefold, and similarity is noise
DOOR_RIVAL_SHARE = 0.5  # a second face this high, against the largest, may be the one that is meant


def choose_door_face(faces: Faces) -> Face:
    """The highest face, which stands at the door.

    Raises NoFaceFound if there is none of `MIN_DOOR_FACE_PX` height, and SeveralFacesFound if
    another is at least half as high, because it is then unclear whose face to decide on.
    """
    if len(faces) == 0:
        raise NoFaceFound("no face found; face the camera, in more light or closer")
    heights = faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]
    nearest = int(np.argmax(heights))
    if heights[nearest] < MIN_DOOR_FACE_PX:
        raise NoFaceFound(
            f"the largest face is {heights[nearest]:.0f} px high, {MIN_DOOR_FACE_PX} are "
            "needed; move closer"
        )
    rivals = len(door_rivals(faces))
    if rivals > 1:
        raise SeveralFacesFound(f"{rivals} faces of similar size; only one person at a time")
    return faces[nearest]


def door_rivals(faces: Faces) -> Faces:
    """The faces that may be meant: the highest one, and those at least half as high."""
    heights = faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]
    if len(heights) == 0:
        return faces
    return faces.take(np.flatnonzero(heights >= heights.max() * DOOR_RIVAL_SHARE))


def rank_faces(
    faces: Faces,
    method: str,
    image_shape: tuple[int, ...],
    *,
    min_score: float = MIN_SCORE,
    centre_weight: float = CENTRE_WEIGHT,
) -> IndexArray:
    """Row numbers of `faces`, best first; ties keep the detector's order: (k,).

    probability: highest score first. largest: largest area first. largest_over_threshold:
    the same among faces with a score above `min_score`; the others are left out.
    center_weighted_size: area minus `centre_weight` times the squared distance between the box's
    middle and the image's. ValueError for another method.
    """
    areas = box_areas(faces.boxes_xyxy)
    if method == "probability":
        return _descending(faces.scores)
    if method == "largest":
        return _descending(areas)
    if method == "largest_over_threshold":
        rows = _descending(areas)
        return rows[faces.scores[rows] > min_score]
    if method == "center_weighted_size":
        middle = np.array([image_shape[1] / 2, image_shape[0] / 2], np.float32)
        centres = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2
        return _descending(areas - centre_weight * np.sum((centres - middle) ** 2, axis=1))
    raise ValueError(unknown_method(method))


def unknown_method(method: object) -> str:
    """The message for a selection method that does not exist."""
    return f"unknown selection_method {method!r}; known: {', '.join(SELECTION_METHODS)}"


def _descending(values: np.typing.NDArray[np.float32]) -> IndexArray:
    return np.argsort(-values, kind="stable")
