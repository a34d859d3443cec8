"""Challenges over HTTP, to unlock or to enroll: the plan stays here.

Each frame is measured when it arrives. The nonce is good for one session of one name. The time of
a frame is this machine's, and its number must be the next one, so that frames cannot be replayed,
reordered or sent too late.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, Protocol

from mien.app.live_challenge import (
    FindMesh,
    FrameMeter,
    decision_of,
    instruction_of,
    meter_of_attempt,
)
from mien.app.live_enrollment import EnrollmentChallenge, LivingFrames
from mien.app.pipeline import Pipeline
from mien.app.verify import Verifier
from mien.errors import NoFaceFound, UsageError
from mien.liveness.challenge import ChallengeSession, Phase
from mien.liveness.passive import ScoreFace
from mien.liveness.plan import ChallengePlan, PlanStore, draw_secret_plan
from mien.media.frame import Frame
from mien.results import ByteArray, Decision
from mien.web.pool import PoolFull

MAX_SESSIONS = 16
MAX_SESSIONS_EACH = 4  # of one client
MAX_PLANS_EACH = 50  # of one client, drawn and not begun
MAX_CLIENTS = 200  # that have drawn a plan
IDLE_S = 5.0  # without a frame, after which a session is ended

Purpose = Literal["unlock", "enroll"]


@dataclass(frozen=True, slots=True)
class LivenessModels:
    """The mesh and the passive check, which a challenge needs."""

    find_mesh: FindMesh
    score_face: ScoreFace


class Trial(Protocol):
    """What a challenge is for: an attempt to unlock, or an enrollment."""

    meter: FrameMeter

    def keep(self, frame: Frame, phase: Phase) -> None:
        """A frame that was measured. phase: before it."""

    def conclude(self, session: ChallengeSession) -> Decision | LivingFrames:
        """The result of a session that has ended. Raises NoFaceFound."""

    def abort(self, error: BaseException) -> None:
        """The session broke off."""


Begin = Callable[[LivenessModels], Trial]
"""Called with the first frame."""


class UnlockTrial:
    """An attempt, which begins and is charged at once. Raises what entering a `Verifier` does."""

    def __init__(self, verifier: Verifier, models: LivenessModels) -> None:
        self._verifier = verifier.__enter__()
        self.meter = meter_of_attempt(
            verifier, find_mesh=models.find_mesh, score_face=models.score_face
        )

    def keep(self, frame: Frame, phase: Phase) -> None:
        """Nothing is kept."""

    def conclude(self, session: ChallengeSession) -> Decision:
        """Settle the attempt."""
        with ExitStack() as stack:
            stack.push(self._verifier)  # leaves the block that was entered above
            return self._verifier.conclude(decision_of(session, self.meter))

    def abort(self, error: BaseException) -> None:
        """Settle the attempt as a failed one."""
        self._verifier.__exit__(type(error), error, error.__traceback__)


class EnrollTrial:
    """An enrollment: nothing is charged, and nothing stored here."""

    def __init__(self, pipeline: Pipeline, models: LivenessModels) -> None:
        self._challenge = EnrollmentChallenge(
            pipeline, find_mesh=models.find_mesh, score_face=models.score_face
        )
        self.meter, self.keep = self._challenge.meter, self._challenge.keep

    def conclude(self, session: ChallengeSession) -> Decision | LivingFrames:
        """The frames to enroll from, or why there are none."""
        living = self._challenge.living_frames(session)
        return decision_of(session, self.meter) if living is None else living

    def abort(self, error: BaseException) -> None:
        """Nothing has begun."""


@dataclass(frozen=True, slots=True)
class ChallengeKey:
    """What a nonce is bound to: a frame for anything else is refused. client: see `WorkerPool`."""

    user: str
    purpose: Purpose
    mode: str
    client: str

    @property
    def subject(self) -> str:
        """All but the client, as one string; no name has a line break."""
        return f"{self.user}\n{self.purpose}\n{self.mode}"


@dataclass(slots=True)
class _Running:
    key: ChallengeKey
    trial: Trial
    session: ChallengeSession
    last_at_s: float
    number: int = 0
    lock: Lock = field(default_factory=Lock)


class Challenges:
    """The challenges of one service. May be called from several threads.

    models: opens the models once, when the first challenge begins; raises ModelMissing. clock:
    seconds, monotonic.
    """

    def __init__(self, models: Callable[[], LivenessModels], clock: Callable[[], float]) -> None:
        self._open_models, self._clock = models, clock
        self._plans: dict[str, PlanStore] = {}  # by client: nobody uses up those of others
        self._running: dict[str, _Running] = {}
        self._lock = Lock()
        self._opened: LivenessModels | None = None

    def draw(self, key: ChallengeKey) -> ChallengePlan:
        """A plan; nothing is charged yet. Raises ModelMissing."""
        self._models()
        now_s = self._clock()
        plan = draw_secret_plan(key.subject, now_s=now_s)
        with self._lock:
            if key.client not in self._plans and len(self._plans) >= MAX_CLIENTS:
                del self._plans[next(iter(self._plans))]
            plans = self._plans.setdefault(key.client, PlanStore(capacity=MAX_PLANS_EACH))
            plans.add(plan, now_s=now_s)
        return plan

    def add_frame(
        self,
        nonce: str,
        key: ChallengeKey,
        number: int,
        image_rgb: ByteArray,
        begin: Begin,
    ) -> str | Decision | LivingFrames:
        """What to do next, in words; or the result, with which the session has ended.

        number: 1 for the first frame, which begins an attempt and charges it. UsageError for a
        nonce that is unknown, used up, expired or of another key, and for a frame that is not the
        next one, which ends the session. Raises PoolFull if there are too many sessions.
        """
        at_s = self._clock()
        self.end_idle()
        running = self._find(nonce, key)
        if running is None:
            running = self._start(nonce, key, number, at_s, begin)
        with running.lock:
            running.number += 1
            if number != running.number:
                self._end(nonce)
                raise UsageError(f"frame {number} is not the next one; begin a new challenge")
            running.last_at_s = at_s
            session, frame = running.session, Frame(at_s, image_rgb)
            running.trial.keep(frame, session.phase)
            try:
                phase = session.add(running.trial.meter.measure(frame, session.phase))
            except BaseException as error:
                self._abort(nonce, error)
                raise
            if phase not in (Phase.PASSED, Phase.DENIED):
                return instruction_of(session)
            return self._end(nonce)

    def end_idle(self, *, all_of_them: bool = False) -> None:
        """End the sessions whose client has gone: the attempt stays a failure."""
        now_s = self._clock()
        with self._lock:
            gone = [
                nonce
                for nonce, running in self._running.items()
                if all_of_them or now_s - running.last_at_s > IDLE_S
            ]
        for nonce in gone:
            with suppress(NoFaceFound, UsageError):  # no face was seen, or it has just ended
                self._end(nonce)

    def _models(self) -> LivenessModels:
        with self._lock:
            if self._opened is None:
                self._opened = self._open_models()
            return self._opened

    def _find(self, nonce: str, key: ChallengeKey) -> _Running | None:
        with self._lock:
            running = self._running.get(nonce)
        if running is not None and running.key != key:
            raise _unknown()
        return running

    def _start(
        self, nonce: str, key: ChallengeKey, number: int, at_s: float, begin: Begin
    ) -> _Running:
        plan = None
        with self._lock:
            own = sum(one.key.client == key.client for one in self._running.values())
            if len(self._running) >= MAX_SESSIONS or own >= MAX_SESSIONS_EACH:
                raise PoolFull
            plans = self._plans.get(key.client)
            if number == 1 and plans is not None:
                plan = plans.take(nonce, expected_user=key.subject, now_s=at_s)
        if plan is None:
            raise _unknown()
        running = _Running(key, begin(self._models()), ChallengeSession(plan), at_s)
        with self._lock:
            self._running[nonce] = running
        return running

    def _end(self, nonce: str) -> Decision | LivingFrames:
        """End the session: an attempt is settled."""
        with self._lock:
            running = self._running.pop(nonce, None)
        if running is None:
            raise UsageError("the challenge has ended; begin a new one")
        running.session.end()
        return running.trial.conclude(running.session)

    def _abort(self, nonce: str, error: BaseException) -> None:
        """A session breaks off with an error."""
        with self._lock:
            running = self._running.pop(nonce, None)
        if running is not None:
            running.trial.abort(error)


def _unknown() -> UsageError:
    return UsageError("the challenge is unknown, used or has expired; begin a new one")
