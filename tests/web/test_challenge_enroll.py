"""Enrolling by a challenge over HTTP, and what one client may use of the challenges."""
# ruff: noqa: F811 - the fixtures of another file

from __future__ import annotations

import numpy as np
import pytest
from tests.app.turning_head import TurningHead
from tests.web.test_challenge import (  # noqa: F401 - fixtures
    STEP_S,
    Camera,
    Run,
    Time,
    head,
    kinds,
    mesh,
    run,
    turns_only,
)

from mien.results import ByteArray
from mien.vault.vault import Vault
from mien.web import blank_limit
from mien.web.challenges import MAX_PLANS_EACH, MAX_SESSIONS_EACH


def test_a_head_that_does_what_is_asked_is_enrolled(run: Run, head: TurningHead) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        response = await camera.act("zora", head.seen, purpose="enroll")
        data = response.json()
        assert (response.status_code, data["outcome"], data["user"]) == (200, "enrolled", "zora")
        stored = vault.look_up("zora")
        assert stored is not None
        assert stored.record is not None
        assert stored.record.liveness is not None  # how alive the head looked
        taken = await camera.begin("zora", purpose="enroll")
        assert (taken.status_code, taken.json()["outcome"]) == (409, "usage")

    run(work, "enroll")


def test_whoever_does_not_do_what_is_asked_is_not_enrolled(run: Run, head: TurningHead) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        response = await camera.act("zora", lambda at: head.seen(-at), purpose="enroll")
        assert (response.status_code, response.json()["outcome"]) == (403, "not_live")
        assert not vault.holds("zora")
        assert kinds(vault) == []  # nothing was tried to be unlocked

    run(work, "enroll")


def test_a_device_with_a_camera_alone_may_not_enroll(run: Run, head: TurningHead) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        refused = await camera.begin("zora", purpose="enroll")
        assert (refused.status_code, refused.json()["outcome"]) == (403, "forbidden")
        nonce = (await camera.begin("zora")).json()["nonce"]
        frame = await camera.send("zora", nonce, 1, head.seen(0), purpose="enroll")
        assert (frame.status_code, frame.json()["outcome"]) == (403, "forbidden")

    run(work)


def test_a_challenge_goes_on_for_its_own_client_purpose_and_mode_alone(
    run: Run, head: TurningHead
) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        asked = {"purpose": "enroll", "mode": "add"}
        nonce = (await camera.begin("eileen", **asked)).json()["nonce"]
        first = await camera.send("eileen", nonce, 1, head.seen(0), **asked)
        assert first.json()["outcome"] == "challenge"
        for fields in ({}, {"purpose": "enroll"}, {**asked, "mode": "replace_person"}):
            other = await camera.send("eileen", nonce, 2, head.seen(0), **fields)
            assert other.status_code == 400
        stranger = camera.of_another_token("camera")
        assert (await stranger.send("eileen", nonce, 2, head.seen(0))).status_code == 400
        time.now_s += STEP_S
        second = await camera.send("eileen", nonce, 2, head.seen(1), **asked)
        assert second.json()["outcome"] == "challenge"  # none of them ended it

    run(work, "enroll")


def test_one_client_uses_up_neither_the_sessions_nor_the_plans_of_others(
    run: Run, head: TurningHead
) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        mine = (await camera.begin("eileen")).json()["nonce"]
        greedy = camera.of_another_token("camera")
        for _ in range(MAX_SESSIONS_EACH):
            nonce = (await greedy.begin("eileen")).json()["nonce"]
            assert (await greedy.send("eileen", nonce, 1, head.seen(0))).status_code == 200
        nonce = (await greedy.begin("eileen")).json()["nonce"]
        assert (await greedy.send("eileen", nonce, 1, head.seen(0))).status_code == 503
        for _ in range(MAX_PLANS_EACH + 1):
            await greedy.begin("eileen")
        assert (await camera.send("eileen", mine, 1, head.seen(0))).status_code == 200

    run(work)


def test_challenges_without_a_face_count_as_blank_attempts(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blank_limit, "MOST", 2)

    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        grey = np.full((80, 80, 3), 90, np.uint8)
        codes = []
        for _ in range(2):
            nonce = (await camera.begin("eileen")).json()["nonce"]
            await camera.send("eileen", nonce, 1, grey)
            ended = await camera.send("eileen", nonce, 1, grey)
            codes.append(ended.status_code)
        assert codes[0] == 422
        assert (await camera.begin("eileen")).status_code == 429

    run(work)


def test_the_plan_of_an_attempt_enrolls_nobody(run: Run, head: TurningHead) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        nonce = (await camera.begin("zora")).json()["nonce"]
        frame = await camera.send("zora", nonce, 1, head.seen(0), purpose="enroll")
        assert frame.status_code == 400

    run(work, "enroll")


@pytest.mark.parametrize(
    ("active", "source", "status"),
    [(True, "camera", 403), (True, "files", 200), (False, "camera", 200)],
)
def test_photos_of_a_camera_enroll_nobody_where_a_challenge_unlocks(
    run: Run, astronaut: ByteArray, active: bool, source: str, status: int
) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        response = await camera.upload("zora", astronaut, source=source)
        assert response.status_code == status
        assert vault.holds("zora") == (status == 200)

    run(work, "enroll", needs_challenge=active)
