"""Embed the face of every photo of a list, plain and mirrored, in worker processes.

A photo that cannot be read, has no face, or whose face cannot be cut is a failure to
acquire (ISO/IEC 19795-1): listed with its reason and counted, never dropped. Embeddings
stay in memory and in the user's own cache; no report and no log gets one.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mien.app.face_search import FoundFace
from mien.app.pipeline import MAX_DOOR_PIXELS, Pipeline, open_pipeline
from mien.bulk.worker_pool import check_workers, run_in_workers
from mien.errors import NoFaceFound, UnreadableImage, quote_path
from mien.faces.quality.advice import measure_quality
from mien.faces.select import rank_faces
from mien.lab.evaluate.embedding_cache import CachedEmbedding, EmbeddingCache
from mien.lab.evaluate.quality_bands import GOOD, BandArray, band_of
from mien.media.file_bytes import read_path
from mien.media.image_file import read_image
from mien.media.pixels import shrink_to
from mien.models import DETECTOR_ROWS, EmbedderRow, find_embedder
from mien.results import ByteArray, Crop, Face, FloatArray, ModelId
from mien.settings import Settings
from mien.vectors import unit_rows

FaceChoice = Literal["centre", "largest"]
FACE_CHOICES: tuple[FaceChoice, ...] = get_args(FaceChoice)

VERSION = 2  # one more whenever the detector, a crop or a net gives other numbers than before
BATCH = 16  # photos that a worker is given at a time; a crash loses no more of each
HASHED_BYTES = 1 << 20

NO_FACE = "no face found"

AcquisitionProgress = Callable[[Iterable["Acquisition"]], Iterable["Acquisition"]]


@dataclass(frozen=True, slots=True, eq=False)
class Acquisition:
    """What came of one photo. row: in the list. why: the reason, where there is no face.

    vectors: (2, d) float32 unit rows, of the crop and its mirror image, or None. band: of the
    photo's quality, an index of `BANDS`. photo_sha256: of the bytes that were decoded, to cache
    this under; None where it must not be cached, as for a file that could not be read.
    """

    row: int
    vectors: FloatArray | None = field(repr=False)
    why: str = ""
    photo_sha256: bytes | None = None
    band: int = GOOD


@dataclass(frozen=True, slots=True, eq=False)
class PhotoEmbeddings:
    """Embeddings of n photos of a list.

    plain, mirrored: (n, d) float32, unit rows, zeros where nothing was acquired.
    acquired: (n,) bool. bands: (n,) int8 of the photos' quality, see `BANDS`. failures: (row, why)
    of the others. computed: how many were not in the cache. cache_was_damaged: the cache could not
    be read and was created again.
    """

    plain: FloatArray = field(repr=False)
    mirrored: FloatArray = field(repr=False)
    acquired: npt.NDArray[np.bool_] = field(repr=False)
    bands: BandArray = field(repr=False)
    failures: tuple[tuple[int, str], ...]
    computed: int
    model: ModelId
    recipe: str
    cache_was_damaged: bool = False

    def vectors(self, rows: npt.NDArray[np.intp], *, flip_average: bool) -> FloatArray:
        """(k, d) float32 unit rows of these acquired photos. ValueError for one that is not."""
        if not self.acquired[rows].all():
            raise ValueError("a row has no embedding: its photo was not acquired")
        if not flip_average:
            return self.plain[rows]
        return unit_rows(self.plain[rows] + self.mirrored[rows])


def embed_photos(
    photos: Sequence[Path],
    *,
    settings: Settings,
    model: str,
    choice: FaceChoice,
    workers: int,
    use_cache: bool = True,
    progress: AcquisitionProgress = lambda done: done,
) -> PhotoEmbeddings:
    """Embed the face that `choice` means in each photo.

    workers: processes with one thread each. progress: wraps the photos as they get
    done, in no order. Raises UsageError for an unknown model and for no worker, WorkerDied and
    ModelMissing.
    """
    check_workers(workers)
    row = find_embedder(model, settings.data_dir)
    cache = _open_cache(row, choice, settings) if use_cache else None
    hashes, cached = _look_up(photos, cache, threads=workers)
    missing = [at for at, sha in enumerate(hashes) if sha is None or sha not in cached]
    done = [
        Acquisition(at, cached[sha].vectors, NO_FACE, band=cached[sha].band)
        for at, sha in enumerate(hashes)
        if sha is not None and sha in cached
    ]
    if missing:
        load = functools.partial(_load_worker, replace(settings, threads=1), model, choice)
        workers = min(workers, max(1, math.ceil(len(missing) / BATCH)))
        work = [(at, photos[at]) for at in missing]
        computed = _compute(work, load, workers, cache)
        done += progress(_Sized(computed, len(missing)))
    found = _gathered(done, len(photos), len(missing), row)
    return replace(found, cache_was_damaged=cache is not None and cache.was_damaged)


class PhotoEmbedder:
    """A loaded pipeline with the rule which face of a photo is meant."""

    def __init__(self, pipeline: Pipeline, choice: FaceChoice) -> None:
        if choice not in FACE_CHOICES:
            raise ValueError(f"unknown face choice {choice!r}; known: {', '.join(FACE_CHOICES)}")
        self._pipeline, self._choice = pipeline, choice

    def crop(self, photo: Path) -> Crop:
        """The aligned face. Raises UnreadableImage, or NoFaceFound with the reason."""
        return self.find(read_image(photo))[1]

    def find(self, image: ByteArray) -> tuple[FoundFace, Crop]:
        """The face that is meant on (H, W, 3) uint8 RGB, and its crop. Raises NoFaceFound."""
        if self._choice == "largest":
            # a face that is a fifth of the side still has more pixels than a crop wants
            image = shrink_to(image, MAX_DOOR_PIXELS)
        faces = self._pipeline.faces(image, "all" if self._choice == "centre" else "largest")
        if not len(faces):
            raise NoFaceFound(NO_FACE)
        row = (
            nearest_centre(faces.boxes_xyxy, image)
            if self._choice == "centre"
            else int(rank_faces(faces, "largest", image.shape)[0])
        )
        return FoundFace(image, faces[row]), self._cut(image, faces[row])

    def embed(self, found: Sequence[tuple[FoundFace, Crop]]) -> tuple[FloatArray, list[int]]:
        """(n, 2, d) float32 unit vectors, of each crop and its mirror image; and the bands."""
        faces, crops = [face for face, _ in found], [crop for _, crop in found]
        vectors, faults = self._pipeline.embed_both_sides(faces, crops)
        bands = [
            band_of(words, measure_quality(one.face, crop).advice)
            for (one, crop), words in zip(found, faults, strict=True)
        ]
        return vectors, bands

    def _cut(self, image: ByteArray, face: Face) -> Crop:
        try:
            return self._pipeline.crop(image, face)
        except ValueError as error:  # points that coincide, or a box outside the image
            raise NoFaceFound(NO_FACE) from error


def nearest_centre(boxes_xyxy: FloatArray, image_rgb: ByteArray) -> int:
    """Row of the box whose centre is nearest the image's: LFW names the person there."""
    image_centre = np.array([image_rgb.shape[1] / 2, image_rgb.shape[0] / 2], np.float32)
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    return int(np.argmin(np.sum((centres - image_centre) ** 2, axis=1)))


