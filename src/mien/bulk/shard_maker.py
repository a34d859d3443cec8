"""Make the shards of a run, one after the other: read, embed, seal, and write each whole."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from mien.bulk.embedded_photo import EmbeddedPhoto
from mien.bulk.guard import PHOTO_LIMIT_S, PhotoGuard, SourcePhoto
from mien.bulk.plan import RUN_NAME, RunInfo, Shard
from mien.bulk.shard_file import encode_shard, text_of
from mien.bulk.shard_seal import Sealer
from mien.bulk.storage import open_folder
from mien.errors import ModelMismatch, Outcome, UnreadableImage, UsageError, quote
from mien.models import find_embedder
from mien.settings import GPU_ENGINES, Settings, load_settings

GPU_PHOTOS = 64  # that are looked at together; a CPU takes one at a time
AHEAD = 4  # photos that are fetched while one is embedded: each may have 48 MB
MAX_TOLD = 20  # failures of a shard that are told one by one; its rows have all


@dataclass(frozen=True, slots=True)
class MakerSpec:
    """What a maker needs, also on another machine. Picklable.

    settings: None loads those of the machine that it runs on. engine: then used.
    """

    source: str
    destination: str
    run: RunInfo
    sealer: Sealer | None = field(repr=False)
    settings: Settings | None
    engine: str
    limit_s: float = PHOTO_LIMIT_S


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """What came of a shard. outcomes: how many photos of each, by its word.

    failures: (photo, outcome, why) of the first ones. existed: it was there, so nothing was done.
    """

    name: str
    outcomes: dict[str, int]
    failures: tuple[tuple[str, str, str], ...] = ()
    existed: bool = False


class ShardMaker:
    """Makes shards with one guarded process."""

    def __init__(self, spec: MakerSpec) -> None:
        self._spec = spec
        self._source, self._destination = open_folder(spec.source), open_folder(spec.destination)
        settings = spec.settings or load_settings(engine=spec.engine)
        row = find_embedder(spec.run.model, settings.data_dir)
        if row.id.sha256 != spec.run.model_sha256:
            raise ModelMismatch(
                f"this machine has another {spec.run.model} than the run; install the same mien"
                " and add the same model on every machine"
            )
        self._at_once = GPU_PHOTOS if settings.engine in GPU_ENGINES else 1
        self._guard = PhotoGuard(
            settings, spec.run.model, carefully=spec.run.carefully, limit_s=spec.limit_s
        )

    def results(self, shard: Shard) -> Iterator[ShardSummary]:
        """Make one shard. Nothing is written before it is complete."""
        yield self.make(shard)

    def make(self, shard: Shard) -> ShardSummary:
        """As `results`. Raises what `PhotoGuard.results` and the folders do."""
        there, source = self._destination.names(), self._source.identity()
        if RUN_NAME not in there:
            raise UsageError(
                f"{quote(self._destination.place)} has no {RUN_NAME}: it was removed, or this"
                " machine reaches another folder; mount the one of the run, then run again with"
                " --resume"
            )
        if shard.name in there:
            return ShardSummary(shard.name, {}, existed=True)
        photos = list(self._embed(shard.photos))
        if self._source.identity() != source:
            raise UsageError(
                f"another folder took the place of {quote(self._source.place)}; mount the one with"
                " the photos, then run again with --resume"
            )
        content = encode_shard(photos, metadata={**self._spec.run.metadata(), "shard": shard.name})
        if self._spec.sealer is not None:
            content = self._spec.sealer.seal(content, shard.name)
        self._destination.write(shard.name, content)
        return _summary(shard.name, photos)

    def close(self) -> None:
        """End the guarded process."""
        self._guard.close()

    def _embed(self, names: Sequence[str]) -> Iterator[EmbeddedPhoto]:
        photos = (SourcePhoto(row, *one) for row, one in enumerate(self._fetched(names)))
        while group := list(islice(photos, self._at_once)):
            yield from self._guard.results(group)

    def _fetched(self, names: Sequence[str]) -> Iterator[tuple[str, str | bytes | UnreadableImage]]:
        """The content of each photo, some of them fetched ahead."""
        waiting: deque[tuple[str, Future[str | bytes | UnreadableImage]]] = deque()
        with ThreadPoolExecutor(AHEAD, thread_name_prefix="mien-fetch") as executor:
            for name in names:
                waiting.append((name, executor.submit(self._fetch, name)))
                if len(waiting) > AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()

    def _fetch(self, name: str) -> str | bytes | UnreadableImage:
        try:
            return self._source.photo(name)
        except UnreadableImage as error:
            return error


def _summary(name: str, photos: Sequence[EmbeddedPhoto]) -> ShardSummary:
    outcomes = Counter(one.outcome.value for one in photos)
    failed = [one for one in photos if one.outcome is not Outcome.OK]
    # what stopped a process is told before what has no face
    failed.sort(key=lambda one: one.outcome is not Outcome.INTERNAL_ERROR)
    told = tuple((text_of(one.name), one.outcome.value, one.error) for one in failed[:MAX_TOLD])
    return ShardSummary(name, dict(outcomes), told)
