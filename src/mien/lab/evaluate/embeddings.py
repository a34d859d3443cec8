"""Every picture of a list -> its face's embedding, plain and mirrored, over worker processes.

What cannot be read, has no face, or cannot be cut is a failure to acquire: it is listed
with its reason and counted, never dropped. Embeddings stay in memory and in the user's
own cache; no report and no log gets one.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mien.app.pipeline import MAX_DOOR_PIXELS, Pipeline, open_pipeline
from mien.errors import NoFaceFound, UnreadableImage, UsageError
from mien.faces.select import rank_faces
from mien.lab.evaluate.embedding_cache import Cached, EmbeddingCache
from mien.lab.evaluate.workers import over_workers
from mien.media.image_file import read_image
from mien.media.pixels import downscale
from mien.models import DETECTOR_ROWS, EMBEDDERS, EmbedderRow, added_embedder
from mien.results import ByteArray, Crop, Face, FloatArray, ModelId
from mien.settings import Settings
from mien.vectors import unit_rows

FaceChoice = Literal["centre", "largest"]
FACE_CHOICES: tuple[FaceChoice, ...] = get_args(FaceChoice)

VERSION = 1  # one more whenever the detector, a crop or a net gives other numbers than before
BATCH = 16  # pictures that a worker is given at a time; a crash loses no more of each
HASHED_BYTES = 1 << 20

NO_FACE = "no face found"

Bar = Callable[[Iterable["Acquired"]], Iterable["Acquired"]]


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """What came of one picture. row: in the list. why: in words, where there is no face.

    vectors: (2, d) float32 unit rows, of the crop and its mirror image, or None.
    picture: SHA-256 to remember this under; None where it must not be remembered, as
    for a file that could not be read.
    """

    row: int
    vectors: FloatArray | None = field(repr=False)
    why: str = ""
    picture: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Embeddings of n pictures of a list.

    plain, mirrored: (n, d) float32, unit rows, zeros where nothing was acquired.
    acquired: (n,) bool. failures: (row, why) of the others. computed: how many were not
    in the cache.
    """

    plain: FloatArray = field(repr=False)
    mirrored: FloatArray = field(repr=False)
    acquired: npt.NDArray[np.bool_] = field(repr=False)
    failures: tuple[tuple[int, str], ...]
    computed: int
    model: ModelId
    recipe: str

    def vectors(self, rows: npt.NDArray[np.intp], *, flip_average: bool) -> FloatArray:
        """(k, d) float32 unit rows of these acquired pictures."""
        if not self.acquired[rows].all():
            raise ValueError("a row has no embedding: its picture was not acquired")
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
    progress: Bar = lambda done: done,
) -> Embedded:
    """Embed the face that `choice` means in each picture.

    workers: processes with one thread each. progress: wraps the pictures as they get
    done, in no order. Raises UsageError for an unknown model, WorkerDied, ModelMissing.
    """
    row = embedder_row(model, settings)
    cache = _cache(row, choice, settings) if use_cache else None
    known = cache.read() if cache else {}
    hashes = [_hash_of(photo) for photo in photos]
    missing = [at for at, picture in enumerate(hashes) if picture is None or picture not in known]
    todo = _Todo(photos, hashes, missing, cache)
    load = functools.partial(_load, replace(settings, threads=1), model, choice)
    workers = min(workers, max(1, math.ceil(len(missing) / BATCH)))
    done = [
        Acquired(at, known[picture].vectors, NO_FACE)
        for at, picture in enumerate(hashes)
        if picture is not None and picture in known
    ]
    if missing:
        done += progress(_Counted(todo.run(load, workers), len(missing)))
    return _gathered(done, len(photos), len(missing), row)


def embedder_row(model: str, settings: Settings) -> EmbedderRow:
    """The row of the model table, with what adding it recorded. UsageError if unknown."""
    if model not in EMBEDDERS:
        raise UsageError(f"unknown model {model!r}; choose one of {', '.join(EMBEDDERS)}")
    row = EMBEDDERS[model]
    return added_embedder(row, settings.data_dir) if row.model.is_added else row


