"""The passive score: the right crop, the mean of two nets, and a refusal when in doubt."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.app.pipeline import Pipeline
from mien.errors import ModelMissing
from mien.liveness.passive import (
    FLOOR,
    PassiveResult,
    PassiveScorer,
    crop_bgr,
    judge_frames,
    logit,
    open_scorer,
    widen_box,
)
from mien.results import ByteArray, Face, FloatArray
from mien.settings import ENGINES, Settings


def box(*edges: float) -> FloatArray:
    return np.array(edges, np.float32)


class Says:
    """A net that gives one probability of "live", and keeps what it was given."""

    def __init__(self, live: float) -> None:
        self.live = live
        self.given: list[FloatArray] = []

    def __call__(self, pixels: FloatArray) -> FloatArray:
        self.given.append(pixels)
        return np.array([[0.0, self.live, 1.0 - self.live]], np.float32)


FACE = Face(box(40, 40, 60, 60), np.zeros((5, 2), np.float32), 1.0)


@pytest.mark.parametrize(
    ("edges", "scale", "expected"),
    [
        ((40, 40, 60, 60), 2.0, (30, 30, 70, 70)),  # about its centre
        ((0, 40, 20, 60), 2.0, (0, 30, 40, 70)),  # slid to the right
        ((80, 80, 100, 100), 2.0, (59, 59, 99, 99)),  # slid up and to the left
        ((40, 40, 60, 60), 9.0, (0, 0, 99, 99)),  # the scale is lowered: no wider than the picture
        ((20, 10, 60, 90), 2.7, (15, 0, 64, 99)),  # by the height, which is used up first
        ((-50, 40, -30, 60), 2.0, (0, 30, 40, 70)),  # a box outside
    ],
)
def test_a_box_is_widened_and_kept_inside_the_picture(
    edges: tuple[float, ...], scale: float, expected: tuple[int, ...]
) -> None:
    found = widen_box(box(*edges), scale, width=100, height=100)
    assert np.abs(np.subtract(found, expected)).max() <= 1
    assert min(found) >= 0
    assert max(found) <= 99


@pytest.mark.parametrize("edges", [(40, 40, 40, 60), (40, 60, 60, 40), (float("nan"), 0, 1, 1)])
def test_a_box_without_area_or_with_a_nan_is_an_error(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="not finite or has no area"):
        widen_box(box(*edges), 2.7, width=100, height=100)


def test_the_crop_is_bgr_of_0_to_255() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[..., 0] = 200  # red
    crop = crop_bgr(image, box(40, 40, 60, 60), 2.7)
    assert crop.shape == (1, 3, 80, 80)
    assert crop.dtype == np.float32
    assert [float(plane.mean()) for plane in crop[0]] == [0.0, 0.0, 200.0]


def test_the_crop_is_opencv_s_bilinear_resize(astronaut: ByteArray) -> None:
    cv2 = pytest.importorskip("cv2")
    left, top, right, bottom = widen_box(box(170, 80, 270, 200), 2.7, width=512, height=512)
    cut = astronaut[top : bottom + 1, left : right + 1, ::-1]
    expected = cv2.resize(np.ascontiguousarray(cut), (80, 80)).astype(np.float32)
    found = crop_bgr(astronaut, box(170, 80, 270, 200), 2.7)[0].transpose(1, 2, 0)
    assert np.abs(found - expected).max() <= 1.0  # OpenCV rounds its weights


def test_a_picture_of_one_pixel_is_no_error() -> None:
    assert crop_bgr(np.zeros((1, 1, 3), np.uint8), box(0, 0, 1, 1), 4.0).shape == (1, 3, 80, 80)


def test_the_score_is_the_mean_of_the_two_logits() -> None:
    scorer = PassiveScorer(Says(0.9), Says(0.2))
    expected = (math.log(9.0) + math.log(0.25)) / 2
    assert scorer(np.zeros((100, 100, 3), np.uint8), FACE) == pytest.approx(expected, abs=1e-6)


def test_each_net_gets_its_own_crop() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[35:65, 35:65] = 255
    v2, v1se = Says(0.5), Says(0.5)
    PassiveScorer(v2, v1se)(image, FACE)
    assert v2.given[0].mean() > v1se.given[0].mean() > 0  # V1SE's is wider


@pytest.mark.parametrize(("live", "expected"), [(1.0, 9.21024), (0.0, -9.21024), (0.5, 0.0)])
def test_one_sure_frame_is_cut_off(live: float, expected: float) -> None:
    assert logit(live) == pytest.approx(expected, abs=1e-4)


def test_the_score_of_an_attempt_is_the_mean_over_its_frames() -> None:
    result = judge_frames([3.0, -1.0, 1.0])
    assert (result.score, result.threshold, result.frames) == (1.0, 0.0, 3)
    assert result
    assert judge_frames([0.0])
    assert not judge_frames([-0.01])
    assert not judge_frames([1.0], threshold=1.5)


@pytest.mark.parametrize("scores", [[], [math.nan], [5.0, math.nan], [math.inf]])
def test_without_a_number_an_attempt_is_refused(scores: list[float]) -> None:
    assert not judge_frames(scores)


def test_a_net_that_gives_nan_refuses() -> None:
    score = PassiveScorer(Says(math.nan), Says(0.9))(np.zeros((100, 100, 3), np.uint8), FACE)
    assert math.isnan(score)
    assert not judge_frames([score])


@pytest.mark.parametrize("threshold", [-0.1, math.nan])
def test_a_threshold_below_the_floor_is_an_error(threshold: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        PassiveResult(1.0, threshold, 1)
    assert FLOOR == 0.0


def test_the_pair_says_how_to_be_added_where_it_is_not(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="run: mien models add liveness"):
        open_scorer(replace(settings, data_dir=tmp_path))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_photo_of_a_person_scores_above_its_print_in_the_middle_of_a_page(
    with_liveness: Settings, pipeline: Pipeline, astronaut: ByteArray, engine: str
) -> None:
    pytest.importorskip(engine, reason=f"needs {engine}: pip install '.[{engine}]'")
    scorer = open_scorer(replace(with_liveness, engine=engine))
    face = pipeline.door_face(astronaut)
    page = np.full((1024, 1024, 3), 235, np.uint8)
    page[256:768, 256:768] = astronaut // 2 + 60  # paler, with a white margin
    moved = Face(face.box_xyxy + np.float32(256), face.points_xy + np.float32(256), face.score)
    assert scorer(astronaut, face) > scorer(page, moved)
