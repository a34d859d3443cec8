"""What the lab writes: whole files, for their owner's eyes."""

from __future__ import annotations

import os
from pathlib import Path

from mien import files
from mien.errors import UsageError


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write to a neighbour, then rename over `path`; missing folders are made.

    The file is readable by its owner only: what the lab writes shows faces.
    Raises UsageError when the place cannot be written.
    """
    target = Path(path)
    try:
        # a report's folder is the user's own and gets their usual mode, unlike mien's folders
        target.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(target, content)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageError(f"cannot write {str(target)!r}: {why}; choose another folder") from error
    return target
