"""What the page asks the service about people: names, pictures, unlocks, and frames of a camera."""

from __future__ import annotations

import base64
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
    """With eileen enrolled, and her picture kept."""
    with service.client() as client:
        yield client
        for person in client.get("/v1/people").json()["people"]:
            client.delete(f"/v1/people/{person['user']}")


def enroll(client: httpx.Client, shots: Path, user: str = "eileen", **data: str) -> httpx.Response:
    files = [picture("photos", shots / f"her{number}.jpg") for number in (1, 2, 3)]
    return client.post(f"/v1/people/{user}", files=files, data=data)


def person(client: httpx.Client) -> dict[str, object]:
    [only] = client.get("/v1/people").json()["people"]
    schemas.Person.model_validate(only)
    return dict(only)


def frames(shots: Path, *names: str) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [picture("photos", shots / f"{name}.jpg") for name in names]


def test_no_picture_is_kept_unless_it_is_asked_for(client: httpx.Client, shots: Path) -> None:
    assert enroll(client, shots).status_code == 200
    assert person(client)["picture"] is None
    assert enroll(client, shots, mode="replace", keep_picture="true").status_code == 200
    kept = str(person(client)["picture"])
    assert base64.b64decode(kept.removeprefix("data:image/jpeg;base64,"))[:2] == b"\xff\xd8"
    # added photos keep it, and replacing without asking again does not
    assert enroll(client, shots, mode="add").status_code == 200
    assert person(client)["picture"] == kept
    removed = client.delete("/v1/people/eileen/picture")
    assert schemas.PictureRemoved.model_validate(removed.json()).user == "eileen"
    assert person(client)["picture"] is None
    assert client.delete("/v1/people/nobody/picture").status_code == 404


def test_a_person_is_renamed(client: httpx.Client, shots: Path) -> None:
    enroll(client, shots)
    enroll(client, shots, "zoe")
    taken = client.post("/v1/people/eileen/name", data={"name": "zoe"})
    assert (taken.status_code, taken.json()["kind"]) == (409, "already_enrolled")
    assert taken.json()["error"] == "zoe is enrolled already; choose another name"
    renamed = client.post("/v1/people/eileen/name", data={"name": "ana"})
    assert schemas.Renamed.model_validate(renamed.json()).user == "ana"
    assert [one["user"] for one in client.get("/v1/people").json()["people"]] == ["ana", "zoe"]
    assert client.post("/v1/people/eileen/name", data={"name": "eve"}).status_code == 404
    assert client.post("/v1/people/ana/name", data={"name": "a/b"}).status_code == 400


def test_a_name_that_is_taken_and_another_face_have_a_kind(
    client: httpx.Client, shots: Path, shared_photos: Path
) -> None:
    enroll(client, shots)
    assert enroll(client, shots).json()["kind"] == "already_enrolled"
    other = [picture("photos", shared_photos / "faces_test" / "me_test.jpg")]
    answer = client.post("/v1/people/eileen", files=other, data={"mode": "replace"})
    assert (answer.status_code, answer.json()["kind"]) == (422, "another_face")


def test_three_of_five_frames_decide_in_one_attempt(client: httpx.Client, shots: Path) -> None:
    enroll(client, shots)
    user = {"user": "eileen"}
    mixed = frames(shots, "wall", "her4", "wall", "her1", "her2")
    answer = client.post("/v1/unlock/frames", data=user, files=mixed)
    assert answer.status_code == 200
    assert schemas.Decision.model_validate(answer.json()).outcome == "unlocked"
    unlocks = person(client)["unlocks"]
    assert isinstance(unlocks, list)
    assert [one["similarity"] for one in unlocks] == [
        pytest.approx(answer.json()["similarity"], abs=0.001)
    ]
    events = client.get("/v1/log").json()["events"]
    assert [one["outcome"] for one in events if one["kind"] == "unlock"] == ["unlocked"]


def test_too_few_frames_with_a_face_decide_nothing(client: httpx.Client, shots: Path) -> None:
    enroll(client, shots)
    user = {"user": "eileen"}
    few = client.post("/v1/unlock/frames", data=user, files=frames(shots, "her4", "her1", "wall"))
    assert (few.status_code, few.json()["outcome"]) == (422, "no_face")
    crowd = client.post("/v1/unlock/frames", data=user, files=frames(shots, *["crowd"] * 5))
    assert (crowd.status_code, crowd.json()["outcome"]) == (422, "several_faces")
    assert client.post("/v1/unlock/frames", data=user).status_code == 400
    many = client.post("/v1/unlock/frames", data=user, files=frames(shots, *["her4"] * 11))
    assert many.status_code == 400
    assert person(client)["unlocks"] == []


def test_frames_tell_a_token_of_scope_unlock_no_more_than_a_photo(
    client: httpx.Client, service: Service, shots: Path, shared_photos: Path
) -> None:
    enroll(client, shots)
    stranger = [picture("photos", shared_photos / "faces_test" / "me_test.jpg")] * 5
    headers = {"Authorization": f"Bearer {create_token(service, 'unlock')}"}
    for user in ("eileen", "nobody"):
        answer = client.post(
            "/v1/unlock/frames", data={"user": user}, files=stranger, headers=headers
        )
        assert answer.status_code == 403
        assert answer.json() == {
            "outcome": "not_the_owner", "exit_code": 1, "reason": "not similar enough",
        }  # fmt: skip


def test_looking_at_two_faces_gives_both_boxes(client: httpx.Client, shots: Path) -> None:
    seen = client.post("/v1/look", files=[picture("photo", shots / "crowd.jpg")]).json()
    assert (seen["outcome"], seen["face"]) == ("several_faces", None)
    first, second = sorted(one["box_xyxy"][0] for one in seen["faces"])
    assert second - first == pytest.approx(512, abs=4)  # the same photo, beside itself
    one = client.post("/v1/look", files=[picture("photo", shots / "her1.jpg")]).json()
    assert "faces" not in one
    assert abs(one["turn"]) < 0.4
    assert one["eye_distance_px"] > 24
    assert 55 < one["brightness"] < 215


def test_exploring_says_from_which_similarity_two_faces_are_one_person(
    client: httpx.Client, shots: Path
) -> None:
    found = client.post("/v1/explore", files=frames(shots, "her1", "her2")).json()
    compared = client.post(
        "/v1/compare",
        files=[picture("a", shots / "her1.jpg"), picture("b", shots / "her2.jpg")],
    ).json()
    assert found["threshold"] == pytest.approx(compared["threshold"], abs=0.2)
    assert found["similarity"][0][1] > found["threshold"] > 0
