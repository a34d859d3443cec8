"""Choose which of several faces is meant, by the four methods of facenet-pytorch."""

from __future__ import annotations

import numpy as np

from mien.faces.geometry import IndexArray, box_areas
from mien.results import Faces

SELECTION_METHODS = ("probability", "largest", "largest_over_threshold", "center_weighted_size")
MIN_SCORE = 0.9  # of `largest_over_threshold`
CENTRE_WEIGHT = 2.0  # area that one squared pixel of distance from the centre costs


def rank_faces(faces: Faces, method: str, image_shape: tuple[int, ...]) -> IndexArray:
    """Row numbers of `faces`, best first; ties keep the detector's order: (k,).

    probability: highest score first. largest: largest area first. largest_over_threshold:
    the same among faces with a score above 0.9; the others are left out.
    center_weighted_size: area minus twice the squared distance between the box's
    middle and the image's. ValueError for another method.
    """
    areas = box_areas(faces.boxes_xyxy)
    if method == "probability":
        return _descending(faces.scores)
    if method == "largest":
        return _descending(areas)
    if method == "largest_over_threshold":
        rows = _descending(areas)
        return rows[faces.scores[rows] > MIN_SCORE]
    if method == "center_weighted_size":
        middle = np.array([image_shape[1] / 2, image_shape[0] / 2], np.float32)
        centres = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2
        return _descending(areas - CENTRE_WEIGHT * np.sum((centres - middle) ** 2, axis=1))
    raise ValueError(f"unknown selection_method {method!r}; known: {', '.join(SELECTION_METHODS)}")


def _descending(values: np.typing.NDArray[np.float32]) -> IndexArray:
    return np.argsort(-values, kind="stable")
