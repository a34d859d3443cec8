"""The mesh lies on the face, and a head that turns is told from a flat picture that turns.

The turns are renderings: the mesh of a public-domain photo, turned by arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.app.pipeline import Pipeline
from mien.errors import ModelMissing
from mien.liveness.challenge import TURN_DEG, TURN_PARALLAX, TURN_RESIDUAL
from mien.liveness.mesh import (
    NEAR_RIGID,
    NOSE_TIP,
    Float64Array,
    crop_matrix,
    measure_turn,
    open_mesh,
)
from mien.results import ByteArray, Face
from mien.settings import ENGINES, Settings


@pytest.fixture(scope="module")
def face(pipeline: Pipeline, astronaut: ByteArray) -> Face:
    return pipeline.door_face(astronaut)


@pytest.fixture(scope="module")
def anchor(with_liveness: Settings, astronaut: ByteArray, face: Face) -> Float64Array:
    return open_mesh(with_liveness)(astronaut, face)


def turned(points: Float64Array, degrees: float, *, flat: bool = False) -> Float64Array:
    """The points turned about the vertical, to the person's left if positive."""
    centre = points.mean(axis=0)
    moved = (points - centre) * ([1, 1, 0] if flat else [1, 1, 1])
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y, z = moved.T
    return np.column_stack([x * cos - z * sin, y, x * sin + z * cos]) + centre


@pytest.mark.parametrize("engine", ENGINES)
def test_the_mesh_lies_on_the_face(
    with_liveness: Settings, astronaut: ByteArray, face: Face, engine: str
) -> None:
    pytest.importorskip(engine, reason=f"needs {engine}: pip install '.[{engine}]'")
    points = open_mesh(replace(with_liveness, engine=engine))(astronaut, face)
    assert points.shape == (468, 3)
    near = 0.25 * face.eye_distance_px
    assert np.linalg.norm(points[NOSE_TIP, :2] - face.points_xy[2]) < near
    for rows, number in (([33, 133], 0), ([362, 263], 1)):
        assert np.linalg.norm(points[rows, :2].mean(axis=0) - face.points_xy[number]) < near


def test_the_anchor_has_not_turned_from_itself(anchor: Float64Array) -> None:
    turn = measure_turn(anchor, anchor)
    assert (turn.yaw_deg, turn.parallax, turn.scale) == (0.0, 0.0, 1.0)
    assert turn.residual < 1e-9


@pytest.mark.parametrize("degrees", [30.0, -30.0])
def test_a_head_that_turns_has_yaw_parallax_and_residual(
    anchor: Float64Array, degrees: float
) -> None:
    turn = measure_turn(turned(anchor, degrees), anchor)
    sign = math.copysign(1.0, degrees)
    assert turn.yaw_deg == pytest.approx(degrees, abs=3.0)
    assert sign * turn.yaw_deg >= TURN_DEG
    assert sign * turn.parallax >= TURN_PARALLAX
    assert turn.residual >= TURN_RESIDUAL
    assert turn.scale == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("degrees", [30.0, -45.0])
def test_a_flat_picture_that_turns_has_neither_parallax_nor_residual(
    anchor: Float64Array, degrees: float
) -> None:
    turn = measure_turn(turned(anchor, degrees, flat=True), anchor)
    assert abs(turn.parallax) < 0.01
    assert turn.residual < 0.01


def test_coming_closer_and_moving_change_the_scale_alone(anchor: Float64Array) -> None:
    turn = measure_turn(anchor * 1.4 + [30.0, -20.0, 0.0], anchor)
    assert turn.scale == pytest.approx(1.4)
    assert max(abs(turn.yaw_deg), abs(turn.parallax), turn.residual) < 1e-9


def test_the_eyes_are_level_in_the_crop() -> None:
    points = np.array([[10, 10], [20, 20], [0, 0], [0, 0], [0, 0]], np.float32)
    face = Face(np.array([0, 0, 30, 40], np.float32), points, 1.0)
    to_image = crop_matrix(face)
    across = to_image[:, 0]
    assert across[0] == pytest.approx(across[1])
    assert math.hypot(*across) == pytest.approx(1.38 * 40 / 192)
    np.testing.assert_allclose(to_image @ [95.5, 95.5, 1.0], [15.0, 20.0])


@pytest.mark.parametrize("edges", [(0, 0, 0, 0), (0, 0, math.nan, 9), (0, 0, math.inf, 9)])
def test_a_face_without_size_is_an_error(edges: tuple[float, ...]) -> None:
    points = np.array([[1, 1], [2, 1], [0, 0], [0, 0], [0, 0]], np.float32)
    with pytest.raises(ValueError, match="no size"):
        crop_matrix(Face(np.array(edges, np.float32), points, 1.0))
    with pytest.raises(ValueError, match="no size"):
        crop_matrix(Face(np.array([0, 0, 9, 9], np.float32), np.zeros((5, 2), np.float32), 1.0))


def test_there_are_thirty_near_rigid_points() -> None:
    assert len(set(NEAR_RIGID)) == 30


def test_without_the_net_the_command_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="run: mien models add liveness"):
        open_mesh(replace(settings, data_dir=tmp_path))
