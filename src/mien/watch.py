"""Several frames in the place of one photo: votes at the door, and a choice for enrolment.

Why a majority of five, at the threshold of a single photo: a stranger of whom a frame passes
with probability p has 5 p passes among five frames to expect, and three are needed, so he
gets in with 5/3 p at most, however the frames hang together (Markov's inequality), and
about p where they are alike, as frames of one moment are. The best of n frames, or a window
that slides on until it passes, would let him in up to n times as often.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mien.errors import ExitCode, NoFaceFound, SeveralFacesFound
from mien.frames import Frame
from mien.pipeline import Pipeline
from mien.quality import measure
from mien.results import ByteArray, Decision, FloatArray
from mien.unlock import Look

NEEDED = 3  # of five: three on one side decide
ENROL_FRAMES = 5
NEW_BELOW = 0.95  # cosine: a frame more alike to one that was taken adds little


def voted(frames: Iterable[Frame], look: Look) -> Decision:
    """Yes when three of the first five frames with one face are; decided as soon as that is clear.

    Frames without a face, or with several, are waited out and do not vote. Where too few
    votes came, the answer is the last reason, or no face. Raises what `look` and the
    frames raise: the door stays locked.
    """
    votes: list[Decision] = []
    last: Decision | None = None
    for frame in frames:
        decision = look(frame.image_rgb)
        if decision.outcome in (ExitCode.NO_FACE, ExitCode.SEVERAL_FACES):
            last = decision
            continue
        votes.append(decision)
        for side in (True, False):
            agreed = [one for one in votes if bool(one) is side]
            if len(agreed) == NEEDED:
                return _middle(agreed)
    if last is not None:
        return last
    raise NoFaceFound("too few frames with a face; look into the camera a little longer")


def chosen(frames: Iterable[Frame], pipeline: Pipeline) -> list[ByteArray]:
    """Up to five frames to enrol from: one good face on each, and each unlike the ones before.

    Raises NoFaceFound or SeveralFacesFound where not one frame is good, with the last reason.
    """
    kept: list[ByteArray] = []
    vectors: list[FloatArray] = []
    reason: Exception = NoFaceFound("no frame shows a face; look into the camera")
    for image, vector in _good(frames, pipeline):
        if isinstance(vector, Exception):
            reason = vector
        elif all(float(np.dot(vector, one)) < NEW_BELOW for one in vectors):
            kept.append(image)
            vectors.append(vector)
            if len(kept) == ENROL_FRAMES:
                break
    if not kept:
        raise reason
    return kept


def _good(
    frames: Iterable[Frame], pipeline: Pipeline
) -> Iterator[tuple[ByteArray, FloatArray | Exception]]:
    """Each frame with the embedding of its face, or with what is wrong with it."""
    for frame in frames:
        image = frame.image_rgb
        try:
            face = pipeline.door_face(image)
        except (NoFaceFound, SeveralFacesFound) as error:
            yield image, error
            continue
        crop = pipeline.crop(image, face)
        advice = measure(face, crop).advice
        yield image, NoFaceFound(advice[0]) if advice else pipeline.embed([crop])[0]


def _middle(decisions: list[Decision]) -> Decision:
    """Of decisions that agree, the one in the middle by similarity."""
    return sorted(decisions, key=lambda one: one.similarity)[len(decisions) // 2]
