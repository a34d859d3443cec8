"""Challenges over HTTP: the plan stays here, and each frame is measured when it arrives.

The nonce is good for one session of one name. The time of a frame is this machine's, and its
number must be the next one, so that frames cannot be replayed, reordered or sent too late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock

from mien.app.live_challenge import FindMesh, FrameMeter, decision_of, instruction_of
from mien.app.live_vote import threshold_from
from mien.app.verify import Verifier
from mien.errors import NoFaceFound, UsageError
from mien.liveness.challenge import ChallengeSession, Phase
from mien.liveness.passive import ScoreFace
from mien.liveness.plan import ChallengePlan, PlanStore, draw_secret_plan
from mien.media.frame import Frame
from mien.results import ByteArray, Decision
from mien.web.pool import PoolFull

MAX_SESSIONS = 16
IDLE_S = 5.0  # without a frame, after which a session is ended

Begin = Callable[[str], Verifier]
"""An attempt of this name, not entered yet."""


@dataclass(frozen=True, slots=True)
class LivenessModels:
    """The mesh and the passive check, which a challenge needs."""

    find_mesh: FindMesh
    score_face: ScoreFace


@dataclass(slots=True)
class _Running:
    user: str
    verifier: Verifier
    session: ChallengeSession
    meter: FrameMeter
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
        self._plans = PlanStore()
        self._running: dict[str, _Running] = {}
        self._lock = Lock()
        self._opened: LivenessModels | None = None

    def draw(self, user: str) -> ChallengePlan:
        """A plan for this name; nothing is charged yet. Raises ModelMissing."""
        self._models()
        now_s = self._clock()
        plan = draw_secret_plan(user, now_s=now_s)
        with self._lock:
            self._plans.add(plan, now_s=now_s)
        return plan

    def add_frame(
        self, nonce: str, user: str, number: int, image_rgb: ByteArray, begin: Begin
    ) -> str | Decision:
        """What to do next, in words; or the decision, with which the session has ended.

        number: 1 for the first frame, which begins the attempt and charges it. UsageError for a
        nonce that is unknown, used up, expired or of another name, and for a frame that is not
        the next one, which ends the session.
        """
        at_s = self._clock()
        self.end_idle()
        running = self._find(nonce, user, number, at_s, begin)
        with running.lock:
            running.number += 1
            if number != running.number:
                self._end(nonce)
                raise UsageError(f"frame {number} is not the next one; begin a new challenge")
            running.last_at_s = at_s
            session = running.session
            try:
                phase = session.add(running.meter.measure(Frame(at_s, image_rgb), session.phase))
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

    def _find(self, nonce: str, user: str, number: int, at_s: float, begin: Begin) -> _Running:
        with self._lock:
            running = self._running.get(nonce)
            if running is None and len(self._running) >= MAX_SESSIONS:
                raise PoolFull
            plan = None
            if running is None and number == 1:
                plan = self._plans.take(nonce, expected_user=user, now_s=at_s)
        if running is not None and running.user == user:
            return running
        if plan is None:
            raise UsageError("the challenge is unknown, used or has expired; begin a new one")
        models = self._models()
        verifier = begin(user).__enter__()
        meter = FrameMeter(
            verifier,
            verifier.pipeline,
            models.find_mesh,
            models.score_face,
            threshold_from(verifier.liveness_history),
        )
        running = _Running(user, verifier, ChallengeSession(plan), meter, at_s)
        with self._lock:
            self._running[nonce] = running
        return running

    def _end(self, nonce: str) -> Decision:
        """End the session and settle its attempt."""
        with self._lock:
            running = self._running.pop(nonce, None)
        if running is None:
            raise UsageError("the challenge has ended; begin a new one")
        running.session.end()
        with _settling(running.verifier) as verifier:
            return verifier.conclude(decision_of(running.session, running.meter))

    def _abort(self, nonce: str, error: BaseException) -> None:
        """Settle the attempt of a session that breaks off with an error."""
        with self._lock:
            running = self._running.pop(nonce, None)
        if running is not None:
            running.verifier.__exit__(type(error), error, error.__traceback__)


@contextmanager
def _settling(verifier: Verifier) -> Iterator[Verifier]:
    """Leave the block of a verifier that another call entered."""
    with ExitStack() as stack:
        stack.push(verifier)
        yield verifier
