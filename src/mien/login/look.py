"""One look: whether the person before the camera is the one of a template in the system's vault."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from mien.app.live_challenge import FindMesh, Tell, decide_by_challenge, meter_of_attempt
from mien.app.live_vote import passive_check, vote_live
from mien.app.pipeline import load_pipelines
from mien.app.verify import Verifier
from mien.errors import CameraUnavailable, LookCancelled, NotEnrolled
from mien.liveness.challenge import ChallengeSession
from mien.liveness.mesh import open_mesh
from mien.liveness.passive import ScoreFace, open_scorer
from mien.liveness.plan import draw_secret_plan
from mien.login.look_job import LookJob
from mien.login.system_vault import open_system_vault
from mien.media.frame import Frame
from mien.results import Decision
from mien.settings import Settings

IsCancelled = Callable[[], bool]
OpenFrames = Callable[[float, IsCancelled], Iterator[Frame]]
"""Opens the camera for so many seconds, or until the look is cancelled."""


class Looker:
    """Keeps the models loaded, and looks when it is asked to.

    open_frames: opens the camera. is_camera: not for a film, which may have equal frames.
    """

    def __init__(self, settings: Settings, open_frames: OpenFrames, *, is_camera: bool) -> None:
        self._settings = settings
        self._open_frames = open_frames
        self._is_camera = is_camera
        self._pipeline_of = load_pipelines(settings)
        self._scorer: ScoreFace | None = None
        self._mesh: FindMesh | None = None
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="camera")

    def load(self) -> None:
        """Load what every look needs. Raises ModelUnavailable."""
        self._pipeline_of(None)
        self._scorer = self._scorer or open_scorer(self._settings)

    def holds(self, record_name: str) -> bool:
        """Whether the vault has a template of that name."""
        with open_system_vault(self._settings, create=False) as vault:
            return vault.holds(record_name)

    def look(
        self, job: LookJob, *, seconds: float, tell: Tell, is_cancelled: IsCancelled
    ) -> Decision:
        """Look once, for so many seconds. Nothing is charged before the camera has given a frame.

        Raises NotEnrolled, TooManyAttempts, CameraUnavailable, LookCancelled, and what
        `vote_live` and `decide_by_challenge` raise.
        """
        end_s = time.monotonic() + seconds  # the time to load the models counts: somebody waits
        with open_system_vault(self._settings, create=False) as vault:
            if not vault.holds(job.record_name):
                raise NotEnrolled("this account is not enrolled; run: sudo mien login enroll USER")
            frames = _until(end_s, is_cancelled, self._opened(seconds, is_cancelled))
            verifier = Verifier(
                job.record_name,
                vault=vault,
                pipeline_of=self._pipeline_of,
                tell_unknown=True,
                from_camera=self._is_camera,
            )
            with verifier:
                return verifier.conclude(self._decide(verifier, frames, job, tell))

    def _opened(self, seconds: float, is_cancelled: IsCancelled) -> Iterator[Frame]:
        """The frames, with the first one read: a camera opens while the models load."""
        frames = self._open_frames(seconds, is_cancelled)
        first = self._threads.submit(next, frames, None)
        self.load()
        frame = first.result()
        if frame is None:
            raise CameraUnavailable("the camera gave no frame; check it with: mien camera test")
        return itertools.chain([frame], frames)

    def _decide(
        self, verifier: Verifier, frames: Iterator[Frame], job: LookJob, tell: Tell
    ) -> Decision:
        if job.is_infrared:  # screens and most prints show no face to it; see docs/login.md
            return vote_live(frames, verifier.decide_frame, None)
        assert self._scorer is not None  # loaded before the first frame was taken
        if job.is_strong:
            self._mesh = self._mesh or open_mesh(self._settings)
            meter = meter_of_attempt(verifier, find_mesh=self._mesh, score_face=self._scorer)
            plan = draw_secret_plan("of the login daemon", now_s=time.monotonic())
            return decide_by_challenge(frames, ChallengeSession(plan), meter, tell)
        check = passive_check(self._scorer, verifier)
        return vote_live(frames, verifier.decide_frame, check, is_camera=self._is_camera)


def _until(end_s: float, is_cancelled: IsCancelled, frames: Iterator[Frame]) -> Iterator[Frame]:
    for frame in frames:
        if is_cancelled():
            raise LookCancelled("the program that asked is gone")
        if time.monotonic() >= end_s:
            return
        yield frame