def open_photo_embedder(settings: Settings, model: str, choice: FaceChoice) -> PhotoEmbedder:
    """Load the models. Raises UsageError for an unknown model, ModelMissing, ModelAltered."""
    return PhotoEmbedder(open_pipeline(settings, model), choice)


class _Sized:
    """Items that are still to come, and how many: a progress bar asks for `len`."""

    def __init__(self, items: Iterator[Acquisition], count: int) -> None:
        self._items, self._count = items, count

    def __iter__(self) -> Iterator[Acquisition]:
        return self._items

    def __len__(self) -> int:
        return self._count


def _look_up(
    photos: Sequence[Path], cache: EmbeddingCache | None, *, threads: int
) -> tuple[list[bytes | None], dict[bytes, CachedEmbedding]]:
    """The SHA-256 of each photo, and what the cache has of them.

    Where the cache has nothing, no photo is read for it, and all are None: whoever decodes a photo
    hashes it.
    """
    if cache is None or not cache.holds_any():
        return [None] * len(photos), {}
    with ThreadPoolExecutor(threads) as executor:  # a hash is computed without Python's lock
        hashes = list(executor.map(_sha256_of, photos))
    return hashes, cache.read(sha for sha in hashes if sha is not None)


_Batch = Sequence[tuple[int, Path]]  # row, photo
_Plain = tuple[int, "FloatArray | None", str, "bytes | None", int]  # the fields of an Acquisition
_Work = Callable[[_Batch], Iterator[_Plain]]


