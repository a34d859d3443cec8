"""Thresholds and odds of a calibration, and how far its evidence supports them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelAltered, UsageError
from mien.matching.calibration import (
    TARGET_FMR,
    Calibration,
    OwnerTrials,
    load_calibration,
    pool_owner_trials,
)
from mien.metrics import StrangerOdds
from mien.models import EMBEDDERS, SFACE


def table(*similarities: float, n_independent: int = 100_000) -> StrangerOdds:
    """Of 100,000 strangers all reach the first, a hundredth the second, a hundredth of those..."""
    counts = np.array([100_000, 1_000, 10, 1][: len(similarities)])
    return StrangerOdds(np.array(similarities), counts / 100_000, counts, 100_000, n_independent)


HAND_MADE = Calibration(
    "sface", "hand-made", {1: table(-0.2, 0.2, 0.4, 0.6), 3: table(-0.2, 0.3, 0.5, 0.7)}
)


@pytest.mark.parametrize(
    ("photos", "fmr", "threshold"),
    [
        (1, 1e-2, 0.2),
        (1, 1e-4, 0.4),
        (1, 5e-4, 0.4),
        (3, 1e-4, 0.5),
        (2, 1e-4, 0.5),
        (9, 1e-4, 0.5),
    ],
)
def test_the_threshold_is_the_lowest_with_at_most_the_target_fmr(
    photos: int, fmr: float, threshold: float
) -> None:
    found = HAND_MADE.threshold(fmr, photos=photos)
    assert found.value == threshold
    assert found.model == "sface"
    assert f"FMR {fmr:g} with {photos} enrolled photo" in found.provenance


@pytest.mark.parametrize("fmr", [0.0, -1e-4, 2.9e-5, 1.0, 7.0, float("nan"), float("inf")])
def test_a_target_that_the_evidence_does_not_support_is_refused(fmr: float) -> None:
    with pytest.raises(UsageError, match="does not support FMR"):
        HAND_MADE.threshold(fmr, photos=1)


def test_stated_odds_claim_no_more_than_the_evidence() -> None:
    assert "about once in 10,000" in str(HAND_MADE.read(0.4, photos=1))
    assert "less than once in 33,000" in str(HAND_MADE.read(0.9, photos=1))


def test_stated_odds_are_those_of_the_best_of_several_comparisons() -> None:
    said = str(HAND_MADE.read(0.4, photos=1, among=10))
    assert said == "a stranger would score this high with one of 10 enrolled about once in 1,000"


def a_tenth_of_similarity_a_decade(n_independent: int) -> Calibration:
    similarity = np.array([-0.2, 0.1, 0.2, 0.3, 0.4, 0.5])
    counts = np.array([100_000, 10_000, 1_000, 100, 10, 1])
    odds = StrangerOdds(similarity, counts / 100_000, counts, 100_000, n_independent)
    return Calibration("sface", "hand-made", {1: odds})


@pytest.mark.parametrize(
    ("enrolled", "threshold"), [(1, 0.4), (2, 0.5), (10, 0.5), (100, 0.6), (1_000, 0.7)]
)
def test_the_threshold_rises_with_the_number_of_enrolled_people_even_beyond_the_evidence(
    enrolled: int, threshold: float
) -> None:
    made = a_tenth_of_similarity_a_decade(n_independent=100_000)  # which supports 3e-5
    found = made.threshold_among(enrolled, photos=1)
    assert found.value == pytest.approx(threshold)
    assert ("beyond the evidence" in found.provenance) is (enrolled > 3)


def test_beyond_the_evidence_no_threshold_is_below_the_strictest_supported_one() -> None:
    # scores rise steeply between FMR 0.01 and 0.002: the line through 0.1 and 0.01 stays below
    counts = np.array([10_000, 1_000, 100, 20])
    similarity = np.array([-0.2, 0.1, 0.2, 0.6])
    odds = StrangerOdds(similarity, counts / 10_000, counts, 10_000, n_independent=1_500)
    made = Calibration("sface", "hand-made", {1: odds})
    assert made.threshold(odds.supported_fmr, photos=1).value == 0.6
    assert made.threshold_among(1, photos=1).value == 0.6
    assert made.threshold_among(1_000, photos=1).value == pytest.approx(0.7)


def test_an_extrapolated_threshold_is_at_most_one_and_needs_two_decades_of_data() -> None:
    rich, poor = a_tenth_of_similarity_a_decade(100_000), a_tenth_of_similarity_a_decade(100)
    assert rich.threshold_among(10**12, photos=1).value == 1.0
    assert poor.threshold_among(10**12, photos=1) == poor.threshold(0.03, photos=1)


def test_the_extrapolation_takes_its_slope_from_two_whole_decades() -> None:
    # the row at FMR 0.00105 is none of the two decades, 0.001 and 0.0001
    similarity = np.array([-0.2, 0.1, 0.2, 0.29, 0.3, 0.4, 0.5])
    counts = np.array([100_000, 10_000, 1_000, 105, 100, 10, 1])
    odds = StrangerOdds(similarity, counts / 100_000, counts, 100_000, 100_000)
    made = Calibration("sface", "hand-made", {1: odds})
    assert made.threshold_among(100, photos=1).value == pytest.approx(0.6)


def test_a_threshold_states_where_it_comes_from() -> None:
    made = a_tenth_of_similarity_a_decade(n_independent=100_000)
    one, many = made.threshold_among(1, photos=1), made.threshold_among(2_000, photos=1)
    assert one.provenance == "FMR 0.0001 with 1 enrolled photo, hand-made"
    assert many.provenance == (
        "FMR 3e-05 with 1 enrolled photo, hand-made; for 2,000 enrolled, beyond the evidence"
    )
    two = HAND_MADE.threshold(1e-2, photos=2)
    assert two.provenance == "FMR 0.01 with 2 enrolled photos, hand-made"


def test_a_target_at_the_end_of_the_evidence_is_not_called_beyond_it() -> None:
    made = a_tenth_of_similarity_a_decade(n_independent=30_000)  # which supports 1e-4
    assert made.threshold_among(1, photos=1) == made.threshold(TARGET_FMR, photos=1)
    assert "beyond" not in made.threshold_among(1, photos=1).provenance


def test_a_refused_target_states_which_targets_are_supported() -> None:
    with pytest.raises(UsageError) as caught:
        HAND_MADE.threshold(1e-6, photos=2)
    assert str(caught.value) == (
        "the evidence for sface with 2 enrolled does not support FMR 1e-06; ask for 3.0e-05 to 0.1"
    )


@pytest.mark.parametrize(("name", "bare"), [("sface", 0.02), ("facenet-casia-webface", 0.04)])
def test_a_shipped_table_is_here_with_its_provenance(name: str, bare: float) -> None:
    row = EMBEDDERS[name]
    calibration = load_calibration(row)
    assert calibration is not None
    assert "LFW" in calibration.provenance
    assert sorted(calibration.by_photos) == [1, 2, 3, 5]
    thresholds = [calibration.threshold(TARGET_FMR, photos=k).value for k in (1, 2, 3, 4, 5, 50)]
    assert thresholds == sorted(thresholds)
    # the row's own is for the bare cosine, which takes more to keep strangers out
    assert thresholds[0] < row.threshold.value < thresholds[0] + bare


def test_an_embedder_without_a_calibration_has_no_table() -> None:
    assert load_calibration(EMBEDDERS["facenet-vggface2"]) is None


def test_a_table_for_other_weights_is_refused() -> None:
    other = replace(SFACE, model=replace(SFACE.model, sha256="ab" * 32))
    with pytest.raises(ModelAltered, match="made with other weights"):
        load_calibration(other)


@pytest.mark.parametrize("name", ["sface", "facenet-casia-webface"])
def test_the_table_holds_no_name_and_no_embedding(name: str) -> None:
    import mien.matching.calibration as module

    path = Path(module.__file__).parent / "calibrated" / f"{name}.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert set(stored) == {
        "model",
        "weights_sha256",
        "provenance",
        "failures_to_acquire",
        "seed",
        "cohort",
        "owners",
        "by_photos",
    }
    assert set(stored["cohort"]) == {"file", "sha256", "nearest", "typical", "least"}
    for owners in stored["owners"].values():
        assert set(owners) == {"refused", "tries", "people"}
        assert all(isinstance(count, int) for count in owners.values())
    assert all(len(odds["similarity"]) < 200 for odds in stored["by_photos"].values())


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ((40, 1_000, 300), "expect to be refused about once in 25"),
        ((30, 1_000, 300), "expect to be refused about once in 33"),
        ((29, 1_000, 300), "expect to be refused about once in 34, an order of magnitude"),
        ((1, 1, 1), "expect to be refused about once in 1, an order of magnitude"),
        # photos of one owner are correlated, so 300 owners support at most once in 100
        ((0, 1_000, 300), "expect to be refused less than once in 100"),
        ((0, 1_000, 30), "expect to be refused less than once in 10"),
        ((0, 1_000, 29), "too few owners to say how often you will be refused"),
    ],
)
def test_an_owner_learns_how_often_to_expect_a_refusal(
    trials: tuple[int, int, int], words: str
) -> None:
    refused, tries, people = trials
    counts = f"{refused} of {tries:,} photos of {people} owners were refused"
    assert str(OwnerTrials(refused, tries, people)) == f"{words} (in the calibration {counts})"


def test_more_photos_than_measured_use_the_largest_measured_number() -> None:
    one, three = OwnerTrials(5, 100, 50), OwnerTrials(1, 100, 50)
    made = Calibration("sface", "hand-made", HAND_MADE.by_photos, {1: one, 3: three})
    assert [made.owner_trials(k) for k in (1, 2, 3, 9)] == [one, one, three, three]
    assert HAND_MADE.owner_trials(3) is None


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        # 1 in 45, 163, 310 and 89: the last is chance, and joined with the one before
        (
            [(38, 1725, 746), (6, 979, 359), (2, 620, 222), (3, 269, 91)],
            [(38, 1725, 746), (6, 979, 359), (5, 889, 222), (5, 889, 222)],
        ),
        # none refused, but too few owners to claim as much as before
        ([(1, 100, 50), (0, 60, 40)], [(1, 160, 50), (1, 160, 50)]),
        ([(5, 100, 50), (1, 50, 20), (4, 50, 20)], [(5, 100, 50), (5, 100, 20), (5, 100, 20)]),
        ([(2, 100, 50), (1, 50, 20), (4, 50, 20)], [(7, 200, 50)] * 3),
        ([], []),
    ],
)
def test_an_expectation_never_looks_worse_with_more_photos(
    trials: list[tuple[int, int, int]], expected: list[tuple[int, int, int]]
) -> None:
    pooled = pool_owner_trials([OwnerTrials(*one) for one in trials])
    assert [(one.refused, one.tries, one.people) for one in pooled] == expected
    assert [one.once_in for one in pooled] == sorted(one.once_in for one in pooled)


IMPOSSIBLE_COUNTS = [(-1, 5, 5), (6, 5, 5), (0, 0, 0), (0, 5, 0), (0, 5, 6)]


@pytest.mark.parametrize(("refused", "tries", "people"), IMPOSSIBLE_COUNTS)
def test_invalid_owner_counts_are_refused(refused: int, tries: int, people: int) -> None:
    words = "owners were refused more often than they attempted, or there was no attempt"
    with pytest.raises(ValueError, match=f"^{words}$"):
        OwnerTrials(refused, tries, people)


def test_the_table_of_sface_has_the_measured_refusals_of_owners() -> None:
    calibration = load_calibration(SFACE)
    assert calibration is not None
    assert sorted(calibration.owners) == [1, 2, 3, 5]
    one, three = calibration.owner_trials(1), calibration.owner_trials(3)
    assert one is not None
    assert three is not None
    assert three.refused / three.tries < one.refused / one.tries < 0.05
