"""Many people enrolled in one request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.web.conftest import Service, create_token, picture, start_service

from mien.web import schemas


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with start_service(tmp_path_factory.mktemp("home")) as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client
        for person in client.get("/v1/people").json()["people"]:
            client.delete(f"/v1/people/{person['user']}")


def enroll_many(
    client: httpx.Client, shots: Path, *photos: tuple[str, str], mode: str = "new"
) -> httpx.Response:
    """photos: (name of the person, name of the picture)."""
    files = [picture("photos", shots / f"{name}.jpg") for _, name in photos]
    return client.post(
        "/v1/people", files=files, data={"users": [user for user, _ in photos], "mode": mode}
    )


def test_everybody_who_can_be_enrolled_is_and_the_others_are_named(
    client: httpx.Client, shots: Path
) -> None:
    response = enroll_many(
        client,
        shots,
        ("eileen", "her1"),
        ("nobody", "wall"),
        ("../etc", "her1"),
        ("eileen", "her2"),
        ("eileen", "wall"),
    )
    assert response.status_code == 200
    found = schemas.EnrolledPeople.model_validate(response.json())
    assert found.enrolled == 1
    assert [(one.user, one.outcome) for one in found.people] == [
        *(("eileen", "enrolled"), ("nobody", "no_face"), ("../etc", "usage")),
    ]
    assert found.people[0].photos_in_template == 2
    assert len(found.people[0].left_out) == 1  # a photo without a face
    assert "photo 1" in str(found.people[1].error)
    people = client.get("/v1/people").json()["people"]
    assert [one["user"] for one in people] == ["eileen"]
    events = client.get("/v1/log").json()["events"]
    assert [(one["kind"], one["user"], one["outcome"]) for one in events][-1] == (
        *("enroll", "eileen", "done"),
    )


def test_a_name_that_is_enrolled_is_refused_unless_it_is_replaced(
    client: httpx.Client, shots: Path
) -> None:
    assert enroll_many(client, shots, ("eileen", "her1")).json()["enrolled"] == 1
    again = enroll_many(client, shots, ("eileen", "her2")).json()
    assert (again["enrolled"], again["people"][0]["outcome"]) == (0, "usage")
    assert "send mode=" in again["people"][0]["error"]
    replaced = enroll_many(client, shots, ("eileen", "her2"), mode="replace").json()
    assert replaced["enrolled"] == 1


@pytest.mark.parametrize("mode", ["new", "replace_person"])
def test_the_photos_under_two_spellings_of_a_name_are_one_persons(
    client: httpx.Client, shots: Path, mode: str
) -> None:
    name, decomposed = "\u00fc" * 64, "u\u0308" * 64  # as long as a name may be
    found = enroll_many(client, shots, (name, "her1"), (decomposed, "her2"), mode=mode).json()
    [only] = found["people"]
    assert (only["user"], only["outcome"], only["photos_in_template"]) == (name, "enrolled", 2)


def test_a_name_is_sent_for_each_photo(client: httpx.Client, shots: Path) -> None:
    photos = [picture("photos", shots / "her1.jpg")]
    response = client.post("/v1/people", files=photos, data={"users": ["eileen", "ben"]})
    assert response.status_code == 400
    assert "a name in users for each photo: 1, not 2" in response.json()["error"]


def test_a_token_that_only_unlocks_enrolls_nobody(service: Service, shots: Path) -> None:
    with httpx.Client(base_url=service.address) as client:
        client.headers["Authorization"] = f"Bearer {create_token(service, 'unlock')}"
        assert enroll_many(client, shots, ("eileen", "her1")).status_code == 403
