"""Download one large file from a pinned address: resumable, bounded, and checked by its hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.request import Request, urlopen

from mien.errors import ModelAltered, ModelMissing
from mien.files import make_folder

TIMEOUT_S = 30.0  # for each read from the server, not for the whole file
ATTEMPTS = 5  # each resumes the one before, if that one received any bytes
CHUNK = 1 << 18

Tell = Callable[[int, int], None]
"""Called with the number of bytes received and the total."""


def fetch_file(url: str, part: Path, *, size: int, sha256: str, tell: Tell) -> bytes:
    """Download the file at `url` and check its size and hash.

    part: file for the bytes received so far, from which another call resumes; the caller
    removes it after use. Raises ModelMissing if the download is incomplete, ModelAltered if
    the file has another size or hash; then `part` is deleted.
    """
    why = _download(url, part, size, tell)
    content = _read(part)
    if len(content) < size:
        raise ModelMissing(
            f"cannot download {url} ({why}), {len(content)} of {size} bytes were received; "
            "run the command again to resume, or download it elsewhere and pass --file PATH"
        )
    found = hashlib.sha256(content).hexdigest()
    if len(content) > size or found != sha256:
        _delete(part)
        raise ModelAltered(
            f"{url} gave a different file: SHA-256 is {found[:12]}..., expected {sha256[:12]}...; "
            "it was deleted; download it elsewhere and pass --file PATH"
        )
    return content


def _download(url: str, part: Path, size: int, tell: Tell) -> str:
    """Download into `part`, resuming after interruptions. Returns why it stopped."""
    why = "the connection was closed early"
    for _ in range(ATTEMPTS):
        have = _size_of(part)
        if have >= size:
            break
        try:
            make_folder(part.parent)
            _request_rest(url, part, have, size, tell)
        except (OSError, HTTPException) as error:
            why = " ".join(str(error).split()) or type(error).__name__
        if _size_of(part) <= have:
            break
    return why


def _request_rest(url: str, part: Path, have: int, size: int, tell: Tell) -> None:
    """Request the missing bytes once; a server without ranges sends the whole file."""
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with cast(HTTPResponse, urlopen(request, timeout=TIMEOUT_S)) as response:
        resumed = response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise OSError("the server resumed at another position")
        at = have if resumed else 0
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and at + int(announced) != size:
            _delete(part)
            raise ModelAltered(
                f"{url} is {at + int(announced)} bytes long, expected {size}; "
                "download it elsewhere and pass --file PATH"
            )
        with open(part, "ab" if resumed else "wb") as file:
            # one byte too many shows that it is a different file
            while at <= size and (chunk := response.read(min(CHUNK, size + 1 - at))):
                file.write(chunk)
                at += len(chunk)
                tell(min(at, size), size)


def _size_of(part: Path) -> int:
    return part.stat().st_size if os.path.isfile(part) else 0


def _read(part: Path) -> bytes:
    return part.read_bytes() if os.path.isfile(part) else b""


def _delete(part: Path) -> None:
    with suppress(OSError):
        part.unlink()
