"""The figures of an audit, from embeddings and the rule that accepts scores.

A row of NaN belongs to a photo in which no face was found. It counts as tried and as
refused, for the owner and for strangers alike, and is never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mien.lab.labels import rows_by_label
from mien.matching.score import reaches
from mien.results import FloatArray, Threshold
from mien.vectors import centre_of

PERCENTILES = (5, 25, 50, 75, 95)

Flags = npt.NDArray[np.bool_]
CountArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Share:
    """accepted of tried; tried may be 0."""

    accepted: int
    tried: int

    @property
    def value(self) -> float | None:
        """0..1, or None if nothing was tried."""
        return self.accepted / self.tried if self.tried else None


@dataclass(frozen=True, slots=True)
class Spread:
    """How similarities are distributed. percentiles: `PERCENTILES`. All None for none."""

    n: int
    mean: float | None
    lowest: float | None
    percentiles: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ChangeFigures:
    """What one change at one strength does.

    found: faces found of photos tried. similarity: between the photo and the changed
    photo, over the found. genuine: accepted against the centre of the person's
    other photos. genuine_itself: against the photo itself, for people of one photo.
    impostor: accepted against the centres of the other people.
    """

    found: Share
    similarity: Spread
    genuine: Share
    genuine_itself: Share
    impostor: Share


@dataclass(frozen=True, slots=True)
class Separation:
    """How far apart genuine and impostor similarities of unchanged photos are.

    genuine_mean: over photos whose person has others. d_prime: distance of the two
    means over the root of the mean variance; None of fewer than two on either side.
    """

    genuine_mean: float | None
    impostor_mean: float | None
    d_prime: float | None
    genuine: Share
    impostor: Share


@dataclass(frozen=True, slots=True)
class FlipGain:
    """Plain embeddings against flip-averaged ones, on the same photos.

    increased: photos whose genuine similarity is higher with averaging. similarity:
    between a photo and its mirror image when both are flip-averaged.
    """

    plain: Separation
    averaged: Separation
    increased: Share
    similarity: Spread


class ScoringRule(Protocol):
    """Which scores are accepted, as by `mien.matching.matcher.Matcher`."""

    def threshold_for(self, *, photos: int) -> Threshold:
        """The threshold for a template of so many photos."""
        ...

    def shifts(self, vectors: FloatArray) -> FloatArray:
        """What each of (n, d) unit rows adds to the shift of a score: (n,)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """What n photos of p people are compared with.

    own: (n, d), the centre of the person's other photos, or the photo itself.
    itself: (n,), which of the two. own_photos: (n,), photos behind each row of own.
    centres: (p, d). centre_photos: (p,). person_of: (n,), rows of centres.
    """

    own: FloatArray = field(repr=False)
    itself: Flags = field(repr=False)
    own_photos: CountArray = field(repr=False)
    centres: FloatArray = field(repr=False)
    centre_photos: CountArray = field(repr=False)
    person_of: npt.NDArray[np.intp] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Cosine similarities (m,) float32, NaN where no face was found, and which are accepted."""

    similarities: FloatArray
    accepted: Flags

    def share(self) -> Share:
        """How many are accepted."""
        return Share(int(self.accepted.sum()), len(self.accepted))

    def where(self, rows: Flags) -> Scored:
        """Those of these rows."""
        return Scored(self.similarities[rows], self.accepted[rows])


def make_references(originals: FloatArray, people: Sequence[str]) -> References:
    """originals: (n, d) unit rows of unchanged photos. people: the name of each."""
    own = originals.copy()
    own_photos = np.ones(len(originals), np.int64)
    person_of = np.zeros(len(originals), np.intp)
    groups = list(rows_by_label(people).values())
    for person, rows in enumerate(groups):
        person_of[rows] = person
        if len(rows) > 1:
            own_photos[rows] = len(rows) - 1
            for row in rows:
                own[row] = _centre(originals[[other for other in rows if other != row]])
    centre_photos = np.array([len(rows) for rows in groups])
    centres = np.array([_centre(originals[rows]) for rows in groups], np.float32)
    itself = centre_photos[person_of] == 1
    return References(own, itself, own_photos, centres, centre_photos, person_of)


def compare_vectors(
    vectors: FloatArray, references: References, rule: ScoringRule
) -> tuple[Scored, Scored]:
    """Scores of (n, d) vectors with their own references (n,), and with the other people's
    centres (n * (p - 1),). Rows of NaN where no face was found.
    """
    shifts = _shifts(vectors, rule)
    genuine = _score(
        pair_cosines(vectors, references.own),
        shifts + _shifts(references.own, rule),
        references.own_photos,
        rule,
    )
    photos = np.broadcast_to(references.centre_photos, (len(vectors), len(references.centres)))
    impostor = _score(
        np.clip(vectors @ references.centres.T, -1.0, 1.0),  # (n, p)
        shifts[:, np.newaxis] + _shifts(references.centres, rule),
        photos,
        rule,
    )
    others = np.arange(len(references.centres)) != references.person_of[:, np.newaxis]
    return genuine, impostor.where(others)


def measure_change(
    similarities: FloatArray, genuine: Scored, impostor: Scored, *, itself: Flags
) -> ChangeFigures:
    """similarities: (n,) of each photo and its change. genuine, impostor: the change's scores.

    itself: (n,) which photos were compared with themselves.
    """
    return ChangeFigures(
        found=Share(int(np.isfinite(similarities).sum()), len(similarities)),
        similarity=measure_spread(similarities),
        genuine=genuine.where(~itself).share(),
        genuine_itself=genuine.where(itself).share(),
        impostor=impostor.share(),
    )


def measure_spread(similarities: FloatArray) -> Spread:
    """The spread of those that are numbers."""
    known = similarities[np.isfinite(similarities)].astype(np.float64)
    if not len(known):
        return Spread(0, None, None, (None,) * len(PERCENTILES))
    levels = tuple(float(level) for level in np.percentile(known, PERCENTILES))
    return Spread(len(known), float(known.mean()), float(known.min()), levels)


def measure_separation(genuine: Scored, impostor: Scored) -> Separation:
    """Of finite similarities; either may be empty."""
    return Separation(
        measure_spread(genuine.similarities).mean,
        measure_spread(impostor.similarities).mean,
        d_prime(genuine.similarities, impostor.similarities),
        genuine.share(),
        impostor.share(),
    )


def measure_flip_gain(
    plain: FloatArray,
    averaged: FloatArray,
    averaged_mirrors: FloatArray,
    people: Sequence[str],
    rule: ScoringRule,
) -> FlipGain:
    """(n, d) unit rows of the same photos, and of their mirror images: NaN where not found."""
    sides = []
    for originals in (plain, averaged):
        references = make_references(originals, people)
        genuine, impostor = compare_vectors(originals, references, rule)
        sides.append((genuine.where(~references.itself), impostor))
    increased = sides[1][0].similarities > sides[0][0].similarities
    return FlipGain(
        measure_separation(*sides[0]),
        measure_separation(*sides[1]),
        Share(int(increased.sum()), len(increased)),
        measure_spread(pair_cosines(averaged_mirrors, averaged)),
    )


def d_prime(genuine: FloatArray, impostor: FloatArray) -> float | None:
    """Distance of the means in units of the common deviation; None if it is not defined."""
    if len(genuine) < 2 or len(impostor) < 2:
        return None
    high, low = genuine.astype(np.float64), impostor.astype(np.float64)
    variance = (high.var(ddof=1) + low.var(ddof=1)) / 2
    return float((high.mean() - low.mean()) / np.sqrt(variance)) if variance > 0 else None


def pair_cosines(a: FloatArray, b: FloatArray) -> FloatArray:
    """Cosines of rows of the same number, (n, d) unit rows each: (n,). NaN stays NaN."""
    cosines: FloatArray = np.clip((a * b).sum(axis=1), -1.0, 1.0)
    return cosines


def _score(
    cosines: FloatArray, shifts: FloatArray, photos: CountArray, rule: ScoringRule
) -> Scored:
    """photos: how many are behind each reference; the threshold depends on it."""
    accepted = np.zeros(cosines.shape, np.bool_)
    for count in map(int, np.unique(photos)):
        rows = photos == count
        accepted[rows] = reaches(rule.threshold_for(photos=count), cosines[rows], shifts[rows])
    return Scored(cosines, accepted)


def _shifts(vectors: FloatArray, rule: ScoringRule) -> FloatArray:
    """(n,) shifts; 0 where no face was found, which is refused whatever the shift."""
    found = np.isfinite(vectors).all(axis=1)
    shifts = np.zeros(len(vectors), np.float32)
    shifts[found] = rule.shifts(vectors[found])
    return shifts


def _centre(vectors: FloatArray) -> FloatArray:
    try:
        return centre_of(vectors)
    except ValueError:
        # photos that agree on nothing: every similarity to them is 0, no reason to accept
        return np.zeros_like(vectors[0])
