"""Files and folders that the lab writes. The files show faces: only their owner can read them."""

from __future__ import annotations

import os
from pathlib import Path

from mien import files
from mien.errors import UsageError, quote_path


def make_folder(folder: Path) -> Path:
    """The folder, made if it is not there. UsageError if it cannot be."""
    try:
        # a report's folder is the user's own and gets their usual mode, unlike mien's folders
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {quote_path(folder)}: {_reason(error)}; choose another folder"
        ) from error
    return folder


def write_output(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file whole or not at all, readable by its owner only; missing folders are made.

    Raises UsageError when it cannot be written.
    """
    target = Path(path)
    make_folder(target.parent)
    try:
        files.write_whole(target, content)
    except OSError as error:
        raise UsageError(
            f"cannot write {quote_path(target)}: {_reason(error)}; choose another folder"
        ) from error
    return target


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
