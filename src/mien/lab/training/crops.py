"""The crops that training and its evaluation see: one face of each photo, in worker processes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.app.pipeline import open_cascade
from mien.bulk.worker_pool import run_in_workers
from mien.errors import UnreadableImage, UsageError, quote_path
from mien.faces.align import UncroppableFace, crop_by_recipe
from mien.faces.detect import Cascade
from mien.faces.select import rank_faces
from mien.lab.audit.run import limit_size
from mien.lab.evaluate.embeddings import FaceChoice, nearest_centre
from mien.media.image_file import read_image
from mien.media.photo_paths import find_people_photos, find_photos
from mien.results import ByteArray
from mien.settings import Settings, usable_cores

RECIPE, SIDE = "margin160+18", 160
BATCH = 16
MAX_PHOTOS = 100_000  # their crops take 7.7 GB
_Found = tuple[int, "bytes | None", "ByteArray | None"]


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrops:
    """Crops (n, 160, 160, 3) uint8 RGB, by whom they are, and the SHA-256 of their photos.

    names: of the n people or "" where the folder names nobody. left_out: photos without a face.
    """

    pixels: ByteArray = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    sha256: tuple[bytes, ...] = field(repr=False)
    left_out: int

    @property
    def person(self) -> npt.NDArray[np.int64]:
        """(n,) the row of each crop's person in the sorted names."""
        return np.unique(self.names, return_inverse=True)[1].astype(np.int64)

    @property
    def identities(self) -> list[tuple[str, bytes]]:
        """Name and hash of each."""
        return list(zip(self.names, self.sha256, strict=True))


def find_training_photos(folder: Path) -> list[tuple[Path, str]]:
    """(photo, person) of a folder of people, or of the photos of nobody in particular in it."""
    try:
        found = find_people_photos(folder)
    except UsageError:
        found = [(photo, "") for photo in find_photos([str(folder)])]
    if len(found) > MAX_PHOTOS:
        raise UsageError(
            f"{quote_path(folder)} has {len(found):,} photos, more than {MAX_PHOTOS:,}; give fewer"
        )
    return found


def cut_faces(
    photos: Sequence[tuple[Path, str]],
    *,
    settings: Settings,
    choice: FaceChoice,
    progress: Callable[[Iterable[Path]], Iterable[Path]] = lambda items: items,
) -> FaceCrops:
    """The face of each photo. UsageError if there is none in all of them."""
    tasks = [photos[at : at + BATCH] for at in range(0, len(photos), BATCH)]
    numbered = [(at * BATCH, [photo for photo, _ in part]) for at, part in enumerate(tasks)]
    load = functools.partial(_load_cutter, replace(settings, threads=1), choice)
    workers = min(usable_cores(), max(1, len(tasks)))
    found: dict[int, tuple[bytes, ByteArray]] = {}
    shown = iter(progress([photo for photo, _ in photos]))
    for row, sha256, crop in run_in_workers(load, numbered, workers=workers):
        next(shown, None)
        if sha256 is not None and crop is not None:
            found[row] = (sha256, crop)
    next(shown, None)
    if not found:
        raise UsageError(f"no face found in the {len(photos):,} photos; choose others")
    rows = sorted(found)
    return FaceCrops(
        np.stack([found[row][1] for row in rows]),
        tuple(photos[row][1] for row in rows),
        tuple(found[row][0] for row in rows),
        len(photos) - len(rows),
    )


def _load_cutter(
    settings: Settings, choice: FaceChoice
) -> Callable[[tuple[int, Sequence[Path]]], Iterator[_Found]]:
    return functools.partial(_cut_batch, open_cascade(settings), choice)


def _cut_batch(
    cascade: Cascade, choice: FaceChoice, batch: tuple[int, Sequence[Path]]
) -> Iterator[_Found]:
    first, photos = batch
    for at, photo in enumerate(photos):
        yield (first + at, *_cut(cascade, choice, photo))


def _cut(
    cascade: Cascade, choice: FaceChoice, photo: Path
) -> tuple[bytes | None, ByteArray | None]:
    try:
        image = limit_size(read_image(photo))
        faces = cascade.find(image, "all" if choice == "centre" else "largest")
        if not len(faces):
            return None, None
        row = (
            nearest_centre(faces.boxes_xyxy, image)
            if choice == "centre"
            else int(rank_faces(faces, "largest", image.shape)[0])
        )
        # of the pixels: the same photo in another file is the same photo
        digest = hashlib.sha256(image.tobytes()).digest()
        return digest, crop_by_recipe(image, faces[row], RECIPE).pixels
    except (UnreadableImage, UncroppableFace):
        return None, None
