"""Many photos at once get the embeddings and the refusals that each gets alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.app.batch_pipeline import BatchPipeline, open_batch_pipeline
from mien.app.pipeline import Pipeline, Probe
from mien.errors import MienError, NoFaceFound, SeveralFacesFound
from mien.media.image_file import read_image
from mien.results import ByteArray
from mien.settings import Settings


@pytest.fixture(scope="module")
def many(settings: Settings) -> BatchPipeline:
    return open_batch_pipeline(settings)


def probe_or_error(pipeline: Pipeline, picture: ByteArray) -> Probe | MienError:
    try:
        return pipeline.embed_probe(picture)
    except MienError as error:
        return error


def compare(many: BatchPipeline, pipeline: Pipeline, pictures: Sequence[ByteArray]) -> int:
    """How many pictures have a probe, which must be the same both ways; so must the refusals."""
    probes = 0
    for picture, found in zip(pictures, many.embed_probes(pictures), strict=True):
        expected = probe_or_error(pipeline, picture)
        if isinstance(expected, MienError):
            assert (type(found), str(found)) == (type(expected), str(expected))
            continue
        assert isinstance(found, Probe)
        probes += 1
        np.testing.assert_allclose(found.face.box_xyxy, expected.face.box_xyxy, atol=1e-3, rtol=0)
        assert found.faults == expected.faults
        assert float(found.vector @ expected.vector) > 1 - 1e-5
    return probes


def test_embeddings_and_refusals_are_those_of_each_photo_alone(
    many: BatchPipeline, pipeline: Pipeline, astronaut: ByteArray
) -> None:
    small = np.asarray(Image.fromarray(astronaut).resize((300, 280)))
    wall = np.full((200, 300, 3), 140, np.uint8)
    pictures = [astronaut, wall, np.hstack([astronaut, astronaut]), small]
    pictures += [np.rot90(astronaut).copy(), astronaut[60:230, 150:290].copy()]
    assert compare(many, pipeline, pictures) >= 3
    found = many.embed_probes(pictures)
    assert isinstance(found[1], NoFaceFound)
    assert isinstance(found[2], SeveralFacesFound)


def test_faces_are_embedded_in_one_call(many: BatchPipeline, astronaut: ByteArray) -> None:
    faces = many.find_faces_in_batch([astronaut] * 3, "largest")
    assert [len(one) for one in faces] == [1, 1, 1]
    vectors = [probe.vector for probe in many.embed_probes([astronaut] * 3)]  # type: ignore[union-attr]
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-5)


def test_no_photo_is_no_work(many: BatchPipeline) -> None:
    assert many.embed_probes([]) == []


def test_on_photos_of_lfw(many: BatchPipeline, pipeline: Pipeline, shared_lfw: Path) -> None:
    files = sorted((shared_lfw / "images").rglob("*.jpg"))[::150]
    assert compare(many, pipeline, [read_image(file) for file in files]) >= 0.9 * len(files)