class Eye:
    """A loaded pipeline that knows which face of a picture is meant."""

    def __init__(self, pipeline: Pipeline, choice: FaceChoice) -> None:
        if choice not in FACE_CHOICES:
            raise ValueError(f"unknown choice {choice!r}; known: {', '.join(FACE_CHOICES)}")
        self._pipeline, self._choice = pipeline, choice

    def crop(self, photo: Path) -> Crop:
        """The aligned face. Raises UnreadableImage, or NoFaceFound with the reason."""
        image = read_image(photo)
        if self._choice == "largest":
            # a face that is a fifth of the side still has more pixels than a crop wants
            area = image.shape[0] * image.shape[1]
            image = downscale(image, max(1, math.ceil(math.sqrt(area / MAX_DOOR_PIXELS))))
        faces = self._pipeline.faces(image, "all" if self._choice == "centre" else "largest")
        if not len(faces):
            raise NoFaceFound(NO_FACE)
        row = (
            nearest_centre(faces.boxes_xyxy, image)
            if self._choice == "centre"
            else int(rank_faces(faces, "largest", image.shape)[0])
        )
        return self._cut(image, faces[row])

    def embed(self, crops: Sequence[Crop]) -> FloatArray:
        """(n, 2, d) float32 unit vectors, of each crop and of its mirror image."""
        mirrored = [Crop(np.ascontiguousarray(crop.pixels[:, ::-1]), crop.recipe) for crop in crops]
        vectors = self._pipeline.embed([*crops, *mirrored])
        return np.stack([vectors[: len(crops)], vectors[len(crops) :]], axis=1)

    def _cut(self, image: ByteArray, face: Face) -> Crop:
        try:
            return self._pipeline.crop(image, face)
        except ValueError as error:  # points that fall together, or a box outside the picture
            raise NoFaceFound(NO_FACE) from error


def nearest_centre(boxes_xyxy: FloatArray, image_rgb: ByteArray) -> int:
    """Row of the box whose middle is nearest the picture's: LFW is about that face."""
    middle = np.array([image_rgb.shape[1] / 2, image_rgb.shape[0] / 2], np.float32)
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    return int(np.argmin(np.sum((centres - middle) ** 2, axis=1)))


def open_eye(settings: Settings, model: str, choice: FaceChoice) -> Eye:
    return Eye(open_pipeline(settings, model), choice)


class _Counted:
    """Items that are still to come, and how many: a progress bar wants to know."""

    def __init__(self, items: Iterator[Acquired], count: int) -> None:
        self._items, self._count = items, count

    def __iter__(self) -> Iterator[Acquired]:
        return self._items

    def __len__(self) -> int:
        return self._count


@dataclass(frozen=True, slots=True, eq=False)
class _Todo:
    """The rows that are not in the cache, to be done in batches and then remembered."""

    photos: Sequence[Path]
    hashes: Sequence[bytes | None]
    rows: Sequence[int]
    cache: EmbeddingCache | None

    def run(self, load: Callable[[], _Work], workers: int) -> Iterator[Acquired]:
        batches = (
            [(row, self.photos[row], self.hashes[row]) for row in self.rows[at : at + BATCH]]
            for at in range(0, len(self.rows), BATCH)
        )
        for results in over_workers(load, batches, workers=workers):
            self._remember(results)
            yield from results

    def _remember(self, results: Sequence[Acquired]) -> None:
        if self.cache is not None:
            self.cache.add(
                (one.picture, Cached(one.vectors)) for one in results if one.picture is not None
            )


_Batch = Sequence[tuple[int, Path, "bytes | None"]]
_Work = Callable[[_Batch], list[Acquired]]


def _load(settings: Settings, model: str, choice: FaceChoice) -> _Work:
    """In a worker: open the nets, once."""
    return functools.partial(_acquire, open_eye(settings, model, choice))


def _acquire(eye: Eye, batch: _Batch) -> list[Acquired]:
    results, crops, cut = [], [], []
    for row, photo, picture in batch:
        try:
            crop = eye.crop(photo)
        except UnreadableImage as error:
            results.append(Acquired(row, None, str(error)))
            continue
        except NoFaceFound as error:
            results.append(Acquired(row, None, str(error), _unchanged(photo, picture)))
            continue
        crops.append(crop)
        cut.append((row, _unchanged(photo, picture)))
    results += [
        Acquired(row, vectors, "", picture)
        for (row, picture), vectors in zip(cut, eye.embed(crops), strict=True)
    ]
    return results


def _unchanged(photo: Path, picture: bytes | None) -> bytes | None:
    """The hash, if it is still the file's: else what was seen must not be kept under it."""
    return picture if picture is not None and _hash_of(photo) == picture else None


def _gathered(done: Sequence[Acquired], n: int, computed: int, row: EmbedderRow) -> Embedded:
    vectors = np.zeros((2, n, row.dims), np.float32)
    acquired = np.zeros(n, np.bool_)
    for one in done:
        if one.vectors is not None:
            vectors[:, one.row] = one.vectors
            acquired[one.row] = True
    failures = sorted((one.row, one.why) for one in done if one.vectors is None)
    return Embedded(vectors[0], vectors[1], acquired, tuple(failures), computed, row.id, row.recipe)


def _cache(row: EmbedderRow, choice: FaceChoice, settings: Settings) -> EmbeddingCache:
    makers = [net.sha256 for net in DETECTOR_ROWS]
    key = "\n".join([f"version {VERSION}", row.model.sha256, row.recipe, choice, *makers])
    return EmbeddingCache(settings.cache_dir / "embeddings", key, row.dims)


def _hash_of(photo: Path) -> bytes | None:
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
