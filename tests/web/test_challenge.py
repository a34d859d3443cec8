"""Challenges over HTTP, before a rendered head that does what it is asked, or not."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.app.parts import clock
from tests.app.turning_head import TurningHead
from tests.vault.memory import open_memory_vault
from tests.web.in_process import HOST, InProcessService, run_in_process

from mien.app.enroll import enroll
from mien.app.live_challenge import FACE_THE_CAMERA, INSTRUCTIONS
from mien.app.pipeline import Pipeline
from mien.liveness.mesh import MeshFinder, open_mesh
from mien.liveness.passive import open_scorer
from mien.liveness.plan import VALID_S, Action
from mien.results import ByteArray
from mien.settings import Settings
from mien.vault.vault import Vault
from mien.web.challenges import IDLE_S, Challenges, LivenessModels

STEP_S, MOST_FRAMES = 0.1, 120
DEGREES, SPEED, REACTION = 34.0, 12.0, 3
TARGETS = {
    INSTRUCTIONS[Action.TURN_LEFT]: DEGREES,
    INSTRUCTIONS[Action.TURN_RIGHT]: -DEGREES,
}


def png_of(picture: ByteArray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


class Time:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Camera:
    """A client: it posts what it sees, and turns the head as it is told, a moment later."""

    def __init__(self, service: InProcessService, time: Time, token: str) -> None:
        transport = httpx.ASGITransport(app=service.app)
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(
            transport=transport, base_url=f"http://{HOST}", headers=headers
        )
        self._service, self._time = service, time

    def of_another_token(self, scope: str) -> Camera:
        """Another client of the same service."""
        token = self._service.tokens.create_temporary("another", scope)
        return Camera(self._service, self._time, token)

    async def begin(self, user: str, **fields: str) -> httpx.Response:
        return await self._client.post("/v1/challenge", data={"user": user, **fields})

    async def upload(self, user: str, picture: ByteArray, **fields: str) -> httpx.Response:
        """Enroll from a photo, without a challenge."""
        files = {"photos": ("photo.png", png_of(picture))}
        return await self._client.post(f"/v1/people/{user}", data=fields, files=files)

    async def send(
        self, user: str, nonce: str, number: int, picture: ByteArray, **fields: str
    ) -> httpx.Response:
        return await self._client.post(
            "/v1/challenge/frame",
            data={"user": user, "nonce": nonce, "number": str(number), **fields},
            files={"photo": ("frame.png", png_of(picture))},
        )

    async def act(
        self, user: str, see: Callable[[float], ByteArray], **fields: str
    ) -> httpx.Response:
        """The response to the last frame of a whole challenge."""
        started = (await self.begin(user, **fields)).json()
        noise, at, waited, instruction = np.random.default_rng(0), 0.0, 0, started["instruction"]
        assert instruction == FACE_THE_CAMERA
        for number in range(1, MOST_FRAMES):
            target = TARGETS.get(instruction, 0.0)
            waited = waited + 1 if target else 0
            goal = target if waited > REACTION else 0.0
            at += float(np.clip(goal - at, -SPEED, SPEED))
            seen = see(at)
            picture = seen + noise.normal(0, 2, (*seen.shape[:2], 1))  # as of a sensor
            self._time.now_s += STEP_S
            frame = np.clip(picture, 0, 255).astype(np.uint8)
            response = await self.send(user, started["nonce"], number, frame, **fields)
            if response.json()["outcome"] != "challenge":
                return response
            instruction = response.json()["instruction"]
        raise AssertionError("the challenge did not end")


@pytest.fixture(scope="module")
def mesh(with_liveness: Settings) -> MeshFinder:
    return open_mesh(with_liveness)


@pytest.fixture(scope="module")
def head(pipeline: Pipeline, mesh: MeshFinder, astronaut: ByteArray) -> TurningHead:
    return TurningHead(astronaut, mesh(astronaut, pipeline.door_face(astronaut)))


Run = Callable[..., Any]


@pytest.fixture
def run(
    tmp_path: Path,
    with_liveness: Settings,
    mesh: MeshFinder,
    pipeline: Pipeline,
    astronaut: ByteArray,
) -> Run:
    """Runs a coroutine with a camera, the time and the vault, in which eileen is enrolled."""
    scorer = open_scorer(with_liveness)

    def run(work: Callable[..., Any], scope: str = "camera", **parts: Any) -> Any:
        time = Time()
        with open_memory_vault() as vault:
            enroll("eileen", [astronaut], pipeline=pipeline, vault=vault, mode="new", clock=clock)
            challenges = Challenges(lambda: LivenessModels(mesh, scorer), time)
            with run_in_process(
                tmp_path,
                vault=vault,
                challenges=challenges,
                pipeline_of=lambda model: pipeline,
                **parts,
            ) as service:
                token = service.tokens.create_temporary("device", scope)
                try:
                    return asyncio.run(work(Camera(service, time, token), time, vault))
                finally:
                    challenges.end_idle(all_of_them=True)

    return run


@pytest.fixture(autouse=True)
def turns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rendered head cannot come closer: a plan has the two turns, in either order."""
    monkeypatch.setattr("secrets.randbelow", lambda below: 0)


