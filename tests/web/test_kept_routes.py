"""A wrong unlock is marked over HTTP and on the page's log, and a template is made to follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.web.conftest import Service, create_token, picture, start_service
from tests.web.page_actions import Page, enroll, expect, open_view, portraits, unlock

from mien.web import schemas


@pytest.fixture(scope="module")
def quiet_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with start_service(tmp_path_factory.mktemp("home")) as service:
        yield service


@pytest.fixture
def client(quiet_service: Service, shots: Path) -> Iterator[httpx.Client]:
    """With eileen enrolled."""
    with quiet_service.client() as client:
        files = [picture("photos", shots / f"her{number}.jpg") for number in (1, 2, 3)]
        client.post("/v1/people/eileen", files=files).raise_for_status()
        yield client
        client.delete("/v1/people/eileen")


def look(client: httpx.Client, shots: Path) -> httpx.Response:
    files = [picture("photo", shots / "her4.jpg")]
    return client.post("/v1/unlock", data={"user": "eileen"}, files=files)


def markable(client: httpx.Client) -> list[str]:
    events = client.get("/v1/log").json()["events"]
    return [one["at"] for one in events if one["markable"]]


def person(client: httpx.Client) -> schemas.Person:
    [only] = client.get("/v1/people").json()["people"]
    return schemas.Person.model_validate(only)


def test_a_marked_unlock_locks_the_face_until_the_mark_is_removed(
    quiet_service: Service, client: httpx.Client, shots: Path
) -> None:
    assert markable(client) == []
    assert look(client, shots).status_code == 200
    [at] = markable(client)
    marked = client.post("/v1/people/eileen/not-me", data={"at": at})
    assert schemas.KeptChanged.model_validate(marked.json()).outcome == "not_me"
    assert (person(client).marked, markable(client)) == ([at], [])
    refused = look(client, shots)
    assert refused.status_code == 403
    assert refused.json()["reason"].startswith("more like a face that was marked")
    with quiet_service.client(create_token(quiet_service, "unlock")) as stranger:
        told = look(stranger, shots).json()
        assert told == {"outcome": "not_the_owner", "exit_code": 1, "reason": "not similar enough"}
        assert stranger.post("/v1/people/eileen/not-me", data={"at": at}).status_code == 403
    again = client.post("/v1/people/eileen/not-me", data={"at": at})
    assert (again.status_code, "is not kept" in again.json()["error"]) == (400, True)
    undone = client.delete("/v1/people/eileen/not-me", params={"at": at})
    assert schemas.KeptChanged.model_validate(undone.json()).outcome == "not_me_undone"
    assert look(client, shots).status_code == 200


def test_a_template_follows_and_learns_nothing_from_photos(
    client: httpx.Client, shots: Path
) -> None:
    followed = client.post("/v1/people/eileen/follow", data={"on": "true"})
    assert followed.json() == {"outcome": "follow_on", "exit_code": 0, "user": "eileen"}
    assert look(client, shots).status_code == 200
    frames = [picture("photos", shots / "her4.jpg") for _ in range(3)]
    client.post("/v1/unlock/frames", data={"user": "eileen"}, files=frames)
    assert (person(client).follows, person(client).learned) == (True, [])
    nothing = client.delete("/v1/people/eileen/learned")
    assert nothing.status_code == 400
    assert nothing.json()["error"] == (
        "nothing of that kind is kept of eileen; GET /v1/people lists what is"
    )
    assert client.post("/v1/people/eileen/follow", data={"on": "false"}).status_code == 200
    assert not person(client).follows


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("POST", "nobody/follow", {"on": "true"}, 404),
        ("POST", "eileen/follow", {"on": "perhaps"}, 400),
        ("POST", "eileen/follow", {}, 400),
        ("DELETE", "nobody/learned", None, 404),
        ("POST", "nobody/not-me", {"at": "2026-01-31T12:00:00+00:00"}, 404),
        ("POST", "eileen/not-me", {"at": "x" * 41}, 400),
        ("POST", "eileen/not-me", {"at": "../../etc"}, 400),
        ("DELETE", "eileen/not-me?at=yesterday", None, 400),
        ("DELETE", "eileen/not-me", None, 400),
    ],
)
def test_what_cannot_be_changed_is_refused_with_its_status(
    client: httpx.Client, method: str, path: str, data: dict[str, str] | None, status: int
) -> None:
    assert client.request(method, f"/v1/people/{path}", data=data).status_code == status
    assert (person(client).follows, person(client).marked) == (False, [])


# on the page -----------------------------------------------------------------------------------


def test_the_log_marks_an_unlock_and_the_card_undoes_it(page: Page, shots: Path) -> None:
    enroll(page, "eileen", portraits(shots))
    assert unlock(page, "eileen", shots / "her4.jpg")[0] == "Unlocked"
    open_view(page, "log")
    page.click("text=That was not me")
    expect(page.locator("dialog h2")).to_have_text("Was that not eileen?")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.click("text=That was not me")
    page.click("dialog >> text=That was not eileen")
    page.wait_for_selector("text=was marked as somebody else's")
    expect(page.locator("#log-rows button")).to_have_count(0)
    said = unlock(page, "eileen", shots / "her4.jpg")
    assert (said[0], said[1].startswith("More like a face that was marked")) == ("Locked", True)
    open_view(page, "people")
    page.click(".person >> text=Undo")
    expect(page.locator(".person >> text=Marked as somebody else")).to_have_count(0)
    assert unlock(page, "eileen", shots / "her4.jpg")[0] == "Unlocked"


def test_the_card_lets_a_template_follow_the_face(page: Page, shots: Path) -> None:
    enroll(page, "eileen", portraits(shots))
    open_view(page, "people")
    page.click(".person >> text=Follow the face")
    page.click("dialog >> text=Follow the face >> nth=-1")
    page.wait_for_selector("text=Follows the face: nothing learned yet")
    page.click(".person >> button:has-text('Follow the face')")
    page.click("dialog >> text=Stop following")
    expect(page.locator("text=Follows the face")).to_have_count(0)
