"""The engine of several machines: shards are made by the workers of a Dask cluster."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from mien.bulk.plan import Shard
from mien.bulk.run import Engine
from mien.bulk.shard_maker import MakerSpec, ShardMaker, ShardSummary
from mien.errors import UsageError, WorkerDied, missing_extra, one_line, quote

CONNECT_S = 20
SHARDS_PER_THREAD = 3  # handed to the scheduler ahead

_own = threading.local()
"""The maker of each thread of a cluster's worker: `spec` key and `maker`."""


def run_on_cluster(address: str) -> Engine:
    """The engine of the scheduler at this address, such as tls://head:8786.

    A certificate and whom to trust are in Dask's own configuration (distributed.comm.tls). Raises
    MissingExtra, and UsageError for an address that cannot be or is not reached.
    """

    def run(spec: MakerSpec, shards: Iterable[Shard]) -> Iterator[ShardSummary]:
        _check(address, spec.source, spec.destination, seal=spec.sealer is not None)
        with _connected(address) as client:
            yield from _results(_distributed(), client, spec, iter(shards))

    return run


def expect_scheduler(address: str, *, source: str, destination: str, seal: bool) -> None:
    """Raise what `run_on_cluster` would before its first shard: before anything is written."""
    _check(address, source, destination, seal=seal)
    with _connected(address):
        pass


def _connected(address: str) -> Any:
    """A client, which is closed at the end of a `with`."""
    distributed = _distributed()
    try:
        return distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise UsageError(
            f"cannot reach the scheduler at {quote(address)}: {one_line(error)}; check the"
            " address, and that the scheduler runs"
        ) from error


def make_shard(spec: MakerSpec, shard: Shard) -> ShardSummary:
    """Make one shard, in a worker of the cluster. Its guarded process stays for the next one."""
    known = (spec.source, spec.destination, spec.run, spec.limit_s)
    if getattr(_own, "known", None) != known:
        if hasattr(_own, "maker"):
            _own.maker.close()
        _own.maker, _own.known = ShardMaker(spec), known
    made: ShardSummary = _own.maker.make(shard)
    return made


def _results(
    distributed: Any, client: Any, spec: MakerSpec, shards: Iterator[Shard]
) -> Iterator[ShardSummary]:
    threads = sum(client.nthreads().values())
    if not threads:
        raise UsageError("the scheduler has no worker; start some, then run again with --resume")
    ahead = list(islice(shards, SHARDS_PER_THREAD * threads))
    submitted = [client.submit(make_shard, spec, shard, pure=False) for shard in ahead]
    done = distributed.as_completed(submitted, loop=client.loop)
    del submitted  # a future that nobody holds is forgotten by the scheduler
    for future in done:
        try:
            yield future.result()
        except distributed.KilledWorker as error:
            raise WorkerDied(
                "workers of the cluster ended several times on one shard, perhaps for lack of"
                " memory; give them more, then run again with --resume"
            ) from error
        future.release()
        for shard in islice(shards, 1):
            done.add(client.submit(make_shard, spec, shard, pure=False))


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
