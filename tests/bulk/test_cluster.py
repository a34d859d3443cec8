"""Shards made by a real Dask cluster on this machine, of which a worker is killed."""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.bulk import fragile
from tests.bulk.test_run import expect_each_once, request, rows

from mien.bulk import guard
from mien.bulk.cluster import make_shard, run_on_cluster
from mien.bulk.plan import Shard, new_run, write_run
from mien.bulk.run import embed_folder
from mien.bulk.shard_maker import MakerSpec, ShardSummary
from mien.bulk.storage import open_folder
from mien.cli.main import main
from mien.errors import Outcome, UsageError, WorkerDied
from mien.models import find_embedder
from mien.results import ByteArray
from mien.settings import Settings, load_settings

distributed = pytest.importorskip(
    "distributed", reason="needs Dask distributed: pip install '.[cluster]'"
)
pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[cluster]'")

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:distributed"),
]
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}  # 127.0.0.1 and ::1


@pytest.fixture
def cluster(home: Path) -> Iterator[Any]:
    """Two worker processes of one thread; they have this home for theirs."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as made:
        yield made


def processes(cluster: Any) -> list[int]:
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def listening(pids: list[int]) -> set[str]:
    """The addresses, in hexadecimal, on which these processes listen."""
    mine = set()
    for pid in pids:
        for handle in os.listdir(f"/proc/{pid}/fd"):
            try:
                mine.add(os.readlink(f"/proc/{pid}/fd/{handle}"))
            except OSError:
                continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
                found.add(fields[1].split(":")[0])
    return found


@pytest.fixture
def source(tmp_path: Path, astronaut: ByteArray) -> Path:
    """Two faces, and small pictures without one: 34 photos, three shards."""
    made = tmp_path / "people"
    head = Image.fromarray(np.ascontiguousarray(astronaut[0:256, 96:352]))
    for number in range(34):
        photo = made / f"person {number % 3}" / f"{number:02}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (40, 40), (number, 90, 90)) if number % 17 else head
        picture.save(photo)
    return made


def test_a_cluster_of_which_a_worker_is_killed_makes_every_row_once(
    source: Path, tmp_path: Path, home: Path, cluster: Any
) -> None:
    own, out = load_settings(), tmp_path / "out"
    pids = processes(cluster)
    assert len(pids) == 2
    assert listening([os.getpid(), *pids]) <= LOOPBACK
    engine = run_on_cluster(cluster.scheduler_address)

    def killing(spec: MakerSpec, shards: Any) -> Iterator[ShardSummary]:
        """After the first shard a worker is killed in the middle of another."""
        results = engine(spec, shards)
        yield next(results)
        os.kill(pids[0], signal.SIGKILL)
        yield from results

    summary = embed_folder(
        request(source, out),
        settings=own,
        engine=killing,
        ask_passphrase=lambda: "",
        on_other_machines=True,
    )
    assert summary.photos == 34
    expect_each_once(out, own, 34)
    assert sum(one.outcome is Outcome.OK for one in rows(out, own)) == 2
    with pytest.raises(UsageError, match="--resume"):
        embed_folder(request(source, out), settings=own, engine=engine, ask_passphrase=str)


SPEC = MakerSpec("/s", "/d", None, object(), None, "onnxruntime")  # type: ignore[arg-type]
SHARDS = [Shard("shard-0000-00000.parquet.sealed", ("a.jpg",))]


@pytest.mark.parametrize("address", ["tcp://10.1.2.3:8786", "head:8786", "tcp://head:8786"])
def test_the_key_of_sealed_shards_is_not_sent_in_the_clear(address: str) -> None:
    with pytest.raises(UsageError, match="tls://"):
        list(run_on_cluster(address)(SPEC, SHARDS))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nosuch://x", "tcp://localhost:x"])
def test_a_scheduler_that_is_not_there_is_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.bulk.cluster.CONNECT_S", 1)
    with pytest.raises(UsageError):
        list(run_on_cluster(address)(SPEC, SHARDS))


def test_memory_of_one_process_is_no_place_for_a_cluster(home: Path) -> None:
    own: Settings = load_settings()
    spec = MakerSpec("memory://a", "/d", None, None, own, "onnxruntime")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="memory://"):
        list(run_on_cluster("tcp://127.0.0.1:1")(spec, SHARDS))


@pytest.mark.parametrize(
    ("address", "words"),
    [("tcp://10.1.2.3:8786", "tls://"), ("tcp://127.0.0.1:1", "cannot reach the scheduler")],
)
def test_a_refused_scheduler_leaves_nothing_behind(
    address: str,
    words: str,
    source: Path,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("mien.bulk.cluster.CONNECT_S", 1)
    out = tmp_path / "out"
    assert main(["bulk", "embed", str(source), "--out", str(out), "--scheduler", address]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


# a cluster that is not as it should be -----------------------------------------------------------


def cluster_of(workers: int) -> Any:
    """A scheduler in this process, with so many workers in it."""
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    )


def embed_on(cluster: Any, source: Path, out: Path) -> int:
    address = cluster.scheduler_address
    return main(["bulk", "embed", str(source), "--out", str(out), "--scheduler", address])


def test_a_scheduler_without_a_worker_is_told_and_leaves_nothing_behind(
    source: Path,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("mien.bulk.cluster.CONNECT_S", 1)
    with cluster_of(0) as cluster:
        assert embed_on(cluster, source, tmp_path / "out") == 2
        said = capsys.readouterr().err
        assert f"has no worker; start one, such as: dask worker {cluster.scheduler_address}" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_worker_of_another_version_is_told_and_leaves_nothing_behind(
    source: Path,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("mien.bulk.cluster.__version__", "0.9.9")
    with cluster_of(1) as cluster:
        assert embed_on(cluster, source, tmp_path / "out") == 2
    assert "install the same one" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match=r"not 0\.2; install the same one"):  # it came later
        make_shard(SPEC, SHARDS[0], "0.2")


def test_a_run_ends_when_the_scheduler_or_the_last_worker_is_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("distributed.client")  # would print a traceback
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    monkeypatch.setattr("mien.bulk.cluster.CHECK_S", 0.05)
    monkeypatch.setattr("mien.bulk.cluster.NO_WORKER_S", 0.1)
    with cluster_of(0) as cluster:
        run = run_on_cluster(cluster.scheduler_address)
        with pytest.raises(WorkerDied, match=r"no worker for 0 s.*--resume"):
            list(run(SPEC, SHARDS))

        def shards() -> Iterator[Shard]:
            yield from SHARDS
            monkeypatch.setattr(logger, "level", logging.DEBUG)
            cluster.close()

        with pytest.raises(WorkerDied, match=r"scheduler was lost.*--resume"):
            list(run(SPEC, shards()))
    assert not [one for one in caplog.records if one.name == logger.name]


def guards() -> list[int]:
    """The guarded processes of this one."""
    threads = Path("/proc/self/task").glob("*/children")
    pids = [int(pid) for children in threads for pid in children.read_text().split()]
    return [pid for pid in pids if b"worker_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_worker_without_a_shard_keeps_no_guarded_process(
    source: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, before = load_settings(), guards()
    monkeypatch.setattr(guard, "load_analysis", fragile.load)
    monkeypatch.setattr("mien.bulk.cluster._own", threading.local())
    run = new_run(find_embedder("sface", own.data_dir), own, carefully=True)
    write_run(open_folder(str(tmp_path)), run)
    spec = MakerSpec(str(source), str(tmp_path), run, None, own, own.engine)
    monkeypatch.setattr("mien.bulk.cluster.IDLE_S", 600.0)
    shard = Shard("shard-0000-00000.parquet", ("person 0/00.png",))
    assert make_shard(spec, shard, run.version).outcomes == {"ok": 1}
    [kept] = set(guards()) - set(before)
    monkeypatch.setattr("mien.bulk.cluster.IDLE_S", 0.0)
    later = Shard("shard-0000-00001.parquet", ("person 1/01.png",))
    assert make_shard(spec, later, run.version).outcomes == {"ok": 1}
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.interval == 0.0:
            thread.join()
    assert kept not in guards()


def test_the_commands_of_the_page_listen_on_this_machine_only(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "bulk.md").read_text()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    began = []
    try:
        for command in re.findall(r"^dask (?:scheduler|worker) [^#\n]*", page, re.M):
            words = shlex.split(command.replace("8786", port).replace("8787", "0"))
            began.append(
                subprocess.Popen(
                    [sys.executable, "-m", *words], cwd=tmp_path, stderr=subprocess.DEVNULL
                )
            )
        assert len(began) == 2
        with distributed.Client(f"127.0.0.1:{port}", timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            pids = [*client.run(os.getpid).values(), *(one.pid for one in began)]
        assert listening(pids)
        assert listening(pids) <= LOOPBACK
    finally:
        for one in reversed(began):
            one.send_signal(signal.SIGINT)
            one.wait(60)
