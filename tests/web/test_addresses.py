"""What an address may be, and how it may be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.web.in_process import FORM, Asked, Inside, ask, inside


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as service:
        yield service


def asked(service: Inside, method: str, path: str, *headers: tuple[str, str]) -> Asked:
    return asyncio.run(ask(service.guard, method, path, token=service.admin, headers=headers))


@pytest.mark.parametrize("method", ["DELETE", "POST"])
@pytest.mark.parametrize("name", ["a/b", "../../etc/passwd", "a/", "", "/", "//"])
def test_a_name_with_a_slash_is_told_that_it_is_no_name(
    service: Inside, method: str, name: str
) -> None:
    """As they arrive: a client may have encoded the slash as %2F."""
    answer = asked(service, method, f"/v1/people/{name}", ("content-type", FORM))
    assert (answer.status, answer.data["outcome"]) == (400, "usage")
    assert "choose a name such as 'ana'" in answer.data["error"]


@pytest.mark.parametrize("name", [".", "..", "-x", " ana", "a\x00b"])
def test_other_names_that_are_none_are_told_so_too(service: Inside, name: str) -> None:
    answer = asked(service, "DELETE", f"/v1/people/{name}")
    assert (answer.status, answer.data["outcome"]) == (400, "usage")
    assert "choose a name such as 'ana'" in answer.data["error"]


# head ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/v1/health", "/v1/openapi.json", "/v1/log", "/nothing"]
)
def test_head_is_get_without_its_body(service: Inside, path: str) -> None:
    get, head = asked(service, "GET", path), asked(service, "HEAD", path)
    assert (head.status, head.headers["content-type"]) == (get.status, get.headers["content-type"])
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body))
    assert head.body == b""
    assert '"method": "HEAD"' in service.lines[-1]


def test_head_needs_the_token_that_get_needs(service: Inside) -> None:
    assert asyncio.run(ask(service.guard, "HEAD", "/v1/log")).status == 401


# links from other sites ----------------------------------------------------------------------

LINK = (("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"))
FOLLOWED = (*LINK, ("sec-fetch-dest", "document"))


def test_a_link_on_another_site_leads_to_the_page(service: Inside) -> None:
    answer = asked(service, "GET", "/", *FOLLOWED)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/v1/people", "/v1/health", "/v1/log", "/app.js", "/metrics"])
def test_but_to_nothing_else(service: Inside, path: str) -> None:
    assert asked(service, "GET", path, *FOLLOWED).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        (*LINK, ("sec-fetch-dest", "iframe")),
        LINK,
        (LINK[0], ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "document")),
        (*FOLLOWED, ("origin", "http://evil.example")),
    ],
    ids=["frame", "no word of where", "no link", "form"],
)
def test_nor_in_a_frame_nor_by_a_script(
    service: Inside, headers: tuple[tuple[str, str], ...]
) -> None:
    assert asked(service, "GET", "/", *headers).status == 403


def test_nor_by_a_form(service: Inside) -> None:
    assert asked(service, "POST", "/", *FOLLOWED).status == 403
