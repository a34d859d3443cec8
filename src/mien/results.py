"""Frozen records that the stages exchange.

Shape and dtype of their arrays are checked when a record is made; arrays are read-only.

Frames and units: a pixel coordinate is (x, y) from the image's upper left
corner, x to the right, y down, in pixels of the upright image as it was read.
Colour order is RGB everywhere. Similarities are cosines, -1..1, higher is more
alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mien.errors import Outcome
from mien.records import dataclass, field, replace

FloatArray: TypeAlias = npt.NDArray[np.float32]
ByteArray: TypeAlias = npt.NDArray[np.uint8]

POINT_NAMES = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
"""Order of the five points; left and right are the viewer's."""

UNIT_NORM_TOLERANCE = 1e-4  # float32 rounding over a few hundred dimensions stays far below


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One detected face.

    box_xyxy: (4,) float32, left, top, right, bottom, pixels; may reach past the image.
    points_xy: (5, 2) float32, pixels, in the order of `POINT_NAMES`.
    score: 0..1, higher is more certain.
    """

    box_xyxy: FloatArray
    points_xy: FloatArray = field(repr=False)
    score: float

    def __post_init__(self) -> None:
        _expect_shape("box_xyxy", self.box_xyxy, (4,))
        _expect_shape("points_xy", self.points_xy, (5, 2))
        _freeze_arrays(self, np.float32, "box_xyxy", "points_xy")

    @property
    def width_px(self) -> float:
        return float(self.box_xyxy[2] - self.box_xyxy[0])

    @property
    def height_px(self) -> float:
        return float(self.box_xyxy[3] - self.box_xyxy[1])

    @property
    def eye_distance_px(self) -> float:
        """Distance between the two eye points, pixels."""
        return float(np.linalg.norm(self.points_xy[1] - self.points_xy[0]))

    def scaled(self, factor: int) -> Face:
        """On a picture so many times as wide and high."""
        return Face(self.box_xyxy * factor, self.points_xy * factor, self.score)

    def to_dict(self) -> dict[str, object]:
        """For JSON: plain lists and numbers."""
        return {
            "box_xyxy": [round(float(edge), 2) for edge in self.box_xyxy],
            "points_xy": [[round(float(v), 2) for v in point] for point in self.points_xy],
            "score": round(self.score, 6),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """All faces of one image, as parallel arrays; n may be 0.

    boxes_xyxy: (n, 4) float32 pixels; points_xy: (n, 5, 2) float32 pixels;
    scores: (n,) float32, 0..1.
    """

    boxes_xyxy: FloatArray
    points_xy: FloatArray = field(repr=False)
    scores: FloatArray

    def __post_init__(self) -> None:
        n = len(self.boxes_xyxy)
        _expect_shape("boxes_xyxy", self.boxes_xyxy, (n, 4))
        _expect_shape("points_xy", self.points_xy, (n, 5, 2))
        _expect_shape("scores", self.scores, (n,))
        _freeze_arrays(self, np.float32, "boxes_xyxy", "points_xy", "scores")

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def __getitem__(self, row: int) -> Face:
        return Face(self.boxes_xyxy[row], self.points_xy[row], float(self.scores[row]))

    def __iter__(self) -> Iterator[Face]:
        return (self[row] for row in range(len(self)))

    def take(self, rows: npt.NDArray[np.intp] | list[int]) -> Faces:
        """The faces of these rows, in this order."""
        index = np.asarray(rows)
        if index.size and not np.issubdtype(index.dtype, np.integer):
            raise ValueError(f"rows must be whole numbers, got {index.dtype}; use np.flatnonzero")
        index = index.astype(np.intp)
        return Faces(self.boxes_xyxy[index], self.points_xy[index], self.scores[index])

    @classmethod
    def none(cls) -> Faces:
        """No face at all: (0, 4), (0, 5, 2) and (0,)."""
        return cls(
            np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A face cut out by one recipe. pixels: (side, side, 3) uint8 RGB."""

    pixels: ByteArray = field(repr=False)
    recipe: str

    def __post_init__(self) -> None:
        side = len(self.pixels)
        _expect_shape("pixels", self.pixels, (side, side, 3))
        _freeze_arrays(self, np.uint8, "pixels")


@dataclass(frozen=True, slots=True)
class ModelId:
    """Which embedder made a vector: the row's name and the SHA-256 of its weights file."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """The lowest accepted similarity, and the model that it was fitted for.

    calibration: the name of a calibration of one's own; empty for the shipped one, or for none.
    """

    value: float
    model: str
    provenance: str
    calibration: str = ""

    def __post_init__(self) -> None:
        if not -1.0 < self.value <= 1.0:  # also refuses NaN
            raise ValueError(f"a threshold is a cosine above -1 and at most 1, got {self.value}")

    def moved(self, shift: float) -> Threshold:
        """The threshold plus `shift`, from cohort score normalisation; at most 1."""
        if shift == 0.0:
            return self
        words = f"{self.provenance}; shifted by {shift:+.3f} with cohort score normalisation"
        return replace(self, value=min(1.0, self.value + shift), provenance=words)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A person's template: the unit embeddings of the enrollment photos.

    vectors: (k, d) float32, unit rows, k >= 1. model: the embedder.
    """

    vectors: FloatArray = field(repr=False)
    model: ModelId

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) == 0:
            raise ValueError(f"vectors must be (k, d) with k >= 1, got {self.vectors.shape}")
        _expect_unit_rows("vectors", self.vectors)
        _freeze_arrays(self, np.float32, "vectors")


