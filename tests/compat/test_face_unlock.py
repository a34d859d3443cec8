"""`FaceUnlock`, the article's class: the owner's photos in, decisions out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import FaceUnlock
from mien.app.pipeline import Pipeline
from mien.errors import (
    EnrollmentRefused,
    NoFaceFound,
    Outcome,
    UnreadableImage,
    UsageError,
)
from mien.faces.embed import Embedder
from mien.results import ByteArray, FloatArray


@pytest.fixture(scope="module")
def unlock(pipeline: Pipeline, shots: list[ByteArray]) -> FaceUnlock:
    return FaceUnlock(shots[:3], pipeline=pipeline)


def test_a_decision_unpacks_like_the_pair_of_the_article(
    unlock: FaceUnlock, shots: list[ByteArray]
) -> None:
    is_me, similarity = unlock(shots[3])
    assert is_me is True
    assert 0.85 < similarity <= 1.0
    assert unlock(shots[3])


def test_the_centre_is_the_direction_of_the_embeddings(unlock: FaceUnlock) -> None:
    assert unlock.embeddings.shape == (3, 128)
    assert unlock.centre.shape == (128,)
    assert unlock.centre.dtype == np.float32
    mean = unlock.embeddings.mean(axis=0)
    np.testing.assert_allclose(unlock.centre, mean / np.linalg.norm(mean), atol=1e-6)


def test_writing_into_returned_embeddings_changes_no_decision(
    unlock: FaceUnlock, shots: list[ByteArray]
) -> None:
    before = unlock(shots[3]).similarity
    unlock.embeddings[:] = 0
    unlock.centre[:] = 0
    assert unlock(shots[3]).similarity == before


def test_files_a_folder_bytes_and_pil_images_are_all_photos(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    for at, shot in enumerate(shots[:2]):
        Image.fromarray(shot).save(tmp_path / f"{at}.png")
    names = [str(tmp_path / "0.png"), tmp_path / "1.png"]
    expected = FaceUnlock(shots[:2], pipeline=pipeline).centre
    for images in (tmp_path, str(tmp_path), names, [Image.open(name) for name in names]):
        np.testing.assert_allclose(
            FaceUnlock(images, pipeline=pipeline).centre, expected, atol=1e-5
        )
    probe = tmp_path / "0.png"
    similarity = FaceUnlock(names, pipeline=pipeline)(probe.read_bytes()).similarity
    assert similarity == FaceUnlock(names, pipeline=pipeline)(probe).similarity


def test_the_threshold_is_that_of_the_embedder_or_the_caller(
    pipeline: Pipeline, unlock: FaceUnlock, shots: list[ByteArray]
) -> None:
    assert unlock.threshold == pipeline.matcher.threshold_for(photos=3)
    strict = FaceUnlock(shots[:3], threshold=0.9999, pipeline=pipeline)
    decision = strict(shots[3])
    assert not decision
    assert decision.threshold.value == 0.9999
    assert decision.threshold.provenance == "set by the caller"


@pytest.mark.parametrize("threshold", [float("nan"), 1.5, -1.0, -7.0])
def test_a_threshold_outside_the_cosine_range_is_refused(
    pipeline: Pipeline, shots: list[ByteArray], threshold: float
) -> None:
    with pytest.raises(ValueError, match="threshold is a cosine"):
        FaceUnlock(shots[:1], threshold=threshold, pipeline=pipeline)


def test_a_photo_without_a_face_is_locked_and_a_broken_file_raises(unlock: FaceUnlock) -> None:
    decision = unlock(np.zeros((200, 200, 3), np.uint8))
    assert not decision
    assert decision.outcome is Outcome.NO_FACE
    with pytest.raises(UnreadableImage):
        unlock(b"no picture")
    with pytest.raises(UnreadableImage):
        unlock("/nowhere/at/all.jpg")


def test_photos_that_make_no_template_are_refused(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        FaceUnlock([], pipeline=pipeline)
    with pytest.raises(UsageError):
        FaceUnlock(tmp_path, pipeline=pipeline)
    with pytest.raises(NoFaceFound, match="photo 2"):
        FaceUnlock([shots[0], np.zeros((99, 99, 3), np.uint8)], pipeline=pipeline)


def test_an_unknown_embedder_is_refused(home: Path, shots: list[ByteArray]) -> None:
    with pytest.raises(UsageError, match="unknown model 'facenet'"):
        FaceUnlock(shots[:1], "facenet")


def test_without_a_pipeline_it_opens_its_own(home: Path, shots: list[ByteArray]) -> None:
    unlock = FaceUnlock(shots[:1])
    assert unlock(shots[1])
    assert unlock.pipeline.model.name == "sface"


@pytest.mark.parametrize("error", [RuntimeError("engine"), MemoryError(), KeyboardInterrupt()])
def test_a_model_that_fails_later_never_unlocks(
    pipeline: Pipeline, shots: list[ByteArray], error: BaseException
) -> None:
    unlock = FaceUnlock(shots[:2], pipeline=pipeline)

    def net(pixels: FloatArray) -> FloatArray:
        raise error

    unlock.pipeline = Pipeline(pipeline.cascade, Embedder(net, pipeline.embedder.row))
    opened = False
    with pytest.raises(type(error)):
        opened = bool(unlock(shots[3]))
    assert not opened


# the article's photos ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def article_unlock(pipeline: Pipeline, shared_photos: Path) -> FaceUnlock:
    return FaceUnlock(shared_photos / "faces" / "me", pipeline=pipeline)


def test_all_four_probes_of_the_article_are_decided_right(
    article_unlock: FaceUnlock, shared_photos: Path
) -> None:
    probes = sorted((shared_photos / "faces_test").iterdir())
    decided = {probe.name: article_unlock(probe) for probe in probes}
    assert len(decided) == 4
    genuine = decided.pop("me_test.jpg")
    assert genuine.outcome is Outcome.UNLOCKED
    assert all(d.outcome is Outcome.NOT_THE_OWNER for d in decided.values())
    closest = max(decision.similarity for decision in decided.values())
    assert genuine.similarity - closest > 0.5


def test_photos_of_other_people_do_not_unlock(
    article_unlock: FaceUnlock, shared_photos: Path
) -> None:
    others = [*(shared_photos / "faces" / "di_caprio").iterdir()]
    others += (shared_photos / "faces" / "matt_demon").iterdir()
    assert len(others) == 5
    assert not any(article_unlock(photo) for photo in others)


def test_photos_of_different_people_are_refused(pipeline: Pipeline, shared_photos: Path) -> None:
    people = shared_photos / "faces"
    mixed = [*sorted((people / "me").iterdir()), people / "matt_demon" / "Matt_Damon_TIFF_2015.jpg"]
    with pytest.raises(EnrollmentRefused, match=r"one person: '.*Matt_Damon_TIFF_2015\.jpg' "):
        FaceUnlock(mixed, pipeline=pipeline)


def test_a_single_picture_is_one_photo_and_a_batch_is_several(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    alone = FaceUnlock(shots[0], pipeline=pipeline)
    assert alone.embeddings.shape == (1, 128)
    batch = FaceUnlock(np.stack(shots[:2]), pipeline=pipeline)
    assert batch.embeddings.shape == (2, 128)


def test_an_engine_argument_overrides_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_ENGINE", "onnxruntime")
    with pytest.raises(UsageError, match="unknown engine 'abacus'"):
        FaceUnlock([], engine="abacus")


def test_a_target_fmr_chooses_the_threshold_from_the_calibration(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    strict, lax = (
        FaceUnlock(shots[:3], target_fmr=fmr, pipeline=pipeline).threshold.value
        for fmr in (1e-5, 1e-2)
    )
    assert lax < FaceUnlock(shots[:3], pipeline=pipeline).threshold.value < strict
    with pytest.raises(UsageError, match="does not support FMR 0"):
        FaceUnlock(shots[:3], target_fmr=0.0, pipeline=pipeline)
    with pytest.raises(UsageError, match="not both"):
        FaceUnlock(shots[:3], threshold=0.5, target_fmr=1e-4, pipeline=pipeline)


def test_a_decision_tells_how_often_a_stranger_scores_as_high(
    unlock: FaceUnlock, shots: list[ByteArray]
) -> None:
    assert unlock(shots[3]).odds == "a stranger would score this high less than once in 180,000"
    assert unlock(np.zeros((100, 100, 3), np.uint8)).odds == ""
