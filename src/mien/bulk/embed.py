"""Embed many photos in worker processes, as a stream: memory does not grow with their number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sized
from itertools import count
from typing import IO, Any, cast

from mien.bulk.embedded_photo import EmbeddedPhoto
from mien.bulk.guard import PHOTO_LIMIT_S, PhotoGuard, SourcePhoto
from mien.bulk.worker_pool import check_workers, run_tasks
from mien.errors import UnreadableImage, UsageError
from mien.media.file_bytes import read_file_object
from mien.media.image_file import ImageSource, read_image
from mien.media.photo_paths import find_photos
from mien.models import find_embedder
from mien.settings import DEFAULT_MODEL, load_settings, usable_cores

MAX_BATCH_BYTES = 16_000_000  # of photos that are given as bytes or pixels, besides the first


def embed_photos(
    sources: Iterable[ImageSource] | str | os.PathLike[str],
    *,
    batch: int = 64,
    workers: int | None = None,
    carefully: bool = False,
    model: str = DEFAULT_MODEL,
    engine: str | None = None,
    photo_limit_s: float = PHOTO_LIMIT_S,
) -> Iterator[EmbeddedPhoto]:
    """Embed the one face of each of many photos: gives a record for each, in their order.

        for photo in embed_photos(paths):
            if photo.vector is None:
                print(photo.name, photo.error)

    A photo that cannot be read, shows no face or several, or kills or hangs the process that
    decodes it, is a record with its `outcome` and `error`; the others go on.

    sources: paths, bytes, binary files, PIL images or arrays, taken as they are needed; or one
    folder or glob pattern. batch: photos that a worker is given at a time; twice as many for each
    worker are on their way. workers: processes of one thread and 200 MB; None for one a core.
    carefully: as enrollment looks at a photo, which takes 1.8 times as long; else as an attempt to
    unlock does. photo_limit_s: the longest that one photo may take.

    `close()` of the iterator ends the workers. Raises UsageError for an argument that cannot be,
    and while it runs ModelUnavailable, and WorkerDied where no worker can start.
    """
    settings = load_settings(engine=engine)
    workers = usable_cores() if workers is None else workers
    check_workers(workers)
    if batch < 1 or not photo_limit_s > 0:
        raise UsageError("batch must be 1 or more, and photo_limit_s more than 0")
    find_embedder(model, settings.data_dir)
    tasks = _batches(*_listed(sources, batch, workers))
    guards = [
        PhotoGuard(settings, model, carefully=carefully, limit_s=photo_limit_s)
        for _ in range(workers)
    ]
    return run_tasks(guards, tasks, in_order=True)


def _listed(
    sources: Iterable[ImageSource] | str | os.PathLike[str], batch: int, workers: int
) -> tuple[Iterable[ImageSource], int]:
    """The sources, and how many to give a worker at a time: fewer of a few photos, so that every
    worker has some, also at the end."""
    if isinstance(sources, (bytes, bytearray, memoryview)) or hasattr(sources, "read"):
        raise UsageError("embed_photos takes several photos; put the one in a list")
    if isinstance(sources, (str, os.PathLike)):
        sources = [*find_photos([os.fspath(sources)])]
    if isinstance(sources, Sized):
        batch = max(1, min(batch, len(sources) // (4 * workers)))
    return sources, batch


def _batches(sources: Iterable[ImageSource], at_most: int) -> Iterator[list[SourcePhoto]]:
    """The photos as tasks of so many, or of so many bytes."""
    task: list[SourcePhoto] = []
    size = 0
    for row, source in zip(count(), sources):
        photo = _photo(row, source)
        added = getattr(photo.content, "nbytes", 0)
        if isinstance(photo.content, bytes):
            added = len(photo.content)
        if task and (len(task) == at_most or size + added > MAX_BATCH_BYTES):
            yield task
            task, size = [], 0
        task.append(photo)
        size += added
    if task:
        yield task


def _photo(row: int, source: ImageSource) -> SourcePhoto:
    name = f"photo {row + 1}"
    try:
        if isinstance(source, (str, os.PathLike)):
            name = os.fsdecode(source)
            return SourcePhoto(row, name, os.path.abspath(name))
        if isinstance(source, (bytes, bytearray, memoryview)):
            return SourcePhoto(row, name, bytes(source))
        if hasattr(source, "read"):
            return SourcePhoto(row, name, read_file_object(cast(IO[bytes], source)))
        return SourcePhoto(row, name, read_image(cast(Any, source)))
    except UnreadableImage as error:
        return SourcePhoto(row, name, error)