@dataclass(frozen=True, slots=True)
class LivenessEvidence:
    """What was checked for a living person, and how it came out.

    tier: "casual" for the passive check, which stops most phones and not a good print;
    "print-proof" for a challenge that was passed. challenge: "passed", "denied", or "" where none
    was asked. score: mean over the frames, higher is more alive; NaN where it could not be had.
    threshold: the least score that is not refused. frames: how many were scored. motion: how the
    rules on motion came out, "passed", "frozen", "rigid" or "not_measured"; "" where the look was
    shorter than they need. refused_by: the class of the reason, for the log: "passive", "repeated",
    a rule on motion, or what a challenge was denied for; "" where nothing refused.
    """

    tier: str
    score: float
    threshold: float
    frames: int
    challenge: str = ""
    motion: str = ""
    refused_by: str = ""

    def to_dict(self) -> dict[str, object]:
        """For JSON. score: None where it is no number. The words only where there are any."""
        data: dict[str, object] = {
            "tier": self.tier,
            "score": round(self.score, 4) if self.score == self.score else None,
            "threshold": self.threshold,
            "frames": self.frames,
        }
        checked = {
            "challenge": self.challenge,
            "motion": self.motion,
            "refused_by": self.refused_by,
        }
        return data | {name: result for name, result in checked.items() if result}


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The decision on a face. True only if the face was accepted.

    Unpacks like the article's pair: `is_me, similarity = decision`.
    similarity: cosine -1..1, NaN if there is no face to compare.
    outcome: what every surface reports; only `Outcome.UNLOCKED` accepts.
    odds: in words, how often a stranger scores as high; empty without a calibration.
    faults: what puts the photo outside the quality that the odds hold for, in words for its
    owner; empty for a good photo.
    liveness: None where nothing was checked for a living person.
    user: whom an identification accepted; empty where one name was asked about, and for no match.
    """

    similarity: float
    threshold: Threshold
    reason: str
    outcome: Outcome
    face: Face | None = None
    odds: str = ""
    faults: tuple[str, ...] = ()
    liveness: LivenessEvidence | None = None
    user: str = ""

    def __post_init__(self) -> None:
        fits = self.threshold.value <= self.similarity <= 1.0 + UNIT_NORM_TOLERANCE  # not for NaN
        if self.outcome is Outcome.UNLOCKED and not fits:
            raise ValueError(f"unlocked at {self.similarity}, threshold {self.threshold.value}")
        if self.user and self.outcome is not Outcome.UNLOCKED:
            raise ValueError("a decision that accepts nobody names nobody")

    @property
    def accepted(self) -> bool:
        return self.outcome is Outcome.UNLOCKED

    def __bool__(self) -> bool:
        return self.accepted

    def to_dict(self) -> dict[str, object]:
        """For JSON, without embedding. similarity: None where there was no face to compare."""
        number, face = self.similarity, self.face
        return {
            "outcome": self.outcome.value,
            "exit_code": int(self.outcome.exit_code),
            "similarity": round(number, 6) if number == number else None,  # JSON has no NaN
            "threshold": round(self.threshold.value, 6),
            "model": self.threshold.model,
            "calibration": self.threshold.calibration or None,
            "reason": self.reason,
            "odds": self.odds or None,
            "faults": list(self.faults),
            "face": None if face is None else face.to_dict(),
        }

    def __iter__(self) -> Iterator[bool | float]:
        yield self.accepted
        yield self.similarity


def _expect_shape(name: str, array: npt.NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")


def _freeze_arrays(record: object, dtype: type[np.generic], *names: str) -> None:
    """Check the dtype of the record's arrays, and replace a writable one by a read-only copy."""
    for name in names:
        array = getattr(record, name)
        if array.dtype != dtype:
            raise ValueError(f"{name} must be {np.dtype(dtype)}, got {array.dtype}")
        if array.flags.writeable:
            copy = array.copy(order="K")
            copy.flags.writeable = False
            object.__setattr__(record, name, copy)


def _expect_unit_rows(name: str, rows: FloatArray) -> None:
    # no entry of a unit row is above 1; a huge one would overflow in the norm
    within = np.all(np.abs(rows) <= 1.0 + UNIT_NORM_TOLERANCE)  # also refuses NaN
    if not within or np.any(np.abs(np.linalg.norm(rows, axis=1) - 1.0) > UNIT_NORM_TOLERANCE):
        raise ValueError(f"{name} must have length one")
