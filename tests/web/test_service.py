"""The running service over HTTP: its outcomes are those of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.conftest import (
    HANG_TIMEOUT_S,
    Service,
    create_token,
    fill_vault,
    picture,
    redeem,
    start_service,
)

from mien.web import schemas

TryUnlock = Callable[..., httpx.Response]


@pytest.fixture
def try_unlock(client: httpx.Client, shots: Path) -> TryUnlock:
    def try_unlock(user: str, photo: str = "her4.jpg", **options: Any) -> httpx.Response:
        files = [picture("photo", shots / photo)]
        return client.post("/v1/unlock", data={"user": user}, files=files, **options)

    return try_unlock


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
        "outcome", "exit_code", "similarity", "threshold", "model", "calibration", "reason", "odds",
        "faults", "face",
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


def test_people_are_listed_in_pages(tmp_path: Path) -> None:
    with start_service(tmp_path) as service, service.client() as client:
        assert client.get("/v1/people").json() == {
            "outcome": "listed", "exit_code": 0, "people": [], "more": False,
        }  # fmt: skip
        fill_vault(service.home, 7)
        names = list[str]()
        for expected in (True, True, False):
            after = {"after": names[-1]} if names else {}
            page = client.get("/v1/people", params={"limit": 3, **after}).json()
            names += [one["user"] for one in page["people"]]
            assert page["more"] is expected
        assert names == [f"user {number:03}" for number in range(7)]
        for query in ("limit=2&limit=3", "after=%ff", "after=%ED%A0%80", "after=a&after=b"):
            assert client.get(f"/v1/people?{query}").status_code == 400
        for bad in ({"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"after": "a" * 300}):
            assert client.get("/v1/people", params=bad).status_code == 400


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
    taken = client.post("/v1/people/zoe", files=one)
    assert (taken.status_code, taken.json()["error"]) == (
        409,
        "zoe is enrolled already; send mode=add to add photos, mode=replace to replace them, or"
        " choose another name",
    )
    two = [picture("photos", shots / "her2.jpg")]
    added = client.post("/v1/people/zoe", files=two, data={"mode": "add"}).json()
    assert added["photos_in_template"] == 2
    wall = [picture("photos", shots / "wall.jpg")]
    assert client.post("/v1/people/zoe", files=wall, data={"mode": "replace"}).status_code == 422
    assert client.delete("/v1/people/zoe").json()["outcome"] == "forgotten"
    gone = client.delete("/v1/people/zoe")
    assert (gone.status_code, gone.json()["error"]) == (
        404,
        "zoe is not enrolled; GET /v1/people lists who is",
    )


def test_whoever_may_list_the_names_is_told_that_a_name_is_not_enrolled(
    try_unlock: TryUnlock, shared_service: Service
) -> None:
    for scope, status in (("unlock", 403), ("enroll", 404), ("admin", 404)):
        token = create_token(shared_service, scope)
        response = try_unlock("nobody3", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == status
    assert response.json()["error"] == "nobody3 is not enrolled; GET /v1/people lists who is"


def test_after_five_failures_the_next_attempt_is_429_with_retry_after(
    try_unlock: TryUnlock, shared_service: Service
) -> None:
    headers = {"Authorization": f"Bearer {create_token(shared_service, 'unlock')}"}
    for _ in range(5):
        assert try_unlock("mallory", headers=headers).status_code == 403
    response = try_unlock("mallory", headers=headers)
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 30
    assert response.json()["exit_code"] == 7
    assert try_unlock("eileen").status_code == 200


def test_with_scope_unlock_an_unknown_name_and_a_refusal_are_identical(
    client: httpx.Client, try_unlock: TryUnlock, shots: Path, shared_service: Service
) -> None:
    """To the byte: the response must not tell whether the name is enrolled."""
    secret = create_token(shared_service, "unlock")
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


def test_health_ready_metrics_and_openapi_respond(
    client: httpx.Client, shared_service: Service
) -> None:
    with shared_service.client("") as nobody:
        assert nobody.get("/v1/health").json() == {"status": "ok"}
        assert nobody.get("/v1/ready").json() == {"outcome": "ready"}
        assert nobody.head("/v1/health").status_code == 200
        assert nobody.get("/metrics").status_code == 401
    text = client.get("/metrics").text
    assert 'mien_requests_total{method="GET",route="/v1/health",status="200",tenant="' in text
    assert re.search(r'^mien_vault_ready\{tenant="[0-9a-f]{16}"\} 1.0$', text, re.MULTILINE)
    assert "eileen" not in text
    paths = client.get("/v1/openapi.json").json()["paths"]
    assert {"/v1/unlock", "/v1/identify", "/v1/people/{user}", "/v1/log"} <= set(paths)


def test_a_repeated_field_is_400_and_changes_nothing(client: httpx.Client, shots: Path) -> None:
    her, wall = picture("photo", shots / "her4.jpg"), picture("photo", shots / "wall.jpg")
    photos = [picture("photos", shots / "her1.jpg")]
    form = "application/x-www-form-urlencoded"
    repeated = {
        "user": client.post("/v1/unlock", data={"user": ["nobody", "eileen"]}, files=[her]),
        "photo": client.post("/v1/unlock", data={"user": "eileen"}, files=[wall, her]),
        "mode": client.post("/v1/people/zz", data={"mode": ["new", "replace"]}, files=photos),
        "a": client.post("/v1/compare", files=[("a", her[1]), ("a", her[1]), ("b", wall[1])]),
    }
    for field, response in repeated.items():
        assert (response.status_code, response.json()["outcome"]) == (400, "usage")
        assert response.json()["error"] == f"the field '{field}' is repeated; send it once"
    assert "zz" not in [one["user"] for one in client.get("/v1/people").json()["people"]]
    assert client.post("/v1/session", headers={"content-type": form}).status_code == 401


@pytest.mark.parametrize("name", ["%ff%fe", "a%80b", "%c3", "%ed%a0%80"])
def test_a_path_that_is_not_utf8_is_400(client: httpx.Client, shots: Path, name: str) -> None:
    photos = [picture("photos", shots / "her1.jpg")]
    for response in (
        client.post(f"/v1/people/{name}", files=photos),
        client.delete(f"/v1/people/{name}"),
    ):
        assert response.status_code == 400
        assert response.json()["error"] == "the address is not UTF-8"


def test_a_ticket_is_worth_one_token_and_the_next_one_is_printed(service: Service) -> None:
    ticket = service.tickets.get(timeout=HANG_TIMEOUT_S)
    assert redeem(service.address, "ticket_wrong").status_code == 401
    assert redeem(service.address, service.token).status_code == 401
    first = redeem(service.address, ticket)
    assert (first.status_code, redeem(service.address, ticket).status_code) == (200, 401)
    with service.client(first.json()["token"]) as client:
        assert client.get("/metrics").status_code == 200
    assert redeem(service.address, service.tickets.get(timeout=HANG_TIMEOUT_S)).status_code == 200