def kinds(vault: Vault) -> list[str]:
    return [entry.outcome for entry in vault.read_log() if entry.kind == "unlock"]


@pytest.mark.parametrize("scope", ["camera", "enroll"])
def test_a_head_that_does_what_is_asked_unlocks(run: Run, head: TurningHead, scope: str) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        response = await camera.act("eileen", head.seen)
        assert (response.status_code, response.json()["outcome"]) == (200, "unlocked")
        evidence = response.json().get("liveness")
        assert (evidence is not None) == (scope == "enroll")  # a stranger is told no score
        if evidence:
            assert (evidence["tier"], evidence["challenge"]) == ("print-proof", "passed")
        assert kinds(vault) == ["unlocked"]

    run(work, scope)


@pytest.mark.parametrize(
    ("scope", "outcome"), [("camera", "not_the_owner"), ("enroll", "not_live")]
)
def test_the_wrong_turns_are_refused_and_a_stranger_is_not_told_why(
    run: Run, head: TurningHead, scope: str, outcome: str
) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        response = await camera.act("eileen", lambda at: head.seen(-at))
        assert (response.status_code, response.json()["outcome"]) == (403, outcome)
        if scope == "camera":
            assert response.json() == {
                "outcome": outcome, "exit_code": 1, "reason": "not similar enough",
            }  # fmt: skip
        assert kinds(vault) == ["not_live_wrong_way"]

    run(work, scope)


def test_an_unknown_name_is_refused_like_a_stranger(run: Run, head: TurningHead) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        response = await camera.act("nobody", head.seen)
        assert (response.status_code, response.json()["reason"]) == (403, "not similar enough")

    run(work)


def test_a_nonce_is_good_once_for_one_name_and_for_a_minute(run: Run, head: TurningHead) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        first, second = [(await camera.begin("eileen")).json()["nonce"] for _ in range(2)]
        refused = [
            await camera.send("eileen", "unknown", 1, head.seen(0)),
            await camera.send("other", first, 1, head.seen(0)),
            await camera.send("eileen", first, 1, head.seen(0)),  # used up by the other name
        ]
        time.now_s += VALID_S
        refused.append(await camera.send("eileen", second, 1, head.seen(0)))
        for response in refused:
            assert response.status_code == 400
            assert "unknown, used or has expired" in response.json()["error"]
        assert kinds(vault) == []  # nothing was charged

    run(work)


@pytest.mark.parametrize("numbers", [(1, 1), (1, 3), (2,)])
def test_frames_that_are_replayed_or_left_out_end_the_challenge(
    run: Run, head: TurningHead, numbers: tuple[int, ...]
) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        nonce = (await camera.begin("eileen")).json()["nonce"]
        statuses = []
        for number in numbers:
            time.now_s += STEP_S
            statuses.append((await camera.send("eileen", nonce, number, head.seen(0))).status_code)
        assert statuses[-1] == 400
        assert (await camera.send("eileen", nonce, 2, head.seen(0))).status_code == 400
        assert kinds(vault) == (["not_live_gap"] if len(numbers) > 1 else [])

    run(work)


def test_the_same_picture_again_ends_the_challenge(run: Run, head: TurningHead) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        nonce = (await camera.begin("eileen")).json()["nonce"]
        for number in (1, 2):
            time.now_s += STEP_S
            response = await camera.send("eileen", nonce, number, head.seen(0))
        assert response.status_code == 403
        assert kinds(vault) == ["not_live_repeated_frame"]

    run(work)


def test_a_client_that_goes_leaves_a_failed_attempt(run: Run, head: TurningHead) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        nonce = (await camera.begin("eileen")).json()["nonce"]
        await camera.send("eileen", nonce, 1, head.seen(0))
        assert kinds(vault) == ["unfinished"]
        time.now_s += IDLE_S + 0.1
        other = (await camera.begin("eileen")).json()["nonce"]
        await camera.send("eileen", other, 1, head.seen(0))
        assert kinds(vault) == ["not_live_gap", "unfinished"]

    run(work)


def test_where_a_challenge_is_needed_a_saved_photo_unlocks_nothing(
    run: Run, head: TurningHead
) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        photo = ("p.png", b"never read")
        for path, data in (("/v1/unlock", {"user": "eileen"}), ("/v1/identify", {})):
            response = await camera._client.post(path, data=data, files={"photo": photo})
            assert (response.status_code, response.json()["outcome"]) == (403, "not_live")
            assert "POST /v1/challenge" in response.json()["error"]
        assert (await camera.act("eileen", head.seen)).status_code == 200

    run(work, "admin", needs_challenge=True)


def test_a_token_of_a_camera_opens_nothing_with_a_photo(run: Run) -> None:
    async def work(camera: Camera, time: Time, vault: Vault) -> None:
        for path in ("/v1/unlock", "/v1/identify", "/v1/compare"):
            assert (await camera._client.post(path)).status_code == 403

    run(work)
