"""What an attempt must offer, to unlock or to identify, to be decided on frames of a camera."""

from __future__ import annotations

from typing import Protocol

from mien.app.face_search import FoundFace
from mien.app.pipeline import Pipeline, Probe
from mien.media.frame import Frame
from mien.results import Decision
from mien.vault.records.record import LivenessHistory


class LiveAttempt(Protocol):
    """One attempt: a `Verifier`, or an `Identifier`."""

    @property
    def pipeline(self) -> Pipeline:
        """Finds and embeds the faces of the attempt."""

    @property
    def earlier_failures(self) -> int:
        """How many attempts of this kind failed since the last success."""

    def liveness_history_of(self, decision: Decision) -> LivenessHistory | None:
        """How alive the person of a decision looked before; None where it is not known."""

    def find_on_frame(self, frame: Frame, *, whole: bool) -> FoundFace:
        """The face of the next frame; see `FrameSearch.find_face`."""

    def decide_on_probe(self, frame: Frame, probe: Probe) -> Decision:
        """Decide on the face that was found on a frame, and embedded."""

    def decide_frame(self, frame: Frame, *, whole: bool) -> Decision:
        """Decide on the next frame; see `DecideFrame`."""
