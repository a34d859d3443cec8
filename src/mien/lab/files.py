"""A file appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from mien.errors import UsageError


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write to a neighbour, then rename over `path`; missing folders are made.

    The file is readable by its owner only: what the lab writes shows faces.
    Raises UsageError when the place cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".mien-", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as part:
                part.write(content)
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageError(f"cannot write {str(target)!r}: {why}; choose another folder") from error
    return target
