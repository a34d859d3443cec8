"""The engine of several machines: shards are made by the workers of a Dask cluster."""

from __future__ import annotations

import ipaddress
import logging
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from mien import __version__
from mien.bulk.plan import Shard
from mien.bulk.run import Engine
from mien.bulk.shard_maker import MakerSpec, ShardMaker, ShardSummary
from mien.errors import UsageError, WorkerDied, missing_extra, one_line, quote

CONNECT_S = 20  # for the scheduler to answer, and then for a first worker
SHARDS_PER_THREAD = 3  # handed to the scheduler ahead
CHECK_S = 10.0  # so often it is looked whether there is a worker, while no shard gets done
NO_WORKER_S = 300.0  # a job or a container that is started again takes less
IDLE_S = 60.0  # a maker without work is closed: its process has 150 MB, and it has the run's key
VERSION = "__import__('mien').__version__"
GO_ON = "then run again with --resume"

_own = threading.local()
"""The `slot` of each thread of a cluster's worker."""


def run_on_cluster(address: str) -> Engine:
    """The engine of the scheduler at this address, such as tls://head:8786.

    A certificate and whom to trust are in Dask's own configuration (distributed.comm.tls). Raises
    MissingExtra; UsageError for an address that cannot be or is not reached, and for workers with
    another version; WorkerDied where the scheduler or all workers are lost.
    """

    def run(spec: MakerSpec, shards: Iterable[Shard]) -> Iterator[ShardSummary]:
        _check(address, spec.source, spec.destination, seal=spec.sealer is not None)
        with _connected(address) as client:
            yield from _results(client, spec, iter(shards))

    return run


def expect_scheduler(address: str, *, source: str, destination: str, seal: bool) -> int:
    """Raise what `run_on_cluster` would before its first shard: before anything is written.

    Waits `CONNECT_S` for a first worker. Returns how many threads the workers have.
    """
    _check(address, source, destination, seal=seal)
    with _connected(address) as client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except _distributed().TimeoutError as error:
            raise UsageError(
                f"the scheduler at {quote(address)} has no worker; start one, such as:"
                f" dask worker {address} --nthreads 1"
            ) from error
        _expect_this_version(client)
        return max(1, _threads(client))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client, which is closed at the end."""
    distributed = _distributed()
    logger = logging.getLogger("distributed.client")
    before, logger.disabled = logger.disabled, True  # tracebacks of what is told in a line
    try:
        try:
            client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, distributed.TimeoutError, ValueError, TypeError) as error:
            raise UsageError(
                f"cannot reach the scheduler at {quote(address)}: {one_line(error)}; check the"
                " address, and that the scheduler runs"
            ) from error
        with client:
            yield client
    finally:
        logger.disabled = before


def _expect_this_version(client: Any) -> None:
    """Raise UsageError for a worker of another version, or without mien."""
    # built-in functions, which a worker without mien has too
    for worker, version in client.run(eval, VERSION, on_error="return").items():
        if version != __version__:
            what = f"mien {version}" if isinstance(version, str) else one_line(version)
            raise UsageError(
                f"the worker at {worker} has not this mien, {__version__}, but: {what}; install"
                " the same one with its extra cluster on every machine"
            )


def make_shard(spec: MakerSpec, shard: Shard, version: str) -> ShardSummary:
    """Make one shard, in a worker of the cluster. version: of the mien that asks for it.

    The guarded process stays for the next shard, and ends when none comes for `IDLE_S`.
    """
    if version != __version__:  # of a worker that came later
        raise UsageError(
            f"a worker has mien {__version__}, and not {version}; install the same one on every"
            f" machine, {GO_ON}"
        )
    if not hasattr(_own, "slot"):
        _own.slot = _Slot()
    slot: _Slot = _own.slot
    return slot.make(spec, shard)


class _Slot:
    """The maker of one thread. `close` comes from the thread of a timer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: object = None
        self._maker: ShardMaker | None = None
        self._timer: threading.Timer | None = None

    def make(self, spec: MakerSpec, shard: Shard) -> ShardSummary:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            known = (spec.source, spec.destination, spec.run, spec.limit_s)
            if self._maker is None or self._known != known:
                self._close()
                self._maker, self._known = ShardMaker(spec), known
            try:
                return self._maker.make(shard)
            finally:
                self._timer = threading.Timer(IDLE_S, self.close)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._maker is not None:
            self._maker.close()
        self._maker = None


def _results(client: Any, spec: MakerSpec, shards: Iterator[Shard]) -> Iterator[ShardSummary]:
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    pending: dict[str, Any] = {}  # a future that nobody holds is forgotten by the scheduler
    while True:
        free = SHARDS_PER_THREAD * max(1, _threads(client)) - len(pending)  # workers may come
        for shard in islice(shards, max(0, free)):
            future = client.submit(make_shard, spec, shard, __version__, pure=False)
            pending[future.key] = future
            future.add_done_callback(done.put)
        if not pending:
            return
        future = _next(client, done)
        del pending[future.key]
        yield _summary_of(future)


def _next(client: Any, done: queue.SimpleQueue[Any]) -> Any:
    """The next future that is done. WorkerDied where there is no worker for `NO_WORKER_S`."""
    without_s = 0.0
    while True:
        try:
            return done.get(timeout=CHECK_S)
        except queue.Empty:
            without_s = 0.0 if _threads(client) else without_s + CHECK_S
        if without_s >= NO_WORKER_S:
            raise WorkerDied(
                f"the scheduler has had no worker for {without_s:.0f} s; start some, {GO_ON}"
            )


def _summary_of(future: Any) -> ShardSummary:
    distributed = _distributed()
    try:
        made: ShardSummary = future.result()
    except distributed.KilledWorker as error:
        raise WorkerDied(
            "workers of the cluster ended several times on one shard, perhaps for lack of"
            f" memory; read their logs, give them more, {GO_ON}"
        ) from error
    except distributed.CancelledError as error:
        raise _lost() from error
    return made


def _threads(client: Any) -> int:
    """Of all workers."""
    try:
        return sum(client.nthreads().values())
    except OSError as error:
        raise _lost() from error


def _lost() -> WorkerDied:
    return WorkerDied(f"the scheduler was lost; start it and its workers, {GO_ON}")


def _check(address: str, source: str, destination: str, *, seal: bool) -> None:
    """Refuse what would send the key of sealed shards in the clear, and memory of one process."""
    if destination.startswith("memory://") or source.startswith("memory://"):
        raise UsageError("memory:// is of one process; name a folder that all workers reach")
    scheme, _, rest = address.partition("://")
    if not seal or scheme in ("tls", "wss", "inproc"):
        return
    host = rest.rpartition(":")[0].strip("[]")
    if not _is_loopback(host):
        raise UsageError(
            f"{quote(address)} is not encrypted, and the workers need the key of the shards; use"
            " tls://, see docs/bulk.md, or pass --plain for shards that anybody can read"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise missing_extra("--scheduler needs Dask distributed", "cluster") from error
    return distributed
