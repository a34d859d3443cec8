"""The service's log: what happened and when, without names, tokens or pictures."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import HANG_TIMEOUT_S, Service, start_service
from tests.web.in_process import FORM, run_in_process, send_request, whole_body

from mien.web.log import log_library_warnings

NOON = datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))
NOON_TEXT = "2026-01-31T12:00:00.000+00:00"


def test_a_line_has_the_time_in_utc_the_route_and_the_outcome(tmp_path: Path) -> None:
    with run_in_process(tmp_path, clock=lambda: NOON) as service:
        for call in (
            send_request(service.app, "GET", "/v1/people"),
            send_request(service.app, "DELETE", "/v1/people/ana", token=service.admin),
            send_request(service.app, "GET", "/v1/health"),
            send_request(service.app, "GET", "/app.js"),
            send_request(service.app, "ANA", "/ana"),
        ):
            asyncio.run(call)
        lines = [json.loads(line) for line in service.lines]
    assert {line["ts"] for line in lines} == {NOON_TEXT}
    assert [(line["method"], line["route"], line["status"], line["outcome"]) for line in lines] == [
        ("GET", "/v1/people", 401, "no_token"),
        ("DELETE", "/v1/people/{user}", 404, "not_enrolled"),
        ("GET", "/v1/health", 200, "done"),
        ("GET", "/app.js", 200, "done"),
        ("other", "none", 404, "usage"),
    ]


def test_of_one_kind_of_library_message_ten_lines_a_minute_are_written() -> None:
    lines, seconds = [], iter(range(0, 1000, 2))  # the clock is read twice for each line
    with log_library_warnings(lines.append, lambda: NOON + timedelta(seconds=next(seconds) // 2)):
        for number in range(35):
            logging.getLogger("asyncio").error("accept() out of resources %d", number)
        logging.getLogger("asyncio").error("another message")
        assert len(lines) == 11
        for _ in range(40):
            logging.getLogger("some.parser").warning("cannot read")
    assert json.loads(lines[11])["logger"] == "some.parser"
    left_out = [json.loads(line) for line in lines if "left_out" in line]
    assert [(one["logger"], one["left_out"]) for one in left_out] == [("asyncio", 25)]


def test_a_librarys_log_records_are_written_without_their_arguments(tmp_path: Path) -> None:
    lines: list[str] = []
    with log_library_warnings(lines.append, lambda: NOON):
        try:
            raise ValueError("ana")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("Exception in %s\n", "ana")
        logging.getLogger("some.parser").warning("cannot read %r", "ana")
        logging.getLogger("some.parser").info("nothing")
    logging.getLogger("some.parser").warning("after the block")
    first, second = (json.loads(line) for line in lines)
    assert (first["ts"], first["message"], first["exception"]) == (
        NOON_TEXT,
        "Exception in %s",
        "ValueError",
    )
    assert first["raised_at"].startswith(__file__)
    assert second == {"ts": NOON_TEXT, "logger": "some.parser", "level": "warning"}
    assert "ana" not in "".join(lines)


def test_a_malformed_form_is_logged_without_its_content(tmp_path: Path) -> None:
    lines: list[str] = []
    with run_in_process(tmp_path) as service, log_library_warnings(lines.append, lambda: NOON):
        call = send_request(
            service.app, "POST", "/v1/unlock", token=service.admin,
            headers=[("content-type", FORM)], body=whole_body(b"--ana"),
        )  # fmt: skip
        assert asyncio.run(call).status == 400
    assert lines
    assert all("message" not in json.loads(line) for line in lines)


@pytest.fixture
def headless(tmp_path: Path) -> Any:
    with start_service(tmp_path, "--no-page") as service:
        yield service


def test_without_the_page_there_is_no_token_and_every_line_is_json(
    headless: Service,
) -> None:
    assert headless.token == ""
    with headless.client() as client:
        assert client.get("/").status_code == 404
        assert client.get("/app.js").status_code == 404
        assert client.get("/v1/health").status_code == 200
    host, port = headless.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), HANG_TIMEOUT_S) as connection:
        connection.sendall(b"this is not HTTP\r\n\r\n")
        while connection.recv(1024):
            pass
    assert headless.stop() == 0
    lines = [
        json.loads(line) for line in headless.log.read_text().splitlines() if line.startswith("{")
    ]
    warnings = [(line["logger"], line["message"]) for line in lines if "message" in line]
    assert warnings == [("uvicorn.error", "Invalid HTTP request received.")]
    assert all("ts" in line for line in lines)


def log_of(service: Service) -> list[dict[str, Any]]:
    """Stop the service and read its log, without the line that printed the address."""
    assert service.stop() == 0
    return [
        json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")
    ]


def enroll_ana(service: Service, shots: Path) -> None:
    photo = ("ana.jpg", (shots / "her1.jpg").read_bytes(), "image/jpeg")
    with service.client() as client:
        response = client.post("/v1/people/ana", files=[("photos", photo)])
    assert response.status_code == 200


def test_the_log_contains_no_name_token_or_picture(service: Service, shots: Path) -> None:
    enroll_ana(service, shots)
    with service.client() as client:
        assert client.delete("/v1/people/ana").is_success
    with service.client("") as client:
        client.get("/v1/people/ana")
    lines = log_of(service)
    requests = [line for line in lines if "logger" not in line]  # not the warnings of libraries
    assert [line["outcome"] for line in requests] == [
        *("done", "enrolled"),  # the ticket was swapped for a token first
        *("forgotten", "usage"),
    ]
    keys = {"ts", "method", "route", "status", "outcome", "ms"}
    assert all(set(line) == keys for line in requests)
    text = str(lines)
    assert "ana" not in text
    assert service.token not in text


def test_the_log_names_a_damaged_vault(service: Service, shots: Path) -> None:
    enroll_ana(service, shots)
    with sqlite3.connect(service.home / "data/mien/vault.sqlite") as vault:
        vault.execute("UPDATE cell_record SET value = zeroblob(length(value))")
    vault.close()
    with service.client() as client:
        response = client.get("/v1/people")
    assert (response.status_code, response.json()["outcome"]) == (500, "vault_damaged")
    last = log_of(service)[-1]
    assert (last["status"], last["outcome"]) == (500, "vault_damaged")
