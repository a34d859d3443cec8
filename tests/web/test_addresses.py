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
