"""A fault in any stage of the pipeline is an error and never an accepted decision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mien.app.enroll import enroll_photos
from mien.app.pipeline import Pipeline
from mien.app.verify import verify_photo
from mien.errors import MienError, ModelMismatch, ModelUnavailable
from mien.faces.detect import Cascade
from mien.faces.embed import Embedder
from mien.lab.recapture import recapture
from mien.results import ByteArray, Crop, Decision, Face, Faces, FloatArray, Template


@pytest.fixture(scope="module")
def shot(astronaut: ByteArray) -> ByteArray:
    """Her again, a moment later."""
    return recapture(astronaut, np.random.default_rng(2))


@pytest.fixture(scope="module")
def template(pipeline: Pipeline, astronaut: ByteArray) -> Template:
    return enroll_photos([astronaut], pipeline).template


def test_with_working_stages_the_owner_is_accepted(
    pipeline: Pipeline, template: Template, shot: ByteArray
) -> None:
    assert verify_photo(shot, template, pipeline)


class BrokenCascade(Cascade):
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def find(self, image_rgb: ByteArray, search: str = "all") -> Faces:
        raise self._error


class BrokenCut(Pipeline):
    def crop(self, image_rgb: ByteArray, face: Face) -> Crop:
        raise ValueError("the points fall together")


def raising(error: BaseException) -> Callable[[FloatArray], FloatArray]:
    def net(pixels: FloatArray) -> FloatArray:
        raise error

    return net


def giving(output: FloatArray) -> Callable[[FloatArray], FloatArray]:
    return lambda pixels: output


ERRORS = [
    RuntimeError("engine"),
    ValueError("shape"),
    OSError("disk"),
    MemoryError(),
    KeyboardInterrupt(),
    ModelUnavailable("gone"),
    SystemExit(0),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("stage", ["detector", "embedder"])
def test_a_stage_that_raises_gives_no_decision(
    pipeline: Pipeline,
    template: Template,
    shot: ByteArray,
    stage: str,
    error: BaseException,
) -> None:
    broken = {
        "detector": Pipeline(BrokenCascade(error), pipeline.embedder),
        "embedder": Pipeline(pipeline.cascade, Embedder(raising(error), pipeline.embedder.row)),
    }[stage]
    decision: Decision | None = None
    with pytest.raises(type(error)):
        decision = verify_photo(shot, template, broken)
    assert decision is None


def test_a_face_that_cannot_be_cropped_gives_no_decision(
    pipeline: Pipeline, template: Template, shot: ByteArray
) -> None:
    with pytest.raises(ValueError, match="fall together"):
        verify_photo(shot, template, BrokenCut(pipeline.cascade, pipeline.embedder))


@pytest.mark.parametrize(
    ("output", "error"),
    [
        (np.full((1, 128), np.nan, np.float32), ModelUnavailable),
        (np.full((1, 128), np.inf, np.float32), ModelUnavailable),
        (np.zeros((1, 128), np.float32), ModelUnavailable),
        (np.ones((1, 64), np.float32), ModelMismatch),
        (np.ones((2, 128), np.float32), ModelMismatch),
    ],
    ids=["NaN", "infinite", "zeros", "too short", "two rows"],
)
def test_an_embedder_with_invalid_output_gives_no_decision(
    pipeline: Pipeline,
    template: Template,
    shot: ByteArray,
    output: FloatArray,
    error: type[MienError],
) -> None:
    broken = Pipeline(pipeline.cascade, Embedder(giving(output), pipeline.embedder.row))
    with pytest.raises(error):
        verify_photo(shot, template, broken)
