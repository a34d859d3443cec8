"""One large file from a pinned address: resumable, bounded, and handed out only if it is right."""

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

TIMEOUT_S = 30.0  # for each answer of the server, not for the whole file
ATTEMPTS = 5  # each goes on where the one before was cut off, and only if that one brought bytes
CHUNK = 1 << 18

Tell = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""


def fetch_file(url: str, part: Path, *, size: int, sha256: str, tell: Tell) -> bytes:
    """The file at `url`, all `size` bytes of it, checked.

    part: where what has arrived is kept, so that another call goes on from there;
    the caller removes it when the file has served. Raises ModelMissing if the file
    cannot be had in full, ModelAltered if it has another size or hash: then nothing
    of it is kept.
    """
    why = _gather(url, part, size, tell)
    content = _read(part)
    if len(content) < size:
        raise ModelMissing(
            f"cannot fetch {url} ({why}), {len(content)} of {size} bytes are here; "
            "run the command again to go on, or download it elsewhere and pass --file PATH"
        )
    found = hashlib.sha256(content).hexdigest()
    if len(content) > size or found != sha256:
        _drop(part)
        raise ModelAltered(
            f"{url} gave another file: SHA-256 is {found[:12]}..., expected {sha256[:12]}...; "
            "it was dropped; download it elsewhere and pass --file PATH"
        )
    return content


def _gather(url: str, part: Path, size: int, tell: Tell) -> str:
    """Fill `part`, going on after a cut; says why it stopped."""
    why = "it stops short"
    for _ in range(ATTEMPTS):
        have = _size_of(part)
        if have >= size:
            break
        try:
            part.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _go_on(url, part, have, size, tell)
        except (OSError, HTTPException) as error:
            why = " ".join(str(error).split()) or type(error).__name__
        if _size_of(part) <= have:
            break
    return why


def _go_on(url: str, part: Path, have: int, size: int, tell: Tell) -> None:
    """One request, for what is still missing; a server that knows no ranges sends it all."""
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with cast(HTTPResponse, urlopen(request, timeout=TIMEOUT_S)) as answer:
        resumed = answer.status == 206
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise OSError("the server goes on at another place")
        at = have if resumed else 0
        announced = answer.headers.get("Content-Length", "")
        if announced.isdecimal() and at + int(announced) != size:
            _drop(part)
            raise ModelAltered(
                f"{url} is {at + int(announced)} bytes long, expected {size}; "
                "download it elsewhere and pass --file PATH"
            )
        with open(part, "ab" if resumed else "wb") as file:
            # one byte more than there should be is enough to see that it is another file
            while at <= size and (chunk := answer.read(min(CHUNK, size + 1 - at))):
                file.write(chunk)
                at += len(chunk)
                tell(min(at, size), size)


def _size_of(part: Path) -> int:
    return part.stat().st_size if os.path.isfile(part) else 0


def _read(part: Path) -> bytes:
    return part.read_bytes() if os.path.isfile(part) else b""


def _drop(part: Path) -> None:
    with suppress(OSError):
        part.unlink()
