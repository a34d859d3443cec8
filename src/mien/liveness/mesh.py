"""Find the mesh of a face, and measure how it has turned from the anchor of a challenge.

The net is MediaPipe's face mesh (Kartynnik, Ablavatski, Grishchenko, Grundmann, "Real-time Facial
Surface Geometry from Monocular Video on Mobile GPUs", 2019). Degrees are those of its own depth,
which is compressed: a profile reads 43. They are not shown to people.

The near-rigid points are this module's choice. The thresholds of `mien.liveness.challenge` were
measured with 30 points that were not published: how many people pass with these is not known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.faces.align import sample_bilinear
from mien.models import FACE_MESH, Net, open_net, read_added_graph
from mien.results import ByteArray, Face, FloatArray
from mien.settings import Settings

SIDE = 192
POINTS = 468
BOX_SHARE = 1.38  # side of the crop over the longer side of the box

# numbers of points, left and right as the viewer sees them
LEFT_CHEEK, RIGHT_CHEEK = 234, 454
LEFT_EYE, RIGHT_EYE = [33, 133], [362, 263]
MOUTH = [61, 291]
NOSE_TIP = 1
NEAR_RIGID = [
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327),  # forehead and nose
    *(33, 133, 362, 263, 127, 356, 234, 454, 93, 323),  # corners of the eyes, sides of the face
    *(67, 297, 109, 338, 54, 284),  # edge of the forehead
]

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Turn:
    """How a face differs from the anchor. yaw_deg, parallax: positive to the person's left.

    parallax: of the nose tip along the line of the eyes, in distances of the eyes, in the affine
    basis of both eyes and the mouth. residual: root mean square of the near-rigid points after
    the best affine map from the anchor, in distances of the eyes. A flat picture that is turned
    has neither. scale: distance of eyes and mouth over that of the anchor.
    """

    yaw_deg: float
    parallax: float
    residual: float
    scale: float


class MeshFinder:
    """Finds the 468 points of a face."""

    def __init__(self, net: Net) -> None:
        self._net = net

    def __call__(self, image_rgb: ByteArray, face: Face) -> Float64Array:
        """(468, 3) pixels of the picture: x, y, and depth, which grows away from the camera.

        image_rgb: (H, W, 3) uint8. ValueError if box or eyes are not finite or have no size.
        """
        to_image = crop_matrix(face)
        grid = np.arange(SIDE, dtype=np.float32)
        x, y = np.meshgrid(grid, grid)
        columns = (to_image[0, 0] * x + to_image[0, 1] * y + to_image[0, 2]).astype(np.float32)
        rows = (to_image[1, 0] * x + to_image[1, 1] * y + to_image[1, 2]).astype(np.float32)
        crop: FloatArray = sample_bilinear(image_rgb, columns, rows).astype(np.float32)
        output = self._net(np.ascontiguousarray(crop.transpose(2, 0, 1)[np.newaxis]))
        points = output[0, : 3 * POINTS].reshape(POINTS, 3).astype(np.float64)
        placed = points[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        return np.column_stack([placed, points[:, 2] * math.hypot(*to_image[:, 0])])


def open_mesh(settings: Settings) -> MeshFinder:
    """Load the net. Raises ModelMissing or ModelAltered, with the command that adds it."""
    graph = read_added_graph(FACE_MESH, settings.engine, settings.data_dir)
    return MeshFinder(open_net(graph, engine=settings.engine, threads=1))


def crop_matrix(face: Face) -> Float64Array:
    """(2, 3): pixels of the crop to pixels of the picture; the eyes are level in the crop."""
    box, points = face.box_xyxy.astype(np.float64), face.points_xy.astype(np.float64)
    side = BOX_SHARE * max(box[2] - box[0], box[3] - box[1])
    eyes = points[1] - points[0]
    length = math.hypot(*eyes)
    if not (math.isfinite(side) and math.isfinite(length) and side > 0 and length > 0):
        raise ValueError("the face's box or its eyes are not finite or have no size")
    scale = side / SIDE
    cos, sin = scale * eyes / length
    turn = np.array([[cos, -sin], [sin, cos]])
    centre = (box[:2] + box[2:]) / 2
    return np.column_stack([turn, centre - turn @ np.full(2, (SIDE - 1) / 2)])


def measure_turn(points: Float64Array, anchor: Float64Array) -> Turn:
    """How a mesh has turned from the anchor's; (468, 3) each."""
    nose, nose_before = _nose_place(points), _nose_place(anchor)
    return Turn(
        yaw_deg=yaw_degrees(points) - yaw_degrees(anchor),
        parallax=nose - nose_before,
        residual=_affine_residual(points, anchor),
        scale=_size(points) / _size(anchor),
    )


def yaw_degrees(points: Float64Array) -> float:
    """Angle of the line between the cheeks to the plane of the picture."""
    across = points[RIGHT_CHEEK] - points[LEFT_CHEEK]
    return math.degrees(math.atan2(across[2], math.hypot(across[0], across[1])))


def _nose_place(points: Float64Array) -> float:
    """Where the nose tip is along the line of the eyes: 0 at the left eye, 1 at the right."""
    left, right, mouth = _eyes_and_mouth(points)
    basis = np.column_stack([right - left, mouth - left])
    if abs(np.linalg.det(basis)) < 1e-9:
        return math.nan
    return float(np.linalg.solve(basis, points[NOSE_TIP, :2] - left)[0])


def _affine_residual(points: Float64Array, anchor: Float64Array) -> float:
    before = np.column_stack([anchor[NEAR_RIGID, :2], np.ones(len(NEAR_RIGID))])
    after = points[NEAR_RIGID, :2]
    fitted, *_ = np.linalg.lstsq(before, after, rcond=None)
    off = np.linalg.norm(before @ fitted - after, axis=1)
    left, right, _ = _eyes_and_mouth(anchor)
    # in units of the frame itself: a face that came closer has larger residuals
    unit = float(np.linalg.norm(right - left)) * _size(points) / _size(anchor)
    return float(np.sqrt(np.mean(off**2))) / unit


def _size(points: Float64Array) -> float:
    """From between the eyes to the mouth, pixels; turning the head does not change it."""
    left, right, mouth = _eyes_and_mouth(points)
    return float(np.linalg.norm(mouth - (left + right) / 2))


def _eyes_and_mouth(points: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    left, right, mouth = (points[rows, :2].mean(axis=0) for rows in (LEFT_EYE, RIGHT_EYE, MOUTH))
    return left, right, mouth
