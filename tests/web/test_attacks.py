"""Requests of attackers: without a token, from other sites, too large, malformed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.web.conftest import Service, create_token, picture

FORM = "multipart/form-data; boundary=x"


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer wrong", "Basic abc", "Bearer mien_x" * 9])
def test_without_a_valid_token_every_route_is_401(shared_service: Service, token: str) -> None:
    headers = {"Authorization": token} if token else {}
    with shared_service.client("") as nobody:
        for method, path in (
            ("GET", "/v1/people"), ("DELETE", "/v1/people/eileen"), ("GET", "/v1/log"),
            ("POST", "/v1/unlock"), ("POST", "/v1/people/eileen"), ("POST", "/v1/explore"),
        ):  # fmt: skip
            response = nobody.request(method, path, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"


def test_a_token_allows_what_its_scope_allows_and_no_more(shared_service: Service) -> None:
    allowed_paths = {
        "unlock": set(),
        "enroll": {"/v1/people"},
        "admin": {"/v1/people", "/v1/log", "/metrics"},
        "metrics": {"/metrics"},
    }
    for scope, allowed in allowed_paths.items():
        secret = create_token(shared_service, scope)
        with shared_service.client(secret) as client:
            for path in ("/v1/people", "/v1/log", "/metrics"):
                assert client.get(path).status_code == (200 if path in allowed else 403)
            wanted = 404 if scope == "admin" else 403
            assert client.delete("/v1/people/nobody").status_code == wanted


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://"])
def test_another_site_can_neither_replace_nor_delete_a_person(
    client: httpx.Client, shots: Path, origin: str
) -> None:
    """Even if it had the token, which it cannot have: there is no cookie."""
    headers = {"Origin": origin}
    files = [picture("photos", shots / "her1.jpg")]
    data = {"mode": "replace"}
    stolen = client.post("/v1/people/eileen", files=files, data=data, headers=headers)
    assert stolen.status_code == 403
    assert client.delete("/v1/people/eileen", headers=headers).status_code == 403
    preflight = client.options("/v1/people/eileen", headers=headers)
    assert preflight.status_code == 403
    assert "access-control-allow-origin" not in preflight.headers
    fetched = client.get("/v1/people", headers={"Sec-Fetch-Site": "cross-site"})
    assert fetched.status_code == 403
    assert client.get("/v1/people").json()["people"][0]["photos"] == 3


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost:1", ""]
)
def test_an_unknown_host_header_is_refused(client: httpx.Client, host: str) -> None:
    response = client.get("/v1/people", headers={"Host": host})
    assert response.status_code in (400, 421)


def test_every_response_of_the_running_service_has_the_security_headers(
    client: httpx.Client,
) -> None:
    for path in ("/", "/app.js", "/v1/health", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", "/page/index.html", "/app.py", "/static/x",
     "/..%2fapp.py", "//etc/passwd", "/app.js/../app.py"],
)  # fmt: skip
def test_no_path_leads_to_a_file_outside_the_page(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\nb", "x" * 500, "<img src=x>.jpg", ""])
def test_a_file_name_is_used_as_a_printable_label_only(
    client: httpx.Client, shots: Path, name: str
) -> None:
    files = {"photos": (name or "photo", (shots / "her1.jpg").read_bytes(), "image/jpeg")}
    response = client.post("/v1/explore", files=files)
    assert response.status_code == 200
    shown = response.json()["faces"][0]["name"]
    assert shown.isprintable()
    assert len(shown) <= 80


@pytest.mark.parametrize("user", ["..", "a%2Fb", "%00", "-x", "%20ana", "x" * 300])
def test_an_invalid_person_name_is_refused(client: httpx.Client, shots: Path, user: str) -> None:
    response = client.post(f"/v1/people/{user}", files=[picture("photos", shots / "her1.jpg")])
    assert response.status_code in (400, 404, 405)


def test_a_body_that_is_too_large_is_413(client: httpx.Client) -> None:
    huge = {"photo": ("x.jpg", bytes(33 * 1024 * 1024), "image/jpeg")}
    response = client.post("/v1/unlock", data={"user": "eileen"}, files=huge)
    assert response.status_code == 413

    def without_length() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p.jpg"\r\n\r\n'
        for _ in range(40):
            yield bytes(1024 * 1024)

    response = client.post("/v1/unlock", content=without_length(), headers={"Content-Type": FORM})
    assert (response.status_code, response.json()["outcome"]) == (413, "too_large")


def test_a_decompression_bomb_is_422(client: httpx.Client) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    response = client.post("/v1/unlock", data={"user": "eileen"}, files={"photo": ("b.png", bomb)})
    assert (response.status_code, response.json()["outcome"]) == (422, "unreadable_image")


def test_a_malformed_request_is_refused_with_a_one_line_message(client: httpx.Client) -> None:
    for response in (
        client.post("/v1/unlock"),
        client.post(
            "/v1/unlock",
            content=b"--x\r\n\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        ),
        client.post("/v1/unlock", content=b"{", headers={"Content-Type": "application/json"}),
        client.request("PATCH", "/v1/unlock"),
    ):
        assert 400 <= response.status_code < 500
        assert "\n" not in response.json()["error"]
