"""A worker that outlives its photos: one that kills it or hangs becomes a record with a reason."""

from __future__ import annotations

import functools
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mien.bulk.analyse import Content, load_analysis
from mien.bulk.embedded_photo import EmbeddedPhoto, failed_photo, photo_from_plain
from mien.bulk.worker import Worker, WorkerEnded, WorkerFailed
from mien.errors import Outcome, UnreadableImage, WorkerDied
from mien.models import find_embedder
from mien.settings import GPU_ENGINES, Settings

PHOTO_LIMIT_S = 60.0  # the slowest photo of the tests of hostile pictures takes 3 s
MAX_KILLED = (
    10  # photos in a row that end in SIGKILL: the system lacks memory, no photo is at fault
)


@dataclass(frozen=True, slots=True, eq=False)
class SourcePhoto:
    """A photo to embed, as it is given to a worker.

    row, name: as in `EmbeddedPhoto`. content: of the photo, or why it could not be read.
    """

    row: int
    name: str
    content: Content | UnreadableImage


class PhotoGuard:
    """Embeds photos in one worker process, which is started again when a photo ends it.

    carefully: as for enrollment; else as for an attempt to unlock. limit_s: for one photo.
    """

    def __init__(
        self, settings: Settings, model: str, *, carefully: bool, limit_s: float = PHOTO_LIMIT_S
    ) -> None:
        # the process that decodes photos gets one thread, and nothing of the vault
        settings = replace(settings, threads=1, vault_url=None, passphrase_file=None)
        self._dims = find_embedder(model, settings.data_dir).dims
        self._limit_s = limit_s
        load = functools.partial(load_analysis, settings, model, carefully=carefully)
        self._worker = Worker(load, limit_s=limit_s)
        self._at_once = settings.engine in GPU_ENGINES  # the photo that is due is not the only one
        self._killed = 0

    def results(self, photos: Sequence[SourcePhoto]) -> Iterator[EmbeddedPhoto]:
        """A record for each photo, in their order.

        A worker that ends is started again, and given the photo that was due alone: if it ends
        again, it was that photo. The rest follow alone too, where a worker looks at several photos
        at once, so that the one to blame is not searched for again and again. Raises WorkerDied
        where a worker cannot start or memory is short, and ModelMissing and ModelAltered.
        """
        left, alone, suspect = deque(photos), False, -1
        while left:
            if isinstance(left[0].content, UnreadableImage):
                one = left.popleft()
                yield failed_photo(one.row, one.name, Outcome.UNREADABLE_IMAGE, str(one.content))
                continue
            try:
                for record in self._embed(_readable(left, at_most=1 if alone else len(left))):
                    left.popleft()
                    self._killed = 0
                    yield record
                alone = alone and self._at_once
            except WorkerFailed as error:
                yield self._failed(left.popleft(), str(error))
                alone = alone and self._at_once
            except WorkerEnded as error:
                if not error.loaded:
                    raise _cannot_start() from error
                is_proved = left[0].row == suspect or (error.hung and (alone or not self._at_once))
                suspect = left[0].row
                if is_proved:
                    yield self._failed(left.popleft(), self._why(error))
                alone = self._at_once or not is_proved

    def close(self) -> None:
        """End the worker process."""
        self._worker.close()

    def _embed(self, photos: list[SourcePhoto]) -> Iterator[EmbeddedPhoto]:
        """Raises WorkerFailed also for an answer that is none."""
        due = iter(photos)
        for plain in self._worker.results([_task_of(one) for one in photos]):
            try:
                one = next(due)
                yield photo_from_plain(one.row, one.name, plain, dims=self._dims)
            except (AttributeError, StopIteration, TypeError, ValueError) as error:
                raise WorkerFailed("a worker process gave an answer that is none") from error

    def _failed(self, photo: SourcePhoto, why: str) -> EmbeddedPhoto:
        return failed_photo(photo.row, photo.name, Outcome.INTERNAL_ERROR, why)

    def _why(self, error: WorkerEnded) -> str:
        if error.hung:
            return f"the photo took more than {self._limit_s:.0f} s and was given up"
        self._killed += error.code == -signal.SIGKILL
        if self._killed >= MAX_KILLED:
            raise WorkerDied(
                f"the system killed a worker at {MAX_KILLED} photos in a row; free memory, or run"
                " again with fewer --workers"
            ) from error
        how = f"signal {-error.code}" if error.code and error.code < 0 else f"code {error.code}"
        return f"the photo ended the process that decoded it ({how}); leave it out"


def _task_of(photo: SourcePhoto) -> tuple[str, Content]:
    assert not isinstance(photo.content, UnreadableImage)  # `_readable` left it out
    return photo.name, photo.content


def _readable(photos: deque[SourcePhoto], *, at_most: int) -> list[SourcePhoto]:
    """The first ones, up to one that could not be read."""
    found: list[SourcePhoto] = []
    for one in photos:
        if len(found) == at_most or isinstance(one.content, UnreadableImage):
            break
        found.append(one)
    return found


def _cannot_start() -> WorkerDied:
    return WorkerDied(
        "a worker process ended before it had loaded the models; free memory, then run: mien doctor"
    )