def _compute(
    work: _Batch, load: Callable[[], _Work], workers: int, cache: EmbeddingCache | None
) -> Iterator[Acquisition]:
    """What comes of each photo, cached before it is given out, a batch at a time."""
    batches = (work[start : start + BATCH] for start in range(0, len(work), BATCH))
    found = (Acquisition(*one) for one in run_in_workers(load, batches, workers=workers))
    while results := list(itertools.islice(found, BATCH)):
        if cache is not None:
            cache.add(
                (one.photo_sha256, CachedEmbedding(one.vectors, one.band))
                for one in results
                if one.photo_sha256 is not None
            )
        yield from results


def _load_worker(settings: Settings, model: str, choice: FaceChoice) -> _Work:
    return functools.partial(_acquire, open_photo_embedder(settings, model, choice))


def _acquire(embedder: PhotoEmbedder, batch: _Batch) -> Iterator[_Plain]:
    """One photo at a time: a net takes no less time for each of several crops, and more memory."""
    for row, photo in batch:
        try:
            content = read_path(photo)
            image = read_image(content, name=quote_path(photo))
        except UnreadableImage as error:
            yield row, None, str(error), None, GOOD
            continue
        sha256 = hashlib.sha256(content).digest()
        try:
            found = embedder.find(image)
        except NoFaceFound as error:
            yield row, None, str(error), sha256, GOOD
            continue
        vectors, bands = embedder.embed([found])
        yield row, vectors[0], "", sha256, bands[0]


def _gathered(
    done: Sequence[Acquisition], n: int, computed: int, row: EmbedderRow
) -> PhotoEmbeddings:
    vectors = np.zeros((2, n, row.dims), np.float32)
    acquired, bands = np.zeros(n, np.bool_), np.zeros(n, np.int8)
    for one in done:
        if one.vectors is not None:
            vectors[:, one.row] = one.vectors
            acquired[one.row] = True
            bands[one.row] = one.band
    failures = sorted((one.row, one.why) for one in done if one.vectors is None)
    return PhotoEmbeddings(
        vectors[0], vectors[1], acquired, bands, tuple(failures), computed, row.id, row.recipe
    )


def _open_cache(row: EmbedderRow, choice: FaceChoice, settings: Settings) -> EmbeddingCache:
    detector = [net.sha256 for net in DETECTOR_ROWS]
    recipe = "\n".join([f"version {VERSION}", row.model.sha256, row.recipe, choice, *detector])
    return EmbeddingCache(settings.cache_dir / "embeddings", recipe, row.dims)


def _sha256_of(photo: Path) -> bytes | None:
    """SHA-256 of a regular file; None if it cannot be had, and then reading it says why."""
    digest = hashlib.sha256()
    try:
        if not stat.S_ISREG(os.stat(photo).st_mode):
            return None
        with open(photo, "rb") as file:
            while block := file.read(HASHED_BYTES):
                digest.update(block)
    except (OSError, ValueError):
        return None
    return digest.digest()
