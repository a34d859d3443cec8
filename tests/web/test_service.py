"""The running service over HTTP: the outcomes of the command line, and attacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.conftest import HANG_TIMEOUT_S, Service, start_service

from mien.web import schemas

FORM = "multipart/form-data; boundary=x"
Files = list[tuple[str, tuple[str, bytes, str]]]


def picture(field: str, path: Path) -> tuple[str, tuple[str, bytes, str]]:
    return field, (path.name, path.read_bytes(), "image/jpeg")


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory, shots: Path) -> Iterator[Service]:
    """With eileen enrolled. A test with failed attempts uses a name of its own."""
    with start_service(tmp_path_factory.mktemp("home")) as service:
        with service.client() as client:
            files = [picture("photos", shots / f"her{number}.jpg") for number in (1, 2, 3)]
            assert client.post("/v1/people/eileen", files=files).status_code == 200
        yield service


@pytest.fixture
def client(shared_service: Service) -> Iterator[httpx.Client]:
    with shared_service.client() as client:
        yield client


TryUnlock = Callable[..., httpx.Response]


@pytest.fixture
def try_unlock(client: httpx.Client, shots: Path) -> TryUnlock:
    def try_unlock(user: str, photo: str = "her4.jpg", **options: Any) -> httpx.Response:
        files = [picture("photo", shots / photo)]
        return client.post("/v1/unlock", data={"user": user}, files=files, **options)

    return try_unlock


# the outcomes of the command line -----------------------------------------------------------------


def test_unlocking_as_the_owner_is_200_with_the_fields_of_the_command_line(
    try_unlock: TryUnlock,
) -> None:
    response = try_unlock("eileen")
    assert response.status_code == 200
    data = response.json()
    assert (data["outcome"], data["exit_code"], data["reason"]) == (
        "unlocked",
        0,
        "the same person",
    )
    assert data["similarity"] > data["threshold"]
    assert set(data) == {
        "outcome", "exit_code", "similarity", "threshold", "model", "reason", "odds", "face",
    }  # fmt: skip


@pytest.mark.parametrize(("photo", "status", "code"), [("wall.jpg", 422, 3), ("crowd.jpg", 422, 4)])
def test_a_photo_without_exactly_one_face_is_422(
    try_unlock: TryUnlock, photo: str, status: int, code: int
) -> None:
    response = try_unlock("eileen", photo)
    assert (response.status_code, response.json()["exit_code"]) == (status, code)


def test_bytes_that_are_not_a_picture_are_422(client: httpx.Client) -> None:
    response = client.post(
        "/v1/unlock", data={"user": "eileen"}, files={"photo": ("x.jpg", b"no picture")}
    )
    assert response.status_code == 422
    assert response.json()["outcome"] == "unreadable_image"


def test_identify_compare_look_people_and_log_respond_as_documented(
    client: httpx.Client, shots: Path
) -> None:
    found = client.post("/v1/identify", files=[picture("photo", shots / "her4.jpg")])
    assert (found.status_code, found.json()["user"]) == (200, "eileen")
    files = [picture("a", shots / "her1.jpg"), picture("b", shots / "her4.jpg")]
    assert client.post("/v1/compare", files=files).json()["outcome"] == "unlocked"
    seen = client.post("/v1/look", files=[picture("photo", shots / "her4.jpg")]).json()
    assert seen["face"]["box_xyxy"][2] > seen["face"]["box_xyxy"][0]
    people = client.get("/v1/people").json()["people"]
    assert [(one["user"], one["photos"]) for one in people] == [("eileen", 3)]
    log = client.get("/v1/log").json()
    assert any(line.endswith("eileen was identified") for line in log["lines"])
    assert log["earlier"] == 0
    newest = client.get("/v1/log", params={"last": 1}).json()
    assert newest["lines"] == log["lines"][-1:]
    assert (newest["earlier"], newest["entries"]) == (len(log["lines"]) - 1, log["entries"])
    assert client.get("/v1/log", params={"last": 0}).status_code == 400


def test_every_response_matches_its_schema(client: httpx.Client, shots: Path) -> None:
    """The schemas forbid fields that they do not name."""
    one, wall = picture("photo", shots / "her4.jpg"), picture("photo", shots / "wall.jpg")
    pair = [picture("a", shots / "her1.jpg"), picture("b", shots / "her4.jpg")]
    new = [picture("photos", shots / f"her{number}.jpg") for number in (1, 2)]
    lot = [picture("photos", shots / name) for name in ("her1.jpg", "her2.jpg", "wall.jpg")]
    eileen = {"user": "eileen"}
    for schema, response in (
        (schemas.Decision, client.post("/v1/unlock", data=eileen, files=[one])),
        (schemas.Decision, client.post("/v1/unlock", data=eileen, files=[wall])),
        (schemas.Identification, client.post("/v1/identify", files=[one])),
        (schemas.Decision, client.post("/v1/compare", files=pair)),
        (schemas.PhotoAdvice, client.post("/v1/look", files=[one])),
        (schemas.PhotoAdvice, client.post("/v1/look", files=[wall])),
        (schemas.Enrollment, client.post("/v1/people/zora", files=new)),
        (schemas.People, client.get("/v1/people")),
        (schemas.Forgotten, client.delete("/v1/people/zora")),
        (schemas.Error, client.delete("/v1/people/zora")),
        (schemas.Exploration, client.post("/v1/explore", files=lot)),
        (schemas.Log, client.get("/v1/log")),
        (schemas.Health, client.get("/v1/health")),
        (schemas.Ready, client.get("/v1/ready")),
    ):
        schema.model_validate(response.json())


def test_enroll_creates_adds_replaces_and_refuses(client: httpx.Client, shots: Path) -> None:
    one = [picture("photos", shots / "her1.jpg")]
    assert client.post("/v1/people/zoe", files=one).json()["photos_in_template"] == 1
    assert client.post("/v1/people/zoe", files=one).status_code == 409
    two = [picture("photos", shots / "her2.jpg")]
    added = client.post("/v1/people/zoe", files=two, data={"mode": "add"}).json()
    assert added["photos_in_template"] == 2
    wall = [picture("photos", shots / "wall.jpg")]
    assert client.post("/v1/people/zoe", files=wall, data={"mode": "replace"}).status_code == 422
    assert client.delete("/v1/people/zoe").json()["outcome"] == "forgotten"
    assert client.delete("/v1/people/zoe").status_code == 404


def test_after_five_failures_the_next_attempt_is_429_with_retry_after(
    try_unlock: TryUnlock,
) -> None:
    for _ in range(5):
        assert try_unlock("mallory").status_code == 403
    response = try_unlock("mallory")
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 30
    assert response.json()["exit_code"] == 7
    assert try_unlock("eileen").status_code == 200


def test_with_scope_unlock_an_unknown_name_and_a_refusal_are_identical(
    client: httpx.Client, try_unlock: TryUnlock, shots: Path, shared_service: Service
) -> None:
    """To the byte: the response must not tell whether the name is enrolled."""
    secret = shared_service_token(shared_service, "unlock")
    scope_unlock = {"Authorization": f"Bearer {secret}"}
    somebody = client.post("/v1/people/other", files=[picture("photos", shots / "her1.jpg")])
    assert somebody.status_code == 200
    wall = [try_unlock(user, "wall.jpg", headers=scope_unlock) for user in ("other", "nobody")]
    assert wall[0].content == wall[1].content
    refused = try_unlock("nobody2", headers=scope_unlock)
    assert refused.json() == {
        "outcome": "not_the_owner", "exit_code": 1, "reason": "not similar enough",
    }  # fmt: skip
    client.delete("/v1/people/other")


def shared_service_token(service: Service, scope: str) -> str:
    """Create a token with the command line, for the running service."""
    import os
    import subprocess
    import sys

    environ = dict(os.environ) | {"HOME": str(service.home)}
    for variable, folder in (("DATA", "data"), ("CONFIG", "config"), ("STATE", "state")):
        environ[f"XDG_{variable}_HOME"] = str(service.home / folder)
    name = f"{scope}-{os.urandom(4).hex()}"
    command = [sys.executable, "-m", "mien", "token", "create", name, "--scope", scope, "--json"]
    ran = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=HANG_TIMEOUT_S
    )
    secret: str = json.loads(ran.stdout)["token"]
    return secret


def test_health_ready_metrics_and_openapi_respond(
    client: httpx.Client, shared_service: Service
) -> None:
    with shared_service.client("") as nobody:
        assert nobody.get("/v1/health").json() == {"status": "ok"}
        assert nobody.get("/v1/ready").json() == {"outcome": "ready"}
        assert nobody.head("/v1/health").status_code == 200
        assert nobody.get("/metrics").status_code == 401
    text = client.get("/metrics").text
    assert 'mien_requests_total{method="GET",route="/v1/health",status="200"} ' in text
    assert "eileen" not in text
    paths = client.get("/v1/openapi.json").json()["paths"]
    assert {"/v1/unlock", "/v1/identify", "/v1/people/{user}", "/v1/log"} <= set(paths)


# attacks -------------------------------------------------------------------------------------


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
    allowed_paths = {"unlock": set(), "enroll": {"/v1/people"}, "admin": {"/v1/people", "/v1/log"}}
    for scope, allowed in allowed_paths.items():
        secret = shared_service_token(shared_service, scope)
        with shared_service.client(secret) as client:
            for path in ("/v1/people", "/v1/log"):
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
