"""Graphs as ONNX Runtime optimises them for this processor, made once and kept.

Loading a graph is a quarter of a cold start: ONNX Runtime optimises it anew each time, and holds
its weights several times meanwhile. The result of one such optimisation is kept here:

    CACHE/graphs/NAME-KEY.optimised    the graph and its weights, see `mien.models.optimised_file`
    DATA/optimised/NAME.json           its record: what it was made for, its size and SHA-256

KEY and record name the published graph, the version of this form and of ONNX Runtime, and the
processor; for any other of these it is made again. The table cannot have its hash, because each
processor gets another file. The record has it, beside the vault: whoever can write the cache
alone cannot forge both. `mien.models.optimise` makes both, in a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from mien.errors import ModelAltered
from mien.files import fault_of_owner, make_folder, read_regular, write_whole
from mien.models.engine import Net, describe_onnxruntime, open_optimised_net
from mien.models.optimised_file import read_optimised
from mien.models.table import ModelRow
from mien.records import asdict, dataclass

FORM = 1
"""Of file and graph; another number wherever the layout or the options of the session change."""
MAX_RECORD_BYTES = 4096
MAX_FILE_BYTES = 1 << 30
TIMEOUT_S = 120.0
ROOM_BYTES = 96 << 20
"""What must be free: a graph as ONNX Runtime writes it, and the file, may be on one disk."""
CPU_LINES = frozenset(
    (
        *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
        *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision"),
        "Features",
    )
)
"""The lines of /proc/cpuinfo that say what a processor can do."""


@dataclass(frozen=True, slots=True)
class OptimisedRecord:
    """key: of `key_of`. size: of the file, bytes. sha256: of the file; empty while it was tried to
    make one and none could be kept."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class OptimisedStore:
    """Where optimised graphs are kept, and where what they are made of is found."""

    models_dir: Path | None
    cache_dir: Path
    data_dir: Path

    def path(self, row: ModelRow, key: str) -> Path:
        """Of the file with the graph and its weights."""
        return self.cache_dir / "graphs" / f"{row.name}-{key}.optimised"

    def record_path(self, row: ModelRow) -> Path:
        return self.data_dir / "optimised" / f"{row.name}.json"

    def find(self, row: ModelRow) -> OptimisedRecord | None:
        """The record, if it is for this machine; None too if it is damaged or not one's own."""
        try:
            content = read_regular(self.record_path(row), MAX_RECORD_BYTES, expect=_expect_own)
            fields: Mapping[str, object] = json.loads(content)
            record = OptimisedRecord(**fields)  # type: ignore[arg-type]
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        if not isinstance(record.size, int) or not 0 <= record.size <= MAX_FILE_BYTES:
            return None
        return record if record.key == key_of(row) else None

    def is_kept(self, row: ModelRow) -> bool:
        """Whether there is a file of the right size; its hash is checked when it is opened."""
        record = self.find(row)
        if record is None or not record.sha256:
            return False
        path = self.path(row, record.key)
        return os.path.isfile(path) and os.path.getsize(path) == record.size

    def open(self, row: ModelRow, *, threads: int) -> Net | None:
        """The net of the file; None if there is none that may be used.

        The record of a file that may not be used is removed, so that the next start makes both.
        """
        record = self.find(row)
        if record is None or not record.sha256:
            return None
        try:
            path = self.path(row, record.key)
            found = read_optimised(path, size=record.size, sha256=record.sha256)
            if found is not None:
                return open_optimised_net(found.graph, found.weights, threads=threads)
        except OSError:
            return None  # memory or file handles are short, which says nothing of the file
        except ModelAltered:
            pass
        self.forget(row)
        return None

    def forget(self, row: ModelRow) -> None:
        """Remove the record, so that the graph is optimised again."""
        with suppress(OSError):
            self.record_path(row).unlink(missing_ok=True)

    def keep(self, row: ModelRow, content: bytes) -> None:
        """Write the file, in place of older ones, and its record. Raises OSError.

        content: empty to say that none can be made.
        """
        key = key_of(row)
        if content:
            path = self.path(row, key)
            for one in path.parent.glob(f"{row.name}-*.optimised"):
                if one != path:  # or each upgrade would leave 40 MB
                    one.unlink(missing_ok=True)
            write_whole(path, content)
        sha256 = hashlib.sha256(content).hexdigest() if content else ""
        record = OptimisedRecord(key, len(content), sha256)
        write_whole(self.record_path(row), json.dumps(asdict(record)).encode())

    def prepare(self, rows: Iterable[ModelRow]) -> None:
        """Make what is missing, in another process: at most once for each row and version.

        Optimising takes more memory than an unlock has to have. What fails there costs time at
        every start, and nothing else.
        """
        missing = [row.name for row in rows if key_of(row) and self._is_untried(row)]
        # a program that only contains Python must not be started with arguments for Python
        is_python = os.path.basename(sys.executable or "").startswith("python")
        if missing and is_python and self._may_write():
            _run_optimise(missing, self)

    def _is_untried(self, row: ModelRow) -> bool:
        record = self.find(row)
        return record is None or (bool(record.sha256) and not self.is_kept(row))

    def _may_write(self) -> bool:
        """Whether what would be made could be kept: a full disk is no reason to record a failure,
        and optimising in vain at every start would take longer than it saves."""
        import shutil  # most starts do not need these two
        import tempfile

        folders = (self.cache_dir / "graphs", self.data_dir / "optimised")
        with suppress(OSError):
            for folder in folders:
                make_folder(folder)
            places = (*folders, Path(tempfile.gettempdir()))
            return all(
                os.access(one, os.W_OK) and shutil.disk_usage(one).free >= ROOM_BYTES
                for one in places
            )
        return False


def key_of(row: ModelRow) -> str:
    """What an optimised graph of this row is made for, hashed; empty where it is not known."""
    made_on = processor()
    if not made_on:
        return ""
    made_for = (row.graph_hash("onnxruntime"), FORM, describe_onnxruntime(), made_on)
    return hashlib.sha256(json.dumps(made_for).encode()).hexdigest()[:16]


@cache
def processor() -> str:
    """What /proc/cpuinfo says of the first core; empty on a system without."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            first = lines.read(8192).partition("\n\n")[0]
    except OSError:
        return ""
    said = [line for line in first.splitlines() if line.partition(":")[0].strip() in CPU_LINES]
    return "\n".join(said)


def _expect_own(status: os.stat_result) -> None:
    fault = fault_of_owner(status)
    if fault is not None:
        raise PermissionError(fault)


def _run_optimise(names: list[str], store: OptimisedStore) -> None:
    import subprocess  # most starts do not need it

    places = {name: None if value is None else str(value) for name, value in asdict(store).items()}
    command = [sys.executable, "-m", "mien.models.optimise", *names]
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            command,
            # `python -m` would import modules that lie in the user's folder
            cwd=os.path.abspath(os.sep),
            input=json.dumps(places).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
