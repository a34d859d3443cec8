"""The limits of request bodies: no token, no reading; and time and memory are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.web.in_process import (
    FORM,
    InProcessService,
    NextMessage,
    Response,
    body_parts,
    nothing_more,
    run_in_process,
    send_request,
)

from mien.web.asgi import RequestState
from mien.web.auth import REQUIRED_SCOPES
from mien.web.request_body import BodyLimits, BodyMemory, BodyReader, BodyRefused

AS_FORM = [("content-type", FORM)]
PART_HEADERS = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p.jpg"\r\n\r\n'
KIB = bytes(1024)
POST_PATHS = sorted(pattern for method, pattern in REQUIRED_SCOPES if method == "POST")


@pytest.mark.parametrize("path", POST_PATHS)
def test_without_a_valid_token_no_byte_of_a_body_is_read(tmp_path: Path, path: str) -> None:
    with run_in_process(tmp_path) as service:
        for token in ("", "mien_wrong"):
            call = send_request(
                service.app, "POST", path, token=token, headers=AS_FORM, body=body_parts()
            )
            response = asyncio.run(call)
            assert (response.status, response.reads) == (401, 0)


def test_with_a_scope_that_is_too_small_no_byte_is_read_either(tmp_path: Path) -> None:
    with run_in_process(tmp_path) as service:
        token = service.tokens.create_temporary("door", "unlock")
        path, body = "/v1/people/ana", body_parts()
        call = send_request(service.app, "POST", path, token=token, headers=AS_FORM, body=body)
        response = asyncio.run(call)
        assert (response.status, response.reads) == (403, 0)


def test_while_the_pool_is_full_no_byte_of_a_post_is_read(tmp_path: Path) -> None:
    with run_in_process(tmp_path) as service:
        service.app.pool_is_full = lambda client: True
        response = asyncio.run(post(service, KIB))
        assert (response.status, response.reads) == (503, 0)
        assert response.headers["retry-after"] == "1"
        assert response.data == {
            "outcome": "busy",
            "error": "the service is busy; try again in a second",
        }
        assert asyncio.run(send_request(service.app, "GET", "/v1/health")).status == 200


def post(
    service: InProcessService,
    *parts: bytes,
    then: NextMessage = nothing_more,
    headers: tuple[tuple[str, str], ...] = (),
) -> Coroutine[Any, Any, Response]:
    """A call to unlock of whose body only these parts arrive."""
    return send_request(
        service.app,
        "POST",
        "/v1/unlock",
        token=service.admin,
        headers=[*AS_FORM, *headers],
        body=body_parts(*parts, then=then),
    )


def test_a_body_that_does_not_arrive_is_408_and_ends_the_connection(tmp_path: Path) -> None:
    with run_in_process(tmp_path, body=BodyLimits(timeout_s=0.0)) as service:
        response = asyncio.run(post(service))
        assert response.status == 408
        assert response.data == {
            "outcome": "too_slow",
            "error": "the request did not arrive within 0 s",
        }
        assert response.headers["connection"] == "close"


def test_a_body_without_a_length_is_413_as_soon_as_it_is_too_large(tmp_path: Path) -> None:
    with run_in_process(tmp_path, body=BodyLimits(max_bytes=4096)) as service:
        response = asyncio.run(post(service, PART_HEADERS, *[KIB] * 9))
        assert response.status == 413
        assert response.data == {
            "outcome": "too_large",
            "error": "the request is larger than 4096 bytes; send fewer or smaller photos",
        }
        assert response.reads == 5  # the rest is not read


@pytest.mark.parametrize(
    ("length", "status", "reads"),
    [
        ("4096", 400, 2),
        ("4097", 413, 0),
        ("-1", 400, 0),
        ("1e3", 400, 0),
        ("0" * 18, 400, 2),
        ("0" * 19, 400, 0),
    ],
)
def test_the_declared_length_is_checked_before_the_body_is_read(
    tmp_path: Path, length: str, status: int, reads: int
) -> None:
    async def disconnect() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    with run_in_process(tmp_path, body=BodyLimits(max_bytes=4096)) as service:
        declared = (("content-length", length),)
        response = asyncio.run(post(service, b"--x", then=disconnect, headers=declared))
        assert (response.status, response.reads) == (status, reads)
        assert response.data["outcome"] == ("too_large" if status == 413 else "usage")
        if reads == 0 and status == 400:
            assert response.data["error"] == "Content-Length is not a valid number"


def test_a_page_is_sent_whole_whatever_happens_to_the_body_of_its_request(tmp_path: Path) -> None:
    with run_in_process(tmp_path, body=BodyLimits(timeout_s=0.0)) as service:
        response = asyncio.run(send_request(service.app, "GET", "/app.js", body=body_parts()))
        assert response.status == 200
        assert response.headers["content-length"] == str(len(response.body))


def test_all_bodies_together_have_limited_memory_and_the_next_request_is_503(
    tmp_path: Path,
) -> None:
    """Of three bodies of 2.1 KiB two fit into 5,000 bytes; one more of 3,000 does not."""

    async def send_three() -> None:
        all_arrived = asyncio.Semaphore(0)

        async def arrived() -> dict[str, Any]:
            all_arrived.release()
            return await nothing_more()

        def send() -> asyncio.Future[Response]:
            return asyncio.ensure_future(post(service, PART_HEADERS, KIB, KIB, then=arrived))

        waiting = [send() for _ in range(3)]
        done, still_waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [one.result().status for one in done] == [503]
        assert [one.result().headers["retry-after"] for one in done] == ["1"]
        for _ in still_waiting:
            await all_arrived.acquire()
        refused = await post(service, headers=(("content-length", "3000"),))
        assert (refused.status, refused.reads) == (503, 0)
        for one in still_waiting:
            one.cancel()
        await asyncio.gather(*still_waiting, return_exceptions=True)
        again = send()  # the memory of the others is free again
        await all_arrived.acquire()
        assert not again.done()
        again.cancel()

    with run_in_process(tmp_path, body=BodyLimits(total_bytes=10_000)) as service:
        asyncio.run(send_three())


# the reader alone ----------------------------------------------------------------------------


def reader(memory: BodyMemory, *parts: bytes, **limits: Any) -> BodyReader:
    """Of a body with these parts; its clock stands still."""
    next_message = body_parts(*parts)
    limits = {"max_bytes": 10, "total_bytes": 0, "timeout_s": 30.0, **limits}
    return BodyReader(
        next_message,
        RequestState(client="a"),
        limits=BodyLimits(**limits),
        memory=memory,
        clock=lambda: 5.0,
    )


def test_a_body_may_have_as_many_bytes_as_the_limits_say_and_not_one_more() -> None:
    async def read() -> None:
        exact = reader(BodyMemory(100), b"12345", b"67890", b"1")
        assert (await exact.receive())["body"] == b"12345"
        assert (await exact.receive())["body"] == b"67890"
        with pytest.raises(BodyRefused):
            await exact.receive()
        assert exact.refusal is not None
        assert exact.refusal.status_code == 413

    asyncio.run(read())


def test_the_memory_of_a_body_is_reserved_as_it_arrives_and_released_once() -> None:
    async def read() -> None:
        memory = BodyMemory(20)
        body = reader(memory, b"123", b"4567")
        await body.receive()
        assert room(memory, "a") == 7
        await body.receive()
        assert room(memory, "a") == 3
        body.release()
        body.release()
        assert room(memory, "a") == 10

    asyncio.run(read())


def room(memory: BodyMemory, client: str) -> int:
    """The largest body of this client that fits now."""
    return max(size for size in range(100) if memory.has_room_for(size, client))


def test_one_client_gets_half_of_the_memory_and_all_together_no_more_than_there_is() -> None:
    memory = BodyMemory(20)
    memory.reserve(8, "a")
    assert (room(memory, "a"), room(memory, "b")) == (2, 10)
    memory.reserve(7, "b")
    assert (room(memory, "a"), room(memory, "b"), room(memory, "c")) == (2, 3, 5)
    memory.release(8, "a")
    assert (room(memory, "a"), room(memory, "b"), room(memory, "c")) == (10, 3, 10)


def test_after_the_end_of_the_body_a_disconnect_is_waited_for_without_a_deadline() -> None:
    times_s = iter([0.0, 0.0])  # made, first message; the clock is not asked again
    messages = iter([
        {"type": "http.request", "body": b"1"},  # ASGI: without more_body it is the last one
        {"type": "http.disconnect"},
    ])  # fmt: skip

    async def receive() -> Any:
        return next(messages)

    async def read() -> None:
        body = BodyReader(
            receive,
            RequestState(),
            limits=BodyLimits(),
            memory=BodyMemory(20),
            clock=lambda: next(times_s),
        )
        await body.receive()
        assert (await body.receive())["type"] == "http.disconnect"

    asyncio.run(read())


def test_the_deadline_holds_for_the_whole_body_and_not_for_each_part() -> None:
    times_s = iter([0.0, 29.0, 31.0])  # made, first message, second message

    async def read() -> None:
        body = BodyReader(
            body_parts(b"1", b"2"),  # the second part is there, but too late
            RequestState(),
            limits=BodyLimits(timeout_s=30.0),
            memory=BodyMemory(20),
            clock=lambda: next(times_s),
        )
        await body.receive()
        with pytest.raises(BodyRefused):
            await body.receive()
        assert body.refusal is not None
        assert body.refusal.status_code == 408

    asyncio.run(read())


def test_the_default_limits_are_the_documented_ones() -> None:
    """32 MiB for one body, 256 MiB for all, 30 s to arrive: docs/service.md."""
    assert BodyLimits() == BodyLimits(max_bytes=33_554_432, total_bytes=268_435_456, timeout_s=30.0)
