"""With the published weights, the article's numbers: its 8x8 matrix and its four probes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.app.pipeline import Pipeline, open_pipeline
from mien.compat.face_unlock import FaceUnlock
from mien.faces.geometry import box_areas
from mien.media.image_file import read_image
from mien.results import FloatArray
from mien.settings import Settings

PRINTED = 0.02  # the article's code used another Pillow, torch and MTCNN build


@pytest.fixture(scope="module")
def article(shared_reference: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared_reference / "article.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def pipeline(real_vggface2: Settings) -> Pipeline:
    return open_pipeline(real_vggface2, "facenet-vggface2")


def embedding(pipeline: Pipeline, path: Path) -> FloatArray:
    """Of the largest face by area, which is the one that the article's MTCNN takes."""
    image = read_image(path)
    faces = pipeline.faces(image)
    largest = faces[int(np.argmax(box_areas(faces.boxes_xyxy)))]
    return pipeline.embed([pipeline.crop(image, largest)])[0]


def test_the_similarity_matrix_is_the_printed_one(
    pipeline: Pipeline, article: dict[str, Any], shared_photos: Path
) -> None:
    vectors = np.stack(
        [embedding(pipeline, shared_photos / "faces" / name) for name in article["faces"]]
    )
    np.testing.assert_allclose(vectors @ vectors.T, article["similarity_matrix"], atol=PRINTED)


def test_the_probes_score_as_printed_and_are_decided_the_same(
    pipeline: Pipeline, article: dict[str, Any], shared_photos: Path
) -> None:
    mine = [shared_photos / "faces" / n for n in article["faces"] if n.startswith("me/")]
    unlock = FaceUnlock(mine, "facenet-vggface2", pipeline=pipeline)
    assert unlock.threshold.value == article["threshold"]
    for name, (score, is_me) in article["probes"].items():
        decision = unlock(shared_photos / name)
        assert decision.similarity == pytest.approx(score, abs=PRINTED), name
        assert bool(decision) is is_me, name
