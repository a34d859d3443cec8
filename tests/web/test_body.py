"""What a client may send: who has no token is not listened to, and memory has an end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.web.in_process import FORM, Asked, Inside, ask, inside, pieces

from mien.web.auth import REQUIRED_SCOPES
from mien.web.middleware import BodyLimits

AS_FORM = [("content-type", FORM)]
HEAD = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p.jpg"\r\n\r\n'
KIB = bytes(1024)
POSTS = sorted(pattern for method, pattern in REQUIRED_SCOPES if method == "POST")


@pytest.mark.parametrize("path", POSTS)
def test_without_a_token_not_a_byte_of_a_body_is_read(tmp_path: Path, path: str) -> None:
    with inside(tmp_path) as service:
        for token, status in (("", 401), ("mien_wrong", 401)):
            call = ask(service.guard, "POST", path, token=token, headers=AS_FORM, arrives=pieces())
            asked = asyncio.run(call)
            assert (asked.status, asked.reads) == (status, 0)


def test_nor_with_a_token_whose_scope_is_too_small(tmp_path: Path) -> None:
    with inside(tmp_path) as service:
        small = service.tokens.create_temporary("door", "unlock")
        call = ask(
            service.guard, "POST", "/v1/people/ana", token=small, headers=AS_FORM, arrives=pieces()
        )
        asked = asyncio.run(call)
        assert (asked.status, asked.reads) == (403, 0)
        assert asked.data["outcome"] == "forbidden"


def test_tokens_that_cannot_be_read_let_nobody_in_and_name_no_file(tmp_path: Path) -> None:
    with inside(tmp_path) as service:
        (tmp_path / "tokens.json").write_text("{")
        asked = asyncio.run(ask(service.guard, "GET", "/v1/people", token=service.admin))
        assert asked.status == 500
        assert str(tmp_path) not in asked.body.decode()


def post(service: Inside, *parts: bytes) -> Coroutine[Any, Any, Asked]:
    """A call to unlock of which only these parts ever arrive."""
    arrives = pieces(*parts)
    guard, token = service.guard, service.admin
    return ask(guard, "POST", "/v1/unlock", token=token, headers=AS_FORM, arrives=arrives)


def test_a_body_that_does_not_come_is_408_and_the_end_of_the_connection(tmp_path: Path) -> None:
    with inside(tmp_path, body=BodyLimits(timeout_s=0.0)) as service:
        asked = asyncio.run(post(service))
        assert asked.status == 408
        assert asked.data == {
            "outcome": "too_slow",
            "error": "the request did not arrive within 0 s",
        }
        assert asked.headers["connection"] == "close"


def test_a_body_without_a_length_is_413_as_soon_as_it_is_too_large(tmp_path: Path) -> None:
    with inside(tmp_path, body=BodyLimits(max_bytes=4096)) as service:
        asked = asyncio.run(post(service, HEAD, *[KIB] * 9))
        assert asked.status == 413
        assert (
            asked.data["error"]
            == "the request is larger than 4096 bytes; send fewer or smaller photos"
        )
        assert asked.reads == 5  # and what is left is not read


def test_a_page_is_sent_whole_whatever_becomes_of_a_body_with_it(tmp_path: Path) -> None:
    with inside(tmp_path, body=BodyLimits(timeout_s=0.0)) as service:
        asked = asyncio.run(ask(service.guard, "GET", "/app.js", arrives=pieces()))
        assert asked.status == 200
        assert asked.headers["content-length"] == str(len(asked.body))


def test_all_bodies_together_have_so_much_memory_and_who_comes_then_is_told_busy(
    tmp_path: Path,
) -> None:
    async def crowd() -> None:
        waiting = [asyncio.ensure_future(post(service, HEAD, KIB, KIB)) for _ in range(3)]
        for _ in range(20):
            await asyncio.sleep(0)  # lets the others read what has arrived
        told: list[Asked] = [one.result() for one in waiting if one.done()]
        assert [one.status for one in told] == [503]
        assert told[0].headers["retry-after"] == "1"
        declared = [*AS_FORM, ("content-length", "3000")]
        call = ask(service.guard, "POST", "/v1/unlock", token=service.admin, headers=declared)
        asked = await call
        assert (asked.status, asked.reads) == (503, 0)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        # they are gone, and their memory is free again
        again = asyncio.ensure_future(post(service, HEAD, KIB, KIB))
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()

    with inside(tmp_path, body=BodyLimits(total_bytes=5000)) as service:
        asyncio.run(crowd())
