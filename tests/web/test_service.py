"""The service over HTTP: the command line's verbs and outcomes, and every way to no."""

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
    """With eileen enrolled. Whoever fails at a door takes a name of their own."""
    with start_service(tmp_path_factory.mktemp("home")) as service:
        with httpx.Client(base_url=service.address, headers=service.headers) as client:
            files = [picture("photos", shots / f"her{number}.jpg") for number in (1, 2, 3)]
            assert client.post("/v1/people/eileen", files=files).status_code == 200
        yield service


@pytest.fixture
def client(shared_service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=shared_service.address, headers=shared_service.headers, timeout=HANG_TIMEOUT_S
    ) as client:
        yield client


Knock = Callable[..., httpx.Response]


@pytest.fixture
def knock(client: httpx.Client, shots: Path) -> Knock:
    def knocked(user: str, photo: str = "her4.jpg", **options: Any) -> httpx.Response:
        files = [picture("photo", shots / photo)]
        return client.post("/v1/unlock", data={"user": user}, files=files, **options)

    return knocked


# the same verbs and outcomes -----------------------------------------------------------------


def test_the_owner_gets_in_with_the_command_lines_data(knock: Knock) -> None:
    answer = knock("eileen")
    assert answer.status_code == 200
    data = answer.json()
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
def test_a_picture_without_one_face_is_a_no_with_its_reason(
    knock: Knock, photo: str, status: int, code: int
) -> None:
    answer = knock("eileen", photo)
    assert (answer.status_code, answer.json()["exit_code"]) == (status, code)


def test_bytes_that_are_no_picture_are_5(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/unlock", data={"user": "eileen"}, files={"photo": ("x.jpg", b"no picture")}
    )
    assert answer.status_code == 422
    assert answer.json()["outcome"] == "unreadable_image"


def test_identify_compare_look_people_and_log(client: httpx.Client, shots: Path) -> None:
    found = client.post("/v1/identify", files=[picture("photo", shots / "her4.jpg")])
    assert (found.status_code, found.json()["user"]) == (200, "eileen")
    files = [picture("a", shots / "her1.jpg"), picture("b", shots / "her4.jpg")]
    assert client.post("/v1/compare", files=files).json()["outcome"] == "unlocked"
    seen = client.post("/v1/look", files=[picture("photo", shots / "her4.jpg")]).json()
    assert seen["face"]["box_xyxy"][2] > seen["face"]["box_xyxy"][0]
    people = client.get("/v1/people").json()["people"]
    assert [(one["user"], one["photos"]) for one in people] == [("eileen", 3)]
    log = client.get("/v1/log").json()
    assert any(line.endswith("eileen was recognised") for line in log["lines"])
    assert log["earlier"] == 0
    newest = client.get("/v1/log", params={"last": 1}).json()
    assert newest["lines"] == log["lines"][-1:]
    assert (newest["earlier"], newest["entries"]) == (len(log["lines"]) - 1, log["entries"])
    assert client.get("/v1/log", params={"last": 0}).status_code == 400


