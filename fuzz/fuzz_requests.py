"""Send arbitrary bodies, headers and paths to the whole HTTP application. See README.md."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tests' helpers

with atheris.instrument_imports(include=["mien", "starlette", "multipart", "python_multipart"]):
    import numpy as np
    from PIL import Image
    from tests.vault.memory import open_memory_vault
    from tests.web.in_process import FORM, run_in_process, send_request, whole_body

    from mien.app.pipeline import open_pipeline
    from mien.settings import load_settings

HOME = Path(tempfile.mkdtemp(prefix="mien-fuzz-requests-"))
PIPELINE = open_pipeline(load_settings({"HOME": str(HOME)}))
LOOP = asyncio.new_event_loop()
PATHS = (
    *("/v1/unlock", "/v1/identify", "/v1/compare", "/v1/look", "/v1/people/ana", "/v1/explore"),
    *("/v1/challenge", "/v1/challenge/frame", "/v1/session"),
)
FIELDS = ("user", "photo", "photos", "a", "b", "mode", "nonce", "number")
ALLOWED = {200, 400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 503}
WAIT_S = 20.0


def part(name: str, content: bytes, filename: str = "") -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def seeds() -> list[bytes]:
    """Forms with every field, to every path: the first byte chooses it, the second the headers."""
    stream = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(stream, "JPEG")
    picture = stream.getvalue()
    texts = b"".join(part(name, b"ana") for name in FIELDS)
    files = b"".join(part(name, picture, "p.jpg") for name in ("photo", "photos", "a", "b"))
    forms = (texts + b"--x--\r\n", part("user", b"ana") + files + b"--x--\r\n", texts[:99], b"{}")
    return [bytes([at, 0]) + form for at in range(len(PATHS)) for form in forms]


def headers_of(choice: int) -> list[tuple[str, str]]:
    kinds = (FORM, "multipart/form-data", "application/x-www-form-urlencoded", "application/json")
    found = [("content-type", kinds[choice % len(kinds)])]
    if choice & 16:
        found.append(("content-length", str(choice)))
    if choice & 32:
        found.append(("content-encoding", "gzip"))
    return found


async def send(data: bytes) -> None:
    path, choice = PATHS[data[0] % len(PATHS)], data[1]
    response = await asyncio.wait_for(
        send_request(
            SERVICE.app,
            "DELETE" if choice & 64 and "people" in path else "POST",
            path,
            token="" if choice & 128 else SERVICE.admin,
            headers=headers_of(choice),
            body=whole_body(data[2:]),
        ),
        WAIT_S,
    )
    assert response.status in ALLOWED, (response.status, response.body)
    assert isinstance(json.loads(response.body), dict)


def one_input(data: bytes) -> None:
    if len(data) >= 2:
        LOOP.run_until_complete(send(data))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    corpus = HOME / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds()):
        (corpus / f"seed{number}").write_bytes(seed)
    with run_in_process(
        HOME, vault=open_memory_vault(), pipeline_of=lambda model: PIPELINE
    ) as SERVICE:
        atheris.Setup([*sys.argv, str(corpus)], one_input)
        atheris.Fuzz()
