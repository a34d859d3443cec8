"""Error rates by the quality of the photos: good ones, those with advice, and those refused.

A comparison counts for the worse of its two photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.lab.evaluate.scoring import ComparedPairs
from mien.metrics import CrossCounts, ErrorRate
from mien.metrics.evidence import independent_rate
from mien.metrics.scores import CountArray

BandArray = npt.NDArray[np.int8]

GOOD, ADVISED, REFUSED = range(3)
BANDS = ("good", "with advice", "refused at enrollment")


@dataclass(frozen=True, slots=True)
class BandErrors:
    """The errors at the threshold of an unlock among comparisons of one band.

    photos: of the band. genuine: refused, of the true pairs. impostor: accepted, of the pairs of
    different people. None without such pairs. Intervals are those of independent trials.
    """

    band: str
    photos: int
    genuine: ErrorRate | None
    impostor: ErrorRate | None


def band_of(faults: Sequence[str], advice: Sequence[str]) -> int:
    """The band of a photo: an index of `BANDS`. faults: as of `describe_faults`."""
    return REFUSED if faults else ADVISED if advice else GOOD


def errors_by_band(
    bands: BandArray,
    person: CountArray,
    genuine: ComparedPairs,
    highest: ComparedPairs,
    threshold: float,
) -> tuple[BandErrors, ...]:
    """The errors of each band that has photos.

    bands, person: (n,) of the compared photos. genuine: all true pairs. highest: the impostor
    pairs with the highest scores, all of those that reach the threshold among them. Both
    number the photos from 0 to n - 1.
    """
    genuine_bands = np.maximum(bands[genuine.a], bands[genuine.b])
    is_refused = ~(genuine.scores >= threshold)  # NaN too
    accepted = highest.scores >= threshold
    accepted_bands = np.maximum(bands[highest.a], bands[highest.b])[accepted]
    found = []
    for band, name in enumerate(BANDS):
        photos = int(np.sum(bands == band))
        of_band = genuine_bands == band
        tried = _impostor_pairs(person[bands <= band]) - _impostor_pairs(person[bands < band])
        if photos:
            refused = int(np.sum(is_refused & of_band))
            found.append(
                BandErrors(
                    name,
                    photos,
                    _rate(refused, int(np.sum(of_band))),
                    _rate(int(np.sum(accepted_bands == band)), tried),
                )
            )
    return tuple(found)


def _impostor_pairs(person: CountArray) -> int:
    return CrossCounts(np.bincount(person)).total if len(person) else 0


def _rate(errors: int, trials: int) -> ErrorRate | None:
    return independent_rate(errors, trials) if trials else None
