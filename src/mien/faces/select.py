"""Which of several faces is meant: facenet-pytorch's four rules, on the records of `detect`."""

from __future__ import annotations

import numpy as np

from mien.faces.geometry import IndexArray, box_areas
from mien.results import Faces

SELECTION_METHODS = ("probability", "largest", "largest_over_threshold", "center_weighted_size")
SURE = 0.9  # what `largest_over_threshold` calls sure
CENTRE_WEIGHT = 2.0  # pixels of area that a squared pixel off the middle costs


def rank_faces(faces: Faces, method: str, image_shape: tuple[int, ...]) -> IndexArray:
    """Rows of `faces`, the one that is meant first; ties keep the detector's order.

    probability: surest first. largest: largest area first. largest_over_threshold:
    the same among faces with a score above 0.9; the others are left out.
    center_weighted_size: area minus twice the squared distance between the box's
    middle and the image's. ValueError for another method.
    """
    areas = box_areas(faces.boxes_xyxy)
    if method == "probability":
        return _falling(faces.scores)
    if method == "largest":
        return _falling(areas)
    if method == "largest_over_threshold":
        rows = _falling(areas)
        return rows[faces.scores[rows] > SURE]
    if method == "center_weighted_size":
        middle = np.array([image_shape[1] / 2, image_shape[0] / 2], np.float32)
        centres = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2
        return _falling(areas - CENTRE_WEIGHT * np.sum((centres - middle) ** 2, axis=1))
    raise ValueError(f"unknown selection_method {method!r}; known: {', '.join(SELECTION_METHODS)}")


def _falling(values: np.typing.NDArray[np.float32]) -> IndexArray:
    return np.argsort(-values, kind="stable")
