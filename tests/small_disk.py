"""A disk in memory that is soon full, and that a test may make larger."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def mount(folder: Path, options: str) -> None:
    """Mount a disk of these options, or mount it anew with others. Skips where that is refused."""
    command = ["mount", "-t", "tmpfs", "-o", f"{options},mode=0700", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted; run the tests as root of a machine that may")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A folder, which is made, on a disk of so many bytes."""
    folder.mkdir(parents=True)
    mount(folder, f"size={size}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """As after an error of the disk, or on a medium that cannot be written."""
    mount(folder, "remount,ro")


def resize(folder: Path, size: int) -> None:
    """Give the disk another size, in bytes."""
    mount(folder, f"remount,size={size}")
