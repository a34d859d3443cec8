"""The paired change of the FNMR: by hand, and the interval over the same people."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import NotEnoughEvidence
from mien.metrics import CrossCounts, GenuineTrials, ImpostorTrials, paired_fnmr_change

PEOPLE = 100
RNG = np.random.default_rng
Trials = tuple[GenuineTrials, ImpostorTrials]


def trials(refused: int, people: int = PEOPLE) -> Trials:
    """One genuine pair of each person, the first `refused` of them below every impostor kept."""
    person = np.arange(people)
    scores = np.where(person < refused, 0.1, 0.9)
    counts = CrossCounts(np.full(people, 2))
    # the 99 highest impostor scores: each person against the next; 20 of 19,800 may pass
    a = np.arange(people - 1)
    impostor = ImpostorTrials(np.linspace(0.5, 0.2, people - 1), a, a + 1, counts)
    return GenuineTrials(scores, person), impostor


def test_no_change_is_zero_with_no_interval() -> None:
    change = paired_fnmr_change(trials(3), trials(3), 1e-3, rng=RNG(0))
    assert (change.before, change.after, change.rise, change.share_worse) == (0.03, 0.03, 0.0, 0.0)
    assert (change.interval.low, change.interval.high) == (0.0, 0.0)


def test_ten_more_people_refused_of_a_hundred_is_a_rise_of_a_tenth() -> None:
    change = paired_fnmr_change(trials(0), trials(10), 1e-3, rng=RNG(0))
    assert (change.before, change.after) == (0.0, 0.1)
    assert change.rise == pytest.approx(0.1)
    # a binomial of 100 draws at 0.1 lies within 0.05..0.16 in 95 of 100 cases
    assert change.interval.low == pytest.approx(0.05, abs=0.011)
    assert change.interval.high == pytest.approx(0.16, abs=0.011)
    assert change.share_worse > 0.99


def test_fewer_refused_is_no_worse_in_any_draw() -> None:
    change = paired_fnmr_change(trials(10), trials(0), 1e-3, rng=RNG(0))
    assert change.rise == pytest.approx(-0.1)
    assert change.share_worse == 0.0


def test_both_sides_must_have_the_same_comparisons() -> None:
    with pytest.raises(ValueError, match="same comparisons"):
        paired_fnmr_change(trials(0), trials(0, people=99), 1e-3, rng=RNG(0))


def test_too_few_impostor_comparisons_are_refused() -> None:
    with pytest.raises(NotEnoughEvidence):
        paired_fnmr_change(trials(0), trials(0), 1e-6, rng=RNG(0))
