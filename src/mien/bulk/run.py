"""A run: plan the photos of a source, make the shards that are missing, and sum up."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mien.bulk.guard import PHOTO_LIMIT_S
from mien.bulk.plan import (
    RunInfo,
    Shard,
    new_run,
    plan_numbers,
    read_plan,
    read_run,
    shard_size,
    write_plans,
    write_run,
)
from mien.bulk.shard_file import expect_parquet, photo_key
from mien.bulk.shard_maker import MakerSpec, ShardMaker, ShardSummary
from mien.bulk.shard_seal import Sealer, new_sealer, open_sealer
from mien.bulk.storage import Folder, open_folder
from mien.bulk.worker_pool import check_workers, run_tasks
from mien.errors import UsageError, quote
from mien.models import find_embedder
from mien.settings import Settings
from mien.vault.crypto.local_keys import AskPassphrase

MAX_TOLD = 100  # failures that a summary tells one by one; the shards have all

Engine = Callable[[MakerSpec, Iterable[Shard]], Iterator[ShardSummary]]
"""Makes the shards, and gives a summary of each as it gets done."""
Progress = Callable[[Iterable[int], int], Iterable[int]]
"""Wraps the numbers of photos that get done; told how many there are in all."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to embed, and where to. source, destination: folders or URLs.

    carefully: as for enrollment. seal: encrypt the shards. resume: go on with a run that is there.
    workers: for how many to plan. limit_s: for one photo.
    """

    source: str
    destination: str
    model: str
    carefully: bool = True
    seal: bool = True
    resume: bool = False
    workers: int = 1
    limit_s: float = PHOTO_LIMIT_S


@dataclass(slots=True)
class RunSummary:
    """What came of a run. photos: in the plans. before: of them, in shards that were there.

    outcomes: of the others, by word. failures: (photo, outcome, why) of the first ones.
    """

    photos: int = 0
    before: int = 0
    shards: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, summary: ShardSummary) -> int:
        """Add a shard. Returns how many photos it has."""
        self.outcomes.update(summary.outcomes)
        self.failures += summary.failures[: MAX_TOLD - len(self.failures)]
        self.shards += not summary.existed
        return sum(summary.outcomes.values())


def run_in_processes(workers: int) -> Engine:
    """The engine of one machine: a guarded process for each worker."""
    check_workers(workers)

    def run(spec: MakerSpec, shards: Iterable[Shard]) -> Iterator[ShardSummary]:
        return run_tasks([ShardMaker(spec) for _ in range(workers)], shards)

    return run


def embed_folder(
    request: RunRequest,
    *,
    settings: Settings,
    engine: Engine,
    ask_passphrase: AskPassphrase,
    on_other_machines: bool = False,
    progress: Progress = lambda counts, total: counts,
) -> RunSummary:
    """Embed all photos of a source that no shard of the destination has yet.

    on_other_machines: the engine's workers load their own settings. Raises UsageError for a
    destination that has a run and no resume, or another run than the one requested; and what the
    engine, the folders and the key raise.
    """
    expect_parquet()
    source, destination = open_folder(request.source), open_folder(request.destination)
    row = find_embedder(request.model, settings.data_dir)
    wanted = new_run(row, settings, carefully=request.carefully)
    photos = source.photo_names()  # first: nothing is written for a source that cannot be listed
    if not photos and read_run(destination) is None:
        raise UsageError(f"no photo in {quote(source.place)} or below it; name another folder")
    run, sealer, planned = _plan(request, wanted, photos, destination, settings, ask_passphrase)
    missing, summary = _missing(destination, sealer), RunSummary(photos=planned)
    waiting = sum(len(shard.photos) for shard in missing())
    summary.before = planned - waiting
    spec = MakerSpec(
        source.place if "://" not in request.source else request.source,
        destination.place if "://" not in request.destination else request.destination,
        run,
        sealer,
        None if on_other_machines else replace(settings, vault_url=None, passphrase_file=None),
        settings.engine,
        request.limit_s,
    )
    done = (summary.add(shard) for shard in engine(spec, missing()))
    for _ in progress(done, waiting):
        pass
    return summary


def _plan(
    request: RunRequest,
    wanted: RunInfo,
    photos: Sequence[str],
    destination: Folder,
    settings: Settings,
    ask_passphrase: AskPassphrase,
) -> tuple[RunInfo, Sealer | None, int]:
    """The run of the destination, and how many photos its plans have."""
    with destination.planning():
        run, sealer = _begin(request, wanted, destination, settings, ask_passphrase)
        planned = _plan_new(photos, destination, sealer, request.workers)
        if read_run(destination) != run:  # an object store cannot be locked
            raise UsageError(
                f"another run began in {quote(destination.place)} at the same time; name another"
                " folder"
            )
    return run, sealer, planned


def _begin(
    request: RunRequest,
    wanted: RunInfo,
    destination: Folder,
    settings: Settings,
    ask_passphrase: AskPassphrase,
) -> tuple[RunInfo, Sealer | None]:
    """The run of the destination, or a new one."""
    found = read_run(destination)
    if found is None:
        if plan_numbers(destination):
            raise UsageError(f"{quote(destination.place)} has plans and no run.json; name another")
        sealer, header = new_sealer(settings, ask_passphrase) if request.seal else (None, b"")
        run = replace(wanted, header=header.hex())
        write_run(destination, run)
        return run, sealer
    if not request.resume:
        raise UsageError(
            f"{quote(destination.place)} has a run already; pass --resume to go on with it, or"
            " name another folder"
        )
    differences = replace(wanted, header="x" if request.seal else "").differences(found)
    if differences:
        raise UsageError(
            f"the run in {quote(destination.place)} differs in {', '.join(differences)}; pass the"
            " options that it was begun with, or name another folder"
        )
    if not found.is_sealed:
        return found, None
    return found, open_sealer(bytes.fromhex(found.header), settings, ask_passphrase)


def _plan_new(
    photos: Sequence[str], destination: Folder, sealer: Sealer | None, workers: int
) -> int:
    """Plan those of the photos that no plan has. Returns how many all plans have."""
    known: set[bytes] = set()  # hashes, because a million names take twice the memory
    for number in plan_numbers(destination):
        for shard in read_plan(destination, number, sealer):
            known.update(_digest(photo) for photo in shard.photos)
    new = [photo for photo in photos if _digest(photo) not in known]
    new.sort(key=photo_key)  # so that the photos of a person follow one another
    write_plans(destination, new, size=shard_size(len(new), workers), sealer=sealer)
    return len(known) + len(new)


def _missing(destination: Folder, sealer: Sealer | None) -> Callable[[], Iterator[Shard]]:
    """A function that gives the shards that were not there when it was made, plan by plan."""
    there = destination.names()

    def shards() -> Iterator[Shard]:
        for number in plan_numbers(destination):
            for shard in read_plan(destination, number, sealer):
                if shard.name not in there:
                    yield shard

    return shards


def _digest(photo: str) -> bytes:
    return hashlib.blake2b(photo.encode("utf-8", "surrogatepass"), digest_size=16).digest()