def test_every_answer_is_what_its_description_says(client: httpx.Client, shots: Path) -> None:
    """Its schemas allow nothing that they do not name."""
    one, wall = picture("photo", shots / "her4.jpg"), picture("photo", shots / "wall.jpg")
    pair = [picture("a", shots / "her1.jpg"), picture("b", shots / "her4.jpg")]
    new = [picture("photos", shots / f"her{number}.jpg") for number in (1, 2)]
    lot = [picture("photos", shots / name) for name in ("her1.jpg", "her2.jpg", "wall.jpg")]
    eileen = {"user": "eileen"}
    for schema, answer in (
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
        schema.model_validate(answer.json())


def test_enrolling_adds_replaces_and_refuses(client: httpx.Client, shots: Path) -> None:
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


def test_five_failures_are_429_with_the_wait(knock: Knock) -> None:
    for _ in range(5):
        assert knock("mallory").status_code == 403
    answer = knock("mallory")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert answer.json()["exit_code"] == 7
    assert knock("eileen").status_code == 200


def test_a_name_that_nobody_has_and_somebody_elses_read_the_same(
    client: httpx.Client, knock: Knock, shots: Path, shared_service: Service
) -> None:
    """With a token that may only try, to the byte."""
    secret = shared_service_token(shared_service, "unlock")
    only_try = {"Authorization": f"Bearer {secret}"}
    somebody = client.post("/v1/people/other", files=[picture("photos", shots / "her1.jpg")])
    assert somebody.status_code == 200
    wall = [knock(user, "wall.jpg", headers=only_try) for user in ("other", "nobody")]
    assert wall[0].content == wall[1].content
    no = knock("nobody2", headers=only_try)
    assert no.json() == {
        "outcome": "not_the_owner", "exit_code": 1, "reason": "not similar enough",
    }  # fmt: skip
    client.delete("/v1/people/other")


def shared_service_token(service: Service, scope: str) -> str:
    """A token made by the command line, for the running service."""
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


def test_health_ready_metrics_and_openapi(client: httpx.Client, shared_service: Service) -> None:
    with httpx.Client(base_url=shared_service.address) as nobody:
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
def test_without_a_known_token_nothing_is_answered(shared_service: Service, token: str) -> None:
    headers = {"Authorization": token} if token else {}
    with httpx.Client(base_url=shared_service.address, headers=headers) as nobody:
        for method, path in (
            ("GET", "/v1/people"), ("DELETE", "/v1/people/eileen"), ("GET", "/v1/log"),
            ("POST", "/v1/unlock"), ("POST", "/v1/people/eileen"), ("POST", "/v1/explore"),
        ):  # fmt: skip
            answer = nobody.request(method, path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_may_do_what_its_scope_says_and_no_more(shared_service: Service) -> None:
    may = {"unlock": set(), "enroll": {"/v1/people"}, "admin": {"/v1/people", "/v1/log"}}
    for scope, allowed in may.items():
        secret = shared_service_token(shared_service, scope)
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=shared_service.address, headers=headers) as client:
            for path in ("/v1/people", "/v1/log"):
                assert client.get(path).status_code == (200 if path in allowed else 403)
            wanted = 404 if scope == "admin" else 403
            assert client.delete("/v1/people/nobody").status_code == wanted


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://"])
def test_a_page_of_another_site_can_neither_overwrite_nor_delete_a_face(
    client: httpx.Client, shots: Path, origin: str
) -> None:
    """Even one that had the token; and it never has, since there is no cookie."""
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
def test_a_name_that_was_made_to_point_here_is_refused(client: httpx.Client, host: str) -> None:
    answer = client.get("/v1/people", headers={"Host": host})
    assert answer.status_code in (400, 421)


def test_every_answer_carries_the_headers_that_shut_the_page_in(client: httpx.Client) -> None:
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
def test_no_path_leads_to_another_file(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\nb", "x" * 500, "<img src=x>.jpg", ""])
def test_a_file_name_is_a_label_and_nothing_else(
    client: httpx.Client, shots: Path, name: str
) -> None:
    files = {"photos": (name or "photo", (shots / "her1.jpg").read_bytes(), "image/jpeg")}
    answer = client.post("/v1/explore", files=files)
    assert answer.status_code == 200
    shown = answer.json()["faces"][0]["name"]
    assert shown.isprintable()
    assert len(shown) <= 80


@pytest.mark.parametrize("user", ["..", "a%2Fb", "%00", "-x", "%20ana", "x" * 300])
def test_a_name_that_is_no_name_is_refused(client: httpx.Client, shots: Path, user: str) -> None:
    answer = client.post(f"/v1/people/{user}", files=[picture("photos", shots / "her1.jpg")])
    assert answer.status_code in (400, 404, 405)


def test_a_body_that_is_too_large_is_not_read(client: httpx.Client) -> None:
    huge = {"photo": ("x.jpg", bytes(33 * 1024 * 1024), "image/jpeg")}
    answer = client.post("/v1/unlock", data={"user": "eileen"}, files=huge)
    assert answer.status_code == 413

    def without_length() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p.jpg"\r\n\r\n'
        for _ in range(40):
            yield bytes(1024 * 1024)

    answer = client.post("/v1/unlock", content=without_length(), headers={"Content-Type": FORM})
    assert (answer.status_code, answer.json()["outcome"]) == (413, "too_large")


def test_a_picture_that_would_fill_the_memory_is_refused(client: httpx.Client) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    answer = client.post("/v1/unlock", data={"user": "eileen"}, files={"photo": ("b.png", bomb)})
    assert (answer.status_code, answer.json()["outcome"]) == (422, "unreadable_image")


def test_a_malformed_request_is_refused_in_one_line(client: httpx.Client) -> None:
    for answer in (
        client.post("/v1/unlock"),
        client.post(
            "/v1/unlock",
            content=b"--x\r\n\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        ),
        client.post("/v1/unlock", content=b"{", headers={"Content-Type": "application/json"}),
        client.request("PATCH", "/v1/unlock"),
    ):
        assert 400 <= answer.status_code < 500
        assert "\n" not in answer.json()["error"]
