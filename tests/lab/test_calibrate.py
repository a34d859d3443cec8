"""The calibration run: who is compared with whom, and what it is allowed to claim."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.lab.calibrate import (
    MIN_COHORT,
    MIN_PEOPLE,
    calibrate_embeddings,
    draw_cohort,
    nearness_of,
    odds_of_centres,
    owners_refused,
    scores_at_door,
    write_calibration,
)
from mien.matching.calibration import load_calibration
from mien.matching.cohort import Cohort
from mien.models.added import CustomEmbedder, custom_row
from mien.results import ModelId

PEOPLE = np.array([0, 0, 1, 1, 2])
VECTORS = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0.6, 0.8, 0]], np.float32)


def test_everybody_with_enough_photos_is_compared_with_all_other_photos() -> None:
    alone = odds_of_centres(VECTORS, PEOPLE, 1, np.random.default_rng(0))
    assert alone.n_impostor == 3 + 3 + 4
    assert alone.n_independent == 3  # pairs of three people
    pairs = odds_of_centres(VECTORS, PEOPLE, 2, np.random.default_rng(0))
    assert pairs.n_impostor == 3 + 3
    assert pairs.n_independent == 3  # 0 with 1, 0 with 2, 1 with 2


def test_impostor_scores_compare_strangers_with_centres() -> None:
    odds = odds_of_centres(VECTORS, PEOPLE, 2, np.random.default_rng(0))
    # person 2 against 0 and 1: 0.6 and 0.8; persons 0 and 1 against each other: 0
    assert odds.similarity[-1] == pytest.approx(0.8, abs=1e-6)
    assert odds.counts[0] == 6


def test_people_with_another_photo_give_a_genuine_score() -> None:
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


def test_the_cohort_has_people_with_one_photo_who_are_not_evaluated() -> None:
    rng = np.random.default_rng(1)
    person = np.array([0, 0, *range(1, 67), 67, 67])
    vectors = unit(rng, len(person))
    cohort, rest = draw_cohort(vectors, person, 100, rng)
    assert cohort is not None
    left_out = np.flatnonzero(~rest)
    assert len(left_out) == len(cohort.vectors) == 33  # half of those with one photo
    assert set(person[left_out]) <= set(range(1, 67))
    # in an order of chance: nobody can tell from it who was who
    order = np.argmax(cohort.vectors @ vectors[left_out].T, axis=1)
    np.testing.assert_allclose(cohort.vectors, vectors[left_out[order]], atol=1e-3)
    near = cohort.nearness(vectors[rest])
    assert cohort.typical == pytest.approx(near.mean(), abs=0.02)
    assert cohort.least <= near.min() + 1e-6


def test_calibrated_scores_are_cosines_minus_the_shifts_of_both_faces() -> None:
    rng = np.random.default_rng(2)
    cohort = Cohort(unit(rng, 20), nearest=5, typical=0.3, least=-1.0)
    centre, probes = unit(rng, 1)[0], unit(rng, 3)
    expected = [centre @ probe - cohort.shift(centre, probe) for probe in probes]
    given = scores_at_door(centre, probes, nearness_of(probes, cohort), cohort)
    np.testing.assert_allclose(given, expected, atol=1e-6)
    given = scores_at_door(centre, probes, nearness_of(probes, None), None)
    np.testing.assert_allclose(given, probes @ centre)


def test_with_few_people_there_is_no_cohort_and_everybody_is_evaluated() -> None:
    rng = np.random.default_rng(3)
    cohort, rest = draw_cohort(unit(rng, 2 * MIN_COHORT - 2), np.arange(2 * MIN_COHORT - 2), 9, rng)
    assert cohort is None
    assert rest.all()


MODEL = ModelId("own", "0" * 64)


def people_of(rng: np.random.Generator, n: int, photos: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n * photos, 8) of n people near a direction of their own, and who each is."""
    noise = rng.standard_normal((n * photos, 8)).astype(np.float32)
    vectors = np.repeat(unit(rng, n), photos, axis=0) + np.float32(0.05) * noise
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.repeat(np.arange(n), photos)


def test_a_written_calibration_is_loaded_unchanged(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    several, who = people_of(rng, 40, 3)
    single, alone = people_of(rng, 90, 1)
    vectors, person = np.concatenate([several, single]), np.concatenate([who, alone + 40])
    table, packed = calibrate_embeddings(vectors, person, MODEL, "made-up people")
    path = write_calibration(tmp_path, table, packed)
    assert path == tmp_path / "own.json"
    row = custom_row("own", MODEL.sha256, CustomEmbedder("margin160", 8, "MIT"), tmp_path)
    loaded = load_calibration(replace(row, calibration_dir=tmp_path))
    assert loaded is not None
    assert loaded.cohort is not None
    assert len(loaded.cohort.vectors) == 45
    assert set(loaded.by_photos) == {1, 2, 3}
    assert set(loaded.owners) == {1, 2}
    assert loaded.provenance == "165 photos of 85 people of made-up people"
    assert "name" not in path.read_text()


def test_a_household_is_refused() -> None:
    vectors, person = people_of(np.random.default_rng(5), MIN_PEOPLE - 1, 2)
    with pytest.raises(UsageError, match="at least 30 people, here are 29"):
        calibrate_embeddings(vectors, person, MODEL, "a household")
