"""The checks of headers and tokens that every request passes before a route sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.in_process import (
    HOST,
    InProcessService,
    Response,
    run_in_process,
    send_request,
    whole_body,
)

from mien.web.auth import TokenStore
from mien.web.metrics import Metrics
from mien.web.middleware import UNREPEATABLE_HEADERS, Middleware, RequestLimits

Header = tuple[str, str]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[InProcessService]:
    with run_in_process(tmp_path) as service:
        yield service


def send(service: InProcessService, method: str, path: str, *headers: Header) -> Response:
    """With a token of scope admin."""
    return asyncio.run(
        send_request(service.app, method, path, token=service.admin, headers=headers)
    )


# HEAD ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/v1/health", "/v1/openapi.json", "/v1/log", "/nothing"]
)
def test_head_responds_as_get_without_the_body(service: InProcessService, path: str) -> None:
    get, head = send(service, "GET", path), send(service, "HEAD", path)
    assert (head.status, head.headers["content-type"]) == (get.status, get.headers["content-type"])
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body))
    assert head.body == b""
    assert '"method": "HEAD"' in service.lines[-1]


def test_head_requires_the_token_that_get_requires(service: InProcessService) -> None:
    assert asyncio.run(send_request(service.app, "HEAD", "/v1/log")).status == 401


# repeated headers ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name.decode() for name in UNREPEATABLE_HEADERS])
def test_a_repeated_header_that_two_readers_could_read_differently_is_400(
    service: InProcessService, name: str
) -> None:
    value = {"host": HOST, "origin": f"http://{HOST}", "content-length": "0"}.get(name, "Basic x")
    response = send(service, "GET", "/v1/health", (name, value), (name, value))
    assert (response.status, response.data["outcome"]) == (400, "usage")
    assert response.data["error"] == f"the header {name} is repeated; send it once"


def test_a_second_authorization_is_refused_even_if_it_is_the_same_token(
    service: InProcessService,
) -> None:
    response = send(service, "GET", "/v1/log", ("authorization", f"Bearer {service.admin}"))
    assert response.status == 400


def test_other_headers_may_be_repeated(service: InProcessService) -> None:
    assert send(service, "GET", "/v1/health", ("accept", "a"), ("accept", "b")).status == 200


# the origin of the request -------------------------------------------------------------------


def send_to_host(service: InProcessService, host: str, *headers: Header) -> Response:
    async def request() -> Response:
        response = Response()

        async def receive() -> dict[str, Any]:
            return await whole_body()()

        async def send(message: Any) -> None:
            response.status = message.get("status", response.status)
            response.body += message.get("body", b"")

        pairs = [("host", host), *headers]
        await service.app(
            {
                "type": "http",
                "method": "GET",
                "path": "/v1/health",
                "raw_path": b"/v1/health",
                "query_string": b"",
                "headers": [(name.encode(), value.encode()) for name, value in pairs],
            },
            receive,
            send,
        )
        return response

    return asyncio.run(request())


def test_the_host_header_is_compared_without_case(tmp_path: Path) -> None:
    with run_in_process(tmp_path) as service:
        service.app.limits = RequestLimits(hosts=frozenset({"door.example:80"}))
        assert send_to_host(service, "DOOR.example:80").status == 200
        origin = ("origin", "HTTPS://Door.example:80")
        assert send_to_host(service, "door.example:80", origin).status == 200
        refused = send_to_host(service, "door.example")
        assert (refused.status, refused.data["outcome"]) == (421, "wrong_host")
        assert refused.data["error"] == "unknown host; to allow a name: mien serve --name HOST"


@pytest.mark.parametrize("origin", [f"http://{HOST}", f"https://{HOST}"])
def test_the_page_itself_may_send_requests(service: InProcessService, origin: str) -> None:
    own = (("origin", origin), ("sec-fetch-site", "same-origin"))
    assert send(service, "GET", "/v1/log", *own).status == 200
    assert send(service, "GET", "/v1/log", ("sec-fetch-site", "none")).status == 200


@pytest.mark.parametrize(
    "header",
    [
        ("origin", "null"),
        ("origin", f"ftp://{HOST}"),
        ("origin", f"http://{HOST}1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ],
    ids=str,
)
def test_another_site_may_not(service: InProcessService, header: Header) -> None:
    response = send(service, "GET", "/v1/log", header)
    assert (response.status, response.data["outcome"]) == (403, "forbidden")
    assert response.data["error"] == "requests from other sites are refused"


CROSS_SITE = ("sec-fetch-site", "cross-site")
NAVIGATE = ("sec-fetch-mode", "navigate")
DOCUMENT = ("sec-fetch-dest", "document")
FOLLOWED_LINK = (CROSS_SITE, NAVIGATE, DOCUMENT)


def test_a_link_on_another_site_may_lead_to_the_page(service: InProcessService) -> None:
    response = send(service, "GET", "/", *FOLLOWED_LINK)
    content_type = response.headers["content-type"]
    assert (response.status, content_type) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/v1/people", "/v1/health", "/v1/log", "/app.js", "/metrics"])
def test_a_link_on_another_site_may_lead_to_nothing_else(
    service: InProcessService, path: str
) -> None:
    assert send(service, "GET", path, *FOLLOWED_LINK).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        (CROSS_SITE, NAVIGATE, ("sec-fetch-dest", "iframe")),
        (CROSS_SITE, NAVIGATE),
        (CROSS_SITE, ("sec-fetch-mode", "no-cors"), DOCUMENT),
        (*FOLLOWED_LINK, ("origin", "http://evil.example")),
    ],
    ids=["frame", "no destination", "script", "form"],
)
def test_another_site_may_not_load_the_page_in_another_way(
    service: InProcessService, headers: tuple[Header, ...]
) -> None:
    assert send(service, "GET", "/", *headers).status == 403


def test_another_site_may_not_post_to_the_page(service: InProcessService) -> None:
    assert send(service, "POST", "/", *FOLLOWED_LINK).status == 403


# tokens --------------------------------------------------------------------------------------


def test_a_missing_token_is_401_with_the_command_that_creates_one(
    service: InProcessService,
) -> None:
    response = asyncio.run(send_request(service.app, "GET", "/v1/log"))
    assert (response.status, response.headers["www-authenticate"]) == (401, "Bearer")
    assert response.data == {
        "outcome": "no_token",
        "error": "a valid token is required; to create one: mien token create NAME",
    }


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
def test_the_scheme_of_the_authorization_is_read_without_case(
    service: InProcessService, scheme: str
) -> None:
    headers = [("authorization", scheme + service.admin)]
    assert asyncio.run(send_request(service.app, "GET", "/v1/log", headers=headers)).status == 200


@pytest.mark.parametrize("scheme", ["Basic ", "", "Bearer"])
def test_a_token_with_another_scheme_is_401(service: InProcessService, scheme: str) -> None:
    headers = [("authorization", scheme + service.admin)]
    assert asyncio.run(send_request(service.app, "GET", "/v1/log", headers=headers)).status == 401


def test_a_scope_that_is_too_small_is_403_and_names_the_required_one(
    service: InProcessService,
) -> None:
    token = service.tokens.create_temporary("door", "unlock")
    response = asyncio.run(send_request(service.app, "GET", "/v1/people", token=token))
    assert (response.status, response.data["outcome"]) == (403, "forbidden")
    assert response.data["error"] == "the token's scope is too small: enroll is required"


def test_an_unreadable_token_file_is_500_and_its_path_is_not_told(tmp_path: Path) -> None:
    with run_in_process(tmp_path) as service:
        (tmp_path / "tokens.json").write_text("{")
        response = send(service, "GET", "/v1/people")
    assert (response.status, response.data["outcome"]) == (500, "internal_error")
    assert response.data["error"] == (
        "the service's tokens cannot be read; for the reason: mien token list"
    )


# responses, metrics and log ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1/health", "/v1/log", "/nothing"])
def test_every_response_has_the_security_headers(service: InProcessService, path: str) -> None:
    headers = send(service, "GET", path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
        " connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    expected = {
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(self), microphone=(), geolocation=()",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
    }
    assert expected.items() <= headers.items()


def wrapped(app: Any, lines: list[str], folder: Path, *times_s: float) -> Middleware:
    """Another application behind the middleware, with a clock that gives these times."""
    clock = iter(times_s)
    return Middleware(
        app,
        RequestLimits(hosts=frozenset({HOST})),
        Metrics(),
        TokenStore(folder / "tokens.json"),
        clock=lambda: next(clock),
        log=lines.append,
    )


def test_the_name_of_the_server_software_is_removed(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"Server", b"x/1"), (b"x-own", b"kept")]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body"})

    lines: list[str] = []
    middleware = wrapped(app, lines, tmp_path, 0.0, 0.0, 1.50004)
    response = asyncio.run(send_request(middleware, "GET", "/x"))
    assert "server" not in {name.lower() for name in response.headers}
    assert (response.status, response.headers["x-own"]) == (204, "kept")
    line = json.loads(lines[0])
    del line["ts"]
    assert line == {
        "method": "GET", "route": "none", "status": 204, "outcome": "done", "ms": 1500.0,
    }  # fmt: skip
    middleware.metrics.set_active(3)
    text = middleware.metrics.render(is_ready=True).decode()
    assert 'mien_requests_total{method="GET",route="none",status="204"} 1.0' in text
    assert 'mien_request_seconds_bucket{le="1.0",route="none"} 0.0' in text
    assert 'mien_request_seconds_bucket{le="2.5",route="none"} 1.0' in text
    assert "mien_active_calls 3.0" in text


def test_an_application_that_fails_before_it_responds_is_logged_as_500(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise MemoryError

    lines: list[str] = []
    middleware = wrapped(app, lines, tmp_path, 0.0, 0.0, 0.0)
    with pytest.raises(MemoryError):
        asyncio.run(send_request(middleware, "GET", "/x"))
    line = json.loads(lines[0])
    assert (line["status"], line["outcome"]) == (500, "internal_error")


def test_an_error_without_an_outcome_is_logged_as_an_internal_error(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 400})
        await send({"type": "http.response.body"})

    lines: list[str] = []
    asyncio.run(send_request(wrapped(app, lines, tmp_path, 0.0, 0.0, 0.0), "GET", "/x"))
    assert json.loads(lines[0])["outcome"] == "internal_error"


def test_what_is_not_http_goes_on_to_the_application(tmp_path: Path) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def never() -> Any:
        raise AssertionError("nothing is received")

    middleware = wrapped(app, [], tmp_path)
    asyncio.run(middleware({"type": "lifespan"}, never, lambda message: never()))
    assert seen == ["lifespan"]


@pytest.mark.parametrize("error", [MemoryError, ValueError, RuntimeError])
def test_an_unexpected_error_in_a_call_is_an_internal_error_and_not_a_refusal(
    tmp_path: Path, error: type[Exception]
) -> None:
    def fail(model: object) -> None:
        raise error("ana.jpg")

    with run_in_process(tmp_path, pipeline_of=fail) as service:
        response = Response()
        with pytest.raises(error):  # it goes on to the server, which logs it
            asyncio.run(send_request(service.app, "GET", "/v1/ready", into=response))
        assert response.status == 500
        assert response.data == {
            "outcome": "internal_error",
            "exit_code": 70,
            "error": "internal error; nothing was unlocked",
        }
        line = json.loads(service.lines[-1])
        assert (line["status"], line["outcome"]) == (500, "internal_error")
