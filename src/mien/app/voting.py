"""Decide on several frames by a vote, and choose frames to enroll from.

Why a majority of five at the threshold of a single photo: if one frame of a stranger passes with
probability p, 5 p of five frames pass on average, and three are needed. So the stranger is
accepted with probability 5/3 p at most, however correlated the frames are (Markov's inequality),
and with about p if they are alike, as frames of one moment are. The best of n frames, or a sliding
window until one passes, would accept the stranger up to n times as often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, Outcome, SeveralFacesFound
from mien.faces.quality.advice import measure_quality
from mien.media.frame import Frame, is_dark
from mien.results import ByteArray, Decision, FloatArray

NEEDED = 3  # of five: three on one side decide
VOTES = 5
ENROLL_FRAMES = 5
NEW_BELOW = 0.95  # cosine: a frame more alike to one that was taken adds little

DARK, NO_FACE, SEVERAL, POOR = "dark", "without a face", "with several faces", "not good enough"
LIGHT = "turn on a light, and uncover the lens"


class DecideFrame(Protocol):
    """Decides on one frame: `Verifier.decide_frame`."""

    def __call__(self, frame: Frame, *, whole: bool) -> Decision:
        """whole: search all of the frame for faces, and follow none from the frame before."""


@dataclass(slots=True)
class LeftOut:
    """Counts the frames that do not vote, by fault, with the last advice on each fault."""

    counts: Counter[str] = field(default_factory=Counter)
    advice: dict[str, str] = field(default_factory=dict)

    def add(self, fault: str, advice: str) -> None:
        self.counts[fault] += 1
        self.advice[fault] = advice

    def describe(self, so_far: str, otherwise: str) -> str:
        """One line with the advice on the most frequent fault, or `otherwise` if there was none."""
        if not self.counts:
            return f"{so_far}; {otherwise}"
        most = self.counts.most_common()
        faults = ", ".join(f"{count} {fault}" for fault, count in most)
        return f"{so_far}: {faults}; {self.advice[most[0][0]]}"


def vote(frames: Iterable[Frame], decide: DecideFrame) -> Decision:
    """Accept if three of the first five frames with one face are accepted; stop when that is clear.

    Frames that accept different people, in an identification, are on different sides; if none has
    three of five, nobody is accepted. Dark frames and those without a face, or with several, do not
    vote. If too few frames voted,
    the outcome is no face, or several faces if those came last, and the reason counts what
    was wrong with the frames. A frame that may decide is searched whole, so that a second face on
    it is found, however the face was found on those before. Raises what decide and the frames
    raise: then nothing is unlocked.
    """
    votes: list[Decision] = []
    left_out = LeftOut()
    last: Decision | None = None
    for frame in frames:
        if is_dark(frame.image_rgb):
            left_out.add(DARK, LIGHT)
            continue
        decision = decide(frame, whole=_may_decide(votes))
        if decision.outcome in (Outcome.NO_FACE, Outcome.SEVERAL_FACES):
            last = decision
            fault = NO_FACE if decision.outcome is Outcome.NO_FACE else SEVERAL
            left_out.add(fault, decision.reason)
            continue
        votes.append(decision)
        agreed = [one for one in votes if _side(one) == _side(decision)]
        if len(agreed) == NEEDED:
            return _middle(agreed)
        if len(votes) == VOTES:
            return disagreed(_middle(votes))
    reason = left_out.describe(_undecided(len(votes)), "look into the camera for longer")
    if last is None:
        raise NoFaceFound(reason)
    return replace(last, reason=reason)


def _may_decide(votes: Sequence[Decision]) -> bool:
    """Whether one vote more may be the one that decides."""
    return NEEDED - 1 in Counter(map(_side, votes)).values()


def _side(decision: Decision) -> tuple[bool, str]:
    """Whether it accepts, and whom."""
    return bool(decision), decision.user


def disagreed(decision: Decision) -> Decision:
    """The decision, refused because other frames of the same look show another person."""
    reason = "the frames do not agree on who it is; one person at a time, facing the camera"
    return replace(decision, outcome=Outcome.NOT_THE_OWNER, reason=reason, user="", odds="")


def _undecided(votes: int) -> str:
    if votes == 0:
        return "no frame shows one face"
    return f"{votes} frame{'s' * (votes != 1)} with one face, and {NEEDED} must agree"


def choose_frames(frames: Iterable[Frame], pipeline: Pipeline) -> list[ByteArray]:
    """Choose up to five frames to enroll from: each has one good face, unlike those before.

    If no frame is good, raises NoFaceFound, or SeveralFacesFound if the last frames had several;
    the message counts what was wrong with the frames.
    """
    kept: list[ByteArray] = []
    vectors: list[FloatArray] = []
    left_out = LeftOut()
    last: type[NoFaceFound] | type[SeveralFacesFound] = NoFaceFound
    for image, found in _good(frames, pipeline):
        if isinstance(found, Fault):
            left_out.add(found.what, found.advice)
            if found.what != DARK:
                last = SeveralFacesFound if found.what == SEVERAL else NoFaceFound
        elif all(float(np.dot(found, one)) < NEW_BELOW for one in vectors):
            kept.append(image)
            vectors.append(found)
            if len(kept) == ENROLL_FRAMES:
                break
    if not kept:
        raise last(left_out.describe("no frame to enroll from", "look into the camera for longer"))
    return kept


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a frame, and what to do."""

    what: str
    advice: str


def _good(
    frames: Iterable[Frame], pipeline: Pipeline
) -> Iterator[tuple[ByteArray, FloatArray | Fault]]:
    """Each frame with the embedding of its face, or with what is wrong with it."""
    for frame in frames:
        image = frame.image_rgb
        if is_dark(image):
            yield image, Fault(DARK, LIGHT)
            continue
        try:
            found = pipeline.find_face(image, carefully=True)
            crop = pipeline.crop(found.image_rgb, found.face)
        except NoFaceFound as error:
            yield image, Fault(NO_FACE, str(error))
            continue
        except SeveralFacesFound as error:
            yield image, Fault(SEVERAL, str(error))
            continue
        vectors, (faults,) = pipeline.embed_carefully([found], [crop])
        advice = (*faults, *measure_quality(found.face, crop).advice)
        yield image, Fault(POOR, advice[0]) if advice else vectors[0]


def _middle(decisions: list[Decision]) -> Decision:
    """Of decisions that agree, the one in the middle by similarity."""
    return sorted(decisions, key=lambda one: one.similarity)[len(decisions) // 2]
