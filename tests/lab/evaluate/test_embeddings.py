"""Pictures to embeddings through the real nets, with a cache that must not lie."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.app.pipeline import Pipeline
from mien.errors import UsageError
from mien.faces.embed import Embedder
from mien.lab.evaluate import embeddings
from mien.lab.evaluate.embedding_cache import FILE_NAME, CachedEmbedding
from mien.lab.evaluate.embeddings import (
    Acquisition,
    AcquisitionProgress,
    PhotoEmbeddings,
    embed_photos,
    nearest_centre,
)
from mien.lab.recapture import recapture
from mien.media.image_file import read_image
from mien.models import find_embedder
from mien.results import ByteArray
from mien.settings import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray) -> Path:
    """Two photos, a wall, and a text file that calls itself a photo."""
    made = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(3)
    head = np.ascontiguousarray(astronaut[0:256, 96:352])
    for name in ("1.png", "2.png"):
        Image.fromarray(recapture(head, rng)).save(made / name)
    Image.new("RGB", (200, 200), (150, 140, 130)).save(made / "wall.png")
    (made / "text.jpg").write_text("this is no picture")
    return made


NAMES = ("1.png", "wall.png", "text.jpg", "2.png", "missing.png")


@pytest.fixture
def private(settings: Settings, tmp_path: Path) -> Settings:
    """A cache of its own, with the graphs that were built before."""
    shutil.copytree(settings.cache_dir / "graphs", tmp_path / "cache" / "graphs")
    return replace(settings, cache_dir=tmp_path / "cache")


def _embed(
    folder: Path, settings: Settings, *, workers: int = 1, cache: bool = True
) -> PhotoEmbeddings:
    return embed_photos(
        [folder / name for name in NAMES],
        settings=settings,
        model="sface",
        choice="centre",
        workers=workers,
        use_cache=cache,
    )


def test_each_picture_gets_its_vectors_or_a_reason(
    folder: Path, private: Settings, pipeline: Pipeline
) -> None:
    found = _embed(folder, private)
    np.testing.assert_array_equal(found.acquired, [True, False, False, True, False])
    reasons = dict(found.failures)
    assert reasons[1] == "no face found"
    assert "text.jpg" in reasons[2]
    assert "no file" in reasons[4]
    image = read_image(folder / "1.png")
    crop = pipeline.crop(image, pipeline.faces(image)[0])
    np.testing.assert_allclose(found.plain[0], pipeline.embed([crop])[0], atol=1e-5)
    averaged = Embedder(pipeline.embedder._net, pipeline.embedder.row, flip_average=True)
    np.testing.assert_allclose(
        found.vectors(np.array([0]), flip_average=True)[0], averaged.embed([crop])[0], atol=1e-5
    )
    with pytest.raises(ValueError, match="not acquired"):
        found.vectors(np.array([1]), flip_average=False)


def test_a_second_run_computes_only_unreadable_photos_again(
    folder: Path, private: Settings
) -> None:
    first, second = _embed(folder, private), _embed(folder, private)
    assert (first.computed, second.computed) == (5, 2)  # unreadable files are tried again
    np.testing.assert_array_equal(first.plain, second.plain)
    np.testing.assert_array_equal(first.mirrored, second.mirrored)
    assert first.failures == second.failures


def test_the_cache_identifies_a_picture_by_its_bytes(
    folder: Path, private: Settings, tmp_path: Path
) -> None:
    _embed(folder, private)
    shutil.copytree(folder, tmp_path / "moved")
    shutil.copy(folder / "2.png", tmp_path / "moved" / "1.png")
    found = _embed(tmp_path / "moved", private)
    assert found.computed == 2
    np.testing.assert_array_equal(found.plain[0], found.plain[3])


@pytest.mark.parametrize("now", ["wall.png", "1.png"])
def test_a_photo_that_changes_after_it_was_looked_up_is_kept_under_what_was_decoded(
    folder: Path, private: Settings, tmp_path: Path, now: str
) -> None:
    photo, blank = tmp_path / "photo.png", tmp_path / "blank.png"
    Image.new("RGB", (60, 60)).save(blank)

    def embed(looked_up: Path, decoded: Path) -> PhotoEmbeddings:
        """Of a photo that has other bytes when it is decoded than when it is looked up."""
        shutil.copy(looked_up, photo)

        def change(done: Iterable[Acquisition]) -> Iterable[Acquisition]:
            shutil.copy(decoded, photo)
            return done

        return embed_photos(
            [photo], settings=private, model="sface", choice="centre", workers=1, progress=change
        )

    before, after = folder / "2.png", folder / now
    embed(blank, blank)  # with an entry, the cache is looked into
    changed, again = embed(before, after), embed(before, before)
    assert (changed.computed, again.computed) == (1, 1)
    assert again.acquired.all()
    assert not np.array_equal(changed.plain, again.plain)
    served = embed(after, after)
    assert served.computed == 0
    np.testing.assert_array_equal(served.plain, changed.plain)


def test_a_photo_that_came_after_the_start_is_kept_under_what_was_decoded(
    folder: Path, private: Settings, tmp_path: Path
) -> None:
    late = tmp_path / "late.png"

    def put(done: Iterable[Acquisition]) -> Iterable[Acquisition]:
        shutil.copy(folder / "1.png", late)
        return done

    def embed(photo: Path, progress: AcquisitionProgress = lambda done: done) -> PhotoEmbeddings:
        return embed_photos(
            [photo],
            settings=private,
            model="sface",
            choice="centre",
            workers=1,
            progress=progress,
        )

    assert embed(late, put).acquired.all()
    assert embed(folder / "1.png").computed == 0


def test_a_damaged_cache_is_computed_again_and_reported(folder: Path, private: Settings) -> None:
    first = _embed(folder, private)
    (private.cache_dir / "embeddings" / FILE_NAME).write_bytes(b"junk" * 1000)
    second = _embed(folder, private)
    assert (first.cache_was_damaged, second.cache_was_damaged) == (False, True)
    assert second.computed == 5
    np.testing.assert_array_equal(first.plain, second.plain)


def test_another_recipe_version_has_another_cache_key(
    folder: Path, private: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _embed(folder, private)
    monkeypatch.setattr(embeddings, "VERSION", embeddings.VERSION + 1)
    assert _embed(folder, private).computed == 5


def test_other_weights_faces_or_crops_have_another_cache_key(private: Settings) -> None:
    row = find_embedder("sface", private.data_dir)
    other = replace(row, model=replace(row.model, sha256="0" * 64))
    caches = [
        embeddings._open_cache(row, "centre", private),
        embeddings._open_cache(row, "largest", private),
        embeddings._open_cache(other, "centre", private),
        embeddings._open_cache(replace(row, recipe="warp113"), "centre", private),
    ]
    photo, unit = bytes(32), np.eye(2, row.dims, dtype=np.float32)
    caches[0].add([(photo, CachedEmbedding(unit))])
    assert [len(cache.read([photo])) for cache in caches] == [1, 0, 0, 0]


def test_without_the_cache_nothing_is_written(folder: Path, private: Settings) -> None:
    assert _embed(folder, private, cache=False).computed == 5
    assert not (private.cache_dir / "embeddings").exists()


def test_worker_processes_give_the_same_numbers_as_one_process(
    folder: Path, private: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = _embed(folder, private, cache=False)
    monkeypatch.setattr(embeddings, "BATCH", 2)
    shared = _embed(folder, private, workers=2)
    np.testing.assert_allclose(alone.plain, shared.plain, atol=1e-5)
    assert alone.failures == shared.failures


def test_the_face_nearest_the_centre_is_not_always_the_largest(
    crowd: ByteArray, pipeline: Pipeline
) -> None:
    boxes = np.array([[0, 0, 100, 100], [45, 45, 55, 55], [60, 60, 90, 90]], np.float32)
    assert nearest_centre(boxes, np.zeros((100, 100, 3), np.uint8)) == 0  # both are dead centre
    assert nearest_centre(boxes[1:] + 1, np.zeros((100, 100, 3), np.uint8)) == 0


def test_an_unknown_model_is_refused_before_any_work(folder: Path, private: Settings) -> None:
    with pytest.raises(UsageError, match="unknown model"):
        embed_photos([folder / "1.png"], settings=private, model="x", choice="centre", workers=1)
