"""What happens to a name in an address that cannot be a person's name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.web.in_process import FORM, run_in_process, send_request

AS_FORM = [("content-type", FORM)]


@pytest.mark.parametrize("method", ["DELETE", "POST"])
@pytest.mark.parametrize("name", ["a/b", "../../etc/passwd", "a/", "", "/", "//"])
def test_an_empty_name_or_one_with_a_slash_is_400_with_the_rule(
    tmp_path: Path, method: str, name: str
) -> None:
    """As the address arrives: a client may have encoded the slash as %2F."""
    with run_in_process(tmp_path) as service:
        path, token = f"/v1/people/{name}", service.admin
        response = asyncio.run(
            send_request(service.app, method, path, token=token, headers=AS_FORM)
        )
    assert (response.status, response.data["outcome"]) == (400, "usage")
    assert "choose a name such as 'ana'" in response.data["error"]


@pytest.mark.parametrize("name", [".", "..", "-x", " ana", "a\x00b"])
def test_any_other_invalid_name_is_400_with_the_rule(tmp_path: Path, name: str) -> None:
    with run_in_process(tmp_path) as service:
        response = asyncio.run(
            send_request(service.app, "DELETE", f"/v1/people/{name}", token=service.admin)
        )
    assert (response.status, response.data["outcome"]) == (400, "usage")
    assert "choose a name such as 'ana'" in response.data["error"]
