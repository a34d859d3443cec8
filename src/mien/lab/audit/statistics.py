"""From similarities to the figures of an audit. Knows no photo and no model.

A similarity that is NaN belongs to a photo in which no face was found. It counts as
tried and as refused, for the owner and for the stranger alike, and never goes missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mien.lab.labels import rows_by_label
from mien.results import FloatArray
from mien.vectors import centre_of

PERCENTILES = (5, 25, 50, 75, 95)

Flags = npt.NDArray[np.bool_]


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
    """How similarities lie. percentiles: those of `PERCENTILES`. Of none, all are None."""

    n: int
    mean: float | None
    least: float | None
    percentiles: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one change at one strength does.

    found: faces found of photos tried. alike: similarity between the photo and what
    became of it, over the found. genuine: accepted against the centre of the person's
    other photos. genuine_itself: against the photo itself, for people of one photo.
    impostor: accepted against the centres of the other people.
    """

    found: Share
    alike: Spread
    genuine: Share
    genuine_itself: Share
    impostor: Share


@dataclass(frozen=True, slots=True)
class Separation:
    """How well genuine and impostor similarities lie apart, of unchanged photos.

    genuine_mean: over photos whose person has others. d_prime: distance of the two
    means over the root of the mean variance; None of fewer than two on either side.
    """

    genuine_mean: float | None
    impostor_mean: float | None
    d_prime: float | None
    genuine: Share
    impostor: Share


@dataclass(frozen=True, slots=True)
class Gain:
    """Plain embeddings against flip-averaged ones, on the same photos.

    rose: photos whose genuine similarity is higher with averaging. alike: similarity
    between a photo and its mirror image when both are flip-averaged.
    """

    plain: Separation
    averaged: Separation
    rose: Share
    alike: Spread


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """What photos are compared with, of n photos of p people.

    own: (n, d), the centre of the person's other photos, or the photo itself.
    itself: (n,), which of the two. centres: (p, d). person_of: (n,), rows of centres.
    """

    own: FloatArray = field(repr=False)
    itself: Flags = field(repr=False)
    centres: FloatArray = field(repr=False)
    person_of: npt.NDArray[np.intp] = field(repr=False)


def references(originals: FloatArray, people: Sequence[str]) -> References:
    """originals: (n, d) unit rows of unchanged photos. people: the name of each."""
    own = originals.copy()
    itself = np.zeros(len(originals), bool)
    person_of = np.zeros(len(originals), np.intp)
    centres = []
    for person, rows in enumerate(rows_by_label(people).values()):
        person_of[rows] = person
        centres.append(_centre(originals[rows]))
        itself[rows] = len(rows) == 1
        if len(rows) > 1:
            for row in rows:
                own[row] = _centre(originals[[other for other in rows if other != row]])
    return References(own, itself, np.array(centres, np.float32), person_of)


def compared(
    vectors: FloatArray, originals: FloatArray, against: References
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Similarities of (n, d) vectors, rows of NaN where no face was found.

    To their originals (n,), to their own reference (n,), and to the other people's
    centres, (n * (p - 1),).
    """
    alike = _cosines(vectors, originals)
    genuine = _cosines(vectors, against.own)
    to_all = np.clip(vectors @ against.centres.T, -1.0, 1.0)  # (n, p)
    others = np.arange(len(against.centres)) != against.person_of[:, np.newaxis]
    return alike, genuine, to_all[others]


def figures_of(
    alike: FloatArray,
    genuine: FloatArray,
    impostor: FloatArray,
    *,
    itself: Flags,
    threshold: float,
) -> Figures:
    """The figures of similarities as `compared` gives them."""
    return Figures(
        found=Share(int(np.isfinite(alike).sum()), len(alike)),
        alike=spread_of(alike),
        genuine=_share(genuine[~itself], threshold),
        genuine_itself=_share(genuine[itself], threshold),
        impostor=_share(impostor, threshold),
    )


def spread_of(similarities: FloatArray) -> Spread:
    """The spread of those that are numbers."""
    known = similarities[np.isfinite(similarities)].astype(np.float64)
    if not len(known):
        return Spread(0, None, None, (None,) * len(PERCENTILES))
    levels = tuple(float(level) for level in np.percentile(known, PERCENTILES))
    return Spread(len(known), float(known.mean()), float(known.min()), levels)


def separation_of(genuine: FloatArray, impostor: FloatArray, threshold: float) -> Separation:
    """Of finite similarities; either may be empty."""
    return Separation(
        spread_of(genuine).mean,
        spread_of(impostor).mean,
        d_prime(genuine, impostor),
        _share(genuine, threshold),
        _share(impostor, threshold),
    )


def gain_of(
    plain: FloatArray,
    averaged: FloatArray,
    averaged_mirrors: FloatArray,
    people: Sequence[str],
    threshold: float,
) -> Gain:
    """(n, d) unit rows of the same photos, and of their mirror images: NaN where not found."""
    sides = []
    for originals in (plain, averaged):
        against = references(originals, people)
        _, genuine, impostor = compared(originals, originals, against)
        sides.append((genuine[~against.itself], impostor))
    rose = sides[1][0] > sides[0][0]
    return Gain(
        separation_of(*sides[0], threshold),
        separation_of(*sides[1], threshold),
        Share(int(rose.sum()), len(rose)),
        spread_of(_cosines(averaged_mirrors, averaged)),
    )


def d_prime(genuine: FloatArray, impostor: FloatArray) -> float | None:
    """Distance of the means in units of the common deviation; None if it is not defined."""
    if len(genuine) < 2 or len(impostor) < 2:
        return None
    high, low = genuine.astype(np.float64), impostor.astype(np.float64)
    variance = (high.var(ddof=1) + low.var(ddof=1)) / 2
    return float((high.mean() - low.mean()) / np.sqrt(variance)) if variance > 0 else None


def _share(similarities: FloatArray, threshold: float) -> Share:
    # NaN reaches no threshold
    return Share(int((similarities >= threshold).sum()), len(similarities))


def _cosines(a: FloatArray, b: FloatArray) -> FloatArray:
    """Row by row: (n,)."""
    cosines: FloatArray = np.clip((a * b).sum(axis=1), -1.0, 1.0)
    return cosines


def _centre(vectors: FloatArray) -> FloatArray:
    try:
        return centre_of(vectors)
    except ValueError:
        # photos that agree on nothing: every similarity to them is 0, no reason to accept
        return np.zeros_like(vectors[0])
