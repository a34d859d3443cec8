"""Errors by the quality of the worse photo of each pair, on four people counted by hand."""

import numpy as np
import pytest

from mien.lab.evaluate.quality_bands import (
    ADVISED,
    BANDS,
    GOOD,
    REFUSED,
    BandErrors,
    band_of,
    errors_by_band,
)
from mien.lab.evaluate.scoring import ComparedPairs


def pairs(*rows: tuple[int, int, float]) -> ComparedPairs:
    a, b, scores = zip(*rows, strict=True)
    return ComparedPairs(np.array(scores, np.float32), np.array(a), np.array(b))


# photos 0 and 1 of ana, 2 and 3 of ben, 4 of kim
PERSON = np.array([0, 0, 1, 1, 2])
QUALITY = np.array([GOOD, GOOD, GOOD, REFUSED, ADVISED], np.int8)
GENUINE = pairs((0, 1, 0.7), (2, 3, 0.3))
HIGHEST = pairs((1, 3, 0.6), (0, 2, 0.5), (2, 4, 0.4))


def found(threshold: float) -> dict[str, BandErrors]:
    made = errors_by_band(QUALITY, PERSON, GENUINE, HIGHEST, threshold)
    return {one.band: one for one in made}


def counts(one: BandErrors) -> list[tuple[int, int] | None]:
    return [rate and (rate.errors, rate.trials) for rate in (one.genuine, one.impostor)]


def test_a_pair_counts_for_its_worse_photo() -> None:
    made = found(0.45)
    good, advised, refused = (made[name] for name in BANDS)
    assert [one.photos for one in (good, advised, refused)] == [3, 1, 1]
    assert counts(good) == [(0, 1), (1, 2)]  # ana; 0-2 and 1-2
    assert counts(advised) == [None, (0, 3)]  # kim with the three good photos
    assert counts(refused) == [(1, 1), (1, 3)]  # ben; 3 with ana's two and kim's


@pytest.mark.parametrize(("threshold", "refused"), [(0.3, 0), (0.31, 1), (float("nan"), 1)])
def test_a_true_pair_is_accepted_at_the_threshold_and_refused_below(
    threshold: float, refused: int
) -> None:
    rate = found(np.float32(threshold))[BANDS[REFUSED]].genuine
    assert rate is not None
    assert rate.errors == refused


def test_a_band_without_photos_is_left_out() -> None:
    made = errors_by_band(np.zeros(5, np.int8), PERSON, GENUINE, HIGHEST, 0.45)
    assert [one.band for one in made] == ["good"]
    assert counts(made[0]) == [(1, 2), (2, 8)]


def test_faults_weigh_more_than_advice() -> None:
    assert band_of((), ()) == GOOD
    assert band_of((), ("move closer",)) == ADVISED
    assert band_of(("too noisy",), ("move closer",)) == REFUSED
