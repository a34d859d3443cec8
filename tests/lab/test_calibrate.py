"""The calibration run: who is compared with whom, and what it is allowed to claim."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lab.calibrate import draw_cohort, odds_of_centres, owners_refused, scores_at_door
from mien.matching.cohort import Cohort

PEOPLE = np.array([0, 0, 1, 1, 2])
VECTORS = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0.6, 0.8, 0]], np.float32)


def test_everybody_with_enough_photos_meets_everybody_elses_photos() -> None:
    alone = odds_of_centres(VECTORS, PEOPLE, 1, np.random.default_rng(0))
    assert alone.n_impostor == 3 + 3 + 4
    assert alone.n_independent == 3  # pairs of three people
    pairs = odds_of_centres(VECTORS, PEOPLE, 2, np.random.default_rng(0))
    assert pairs.n_impostor == 3 + 3
    assert pairs.n_independent == 3  # 0 with 1, 0 with 2, 1 with 2


def test_the_scores_are_those_of_strangers_against_centres() -> None:
    odds = odds_of_centres(VECTORS, PEOPLE, 2, np.random.default_rng(0))
    # person 2 against 0 and 1: 0.6 and 0.8; persons 0 and 1 against each other: 0
    assert odds.similarity[-1] == pytest.approx(0.8, abs=1e-6)
    assert odds.counts[0] == 6


def test_owners_with_a_photo_to_spare_try_their_own_door() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0.6, 0.8]], np.float32)
    person = np.array([0, 0, 1, 2, 2])
    # person 0 repeats a photo, person 2 reaches 0.6, person 1 has no second photo
    found = owners_refused(vectors, person, 1, 0.7, np.random.default_rng(0))
    assert found == {"refused": 1, "tries": 2, "people": 2}
    found = owners_refused(vectors, person, 1, 0.5, np.random.default_rng(0))
    assert found == {"refused": 0, "tries": 2, "people": 2}


def unit(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.standard_normal((n, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_cohort_is_of_people_with_one_photo_who_take_no_further_part() -> None:
    rng = np.random.default_rng(1)
    person = np.array([0, 0, 1, 2, 3, 4, 4, 5])
    vectors = unit(rng, len(person))
    cohort, rest = draw_cohort(vectors, person, 100, rng)
    left_out = np.flatnonzero(~rest)
    assert len(left_out) == len(cohort.vectors) == 2  # half of persons 1, 2, 3 and 5
    assert set(person[left_out]) <= {1, 2, 3, 5}
    # in an order of chance: nobody can tell from it who was who
    order = np.argmax(cohort.vectors @ vectors[left_out].T, axis=1)
    np.testing.assert_allclose(cohort.vectors, vectors[left_out[order]], atol=1e-3)
    near = cohort.nearness(vectors[rest])
    assert cohort.typical == pytest.approx(near.mean(), abs=0.02)
    assert cohort.least <= near.min() + 1e-6


def test_scores_at_the_door_are_cosines_less_the_shift_of_each_two_faces() -> None:
    rng = np.random.default_rng(2)
    cohort = Cohort(unit(rng, 20), nearest=5, typical=0.3, least=-1.0)
    centre, probes = unit(rng, 1)[0], unit(rng, 3)
    expected = [centre @ probe - cohort.shift(centre, probe) for probe in probes]
    np.testing.assert_allclose(scores_at_door(centre, probes, cohort), expected, atol=1e-6)
    np.testing.assert_allclose(scores_at_door(centre, probes, None), probes @ centre)
