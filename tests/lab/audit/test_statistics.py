"""The figures of an audit, from similarities that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lab.audit.statistics import (
    PERCENTILES,
    Scored,
    Share,
    compare_vectors,
    d_prime,
    make_references,
    measure_change,
    measure_flip_gain,
    measure_separation,
    measure_spread,
    pair_cosines,
)
from mien.matching.score import reaches
from mien.results import FloatArray, Threshold

NAN = float("nan")


def floats(*rows: object) -> FloatArray:
    return np.array(rows, np.float32)


def test_a_share_of_no_trials_is_none() -> None:
    assert Share(0, 0).value is None
    assert Share(3, 4).value == 0.75


class Rule:
    """A threshold for each number of photos, and a shift that is a vector's last entry."""

    def __init__(self, threshold: float, *, per_photo: float = 0.0, shift: float = 0.0) -> None:
        self._threshold, self._per_photo, self._shift = threshold, per_photo, shift

    def threshold_for(self, *, photos: int) -> Threshold:
        value = self._threshold + self._per_photo * (photos - 1)
        return Threshold(value, "by hand", "this test")

    def shifts(self, vectors: FloatArray) -> FloatArray:
        return (vectors[:, -1] * self._shift).astype(np.float32)


def scored(*similarities: float) -> Scored:
    values = floats(*similarities)
    return Scored(values, reaches(Rule(0.5).threshold_for(photos=1), values, np.zeros(len(values))))


def test_reaching_the_threshold_exactly_is_accepted() -> None:
    figures = measure_change(
        floats(0.9, 0.8),
        scored(0.5, 0.25),
        scored(0.25, 0.5, 0.75),
        itself=np.zeros(2, bool),
    )
    assert figures.genuine == Share(1, 2)
    assert figures.impostor == Share(2, 3)


def test_a_face_that_is_not_found_counts_as_refused() -> None:
    figures = measure_change(
        floats(0.9, NAN, 0.7, NAN),
        scored(0.9, NAN, 0.7, NAN),
        scored(0.9, NAN, 0.1, NAN),
        itself=np.zeros(4, bool),
    )
    assert figures.found == Share(2, 4)
    assert figures.genuine == Share(2, 4)
    assert figures.impostor == Share(1, 4)
    assert figures.similarity.n == 2
    assert figures.similarity.mean == pytest.approx(0.8)


def test_photos_compared_with_themselves_are_counted_separately() -> None:
    figures = measure_change(
        floats(0.9, 0.9, 0.9),
        scored(0.9, 0.1, 0.9),
        scored(),
        itself=np.array([True, False, False]),
    )
    assert figures.genuine == Share(1, 2)
    assert figures.genuine_itself == Share(1, 1)
    assert figures.impostor == Share(0, 0)


def test_a_spread_has_mean_lowest_and_percentiles_of_the_known_values() -> None:
    spread = measure_spread(floats(0.0, 0.25, NAN, 0.5, 0.75, 1.0))
    assert (spread.n, spread.mean, spread.lowest) == (5, 0.5, 0.0)
    assert PERCENTILES == (5, 25, 50, 75, 95)
    assert spread.percentiles == pytest.approx((0.05, 0.25, 0.5, 0.75, 0.95))
    nothing = measure_spread(floats(NAN, NAN))
    assert (nothing.n, nothing.mean, nothing.lowest) == (0, None, None)
    assert nothing.percentiles == (None,) * 5


def test_d_prime_is_the_difference_of_means_over_the_standard_deviation() -> None:
    # variances 0.02 and 0.08 (n - 1), means 0.7 and 0.2
    found = d_prime(floats(0.6, 0.8), floats(0.0, 0.4))
    assert found == pytest.approx(0.5 / np.sqrt(0.05))
    assert d_prime(floats(0.6), floats(0.0, 0.4)) is None
    assert d_prime(floats(0.5, 0.5), floats(0.25, 0.25)) is None


def test_without_strangers_d_prime_is_not_given() -> None:
    side = measure_separation(scored(0.75, 0.25), scored())
    assert (side.genuine_mean, side.impostor_mean, side.d_prime) == (0.5, None, None)
    assert (side.genuine, side.impostor) == (Share(1, 2), Share(0, 0))


# what is compared with what ----------------------------------------------------------------

ANA, ANA_TOO, ZOE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def test_a_photo_is_compared_with_the_persons_other_photos_not_with_itself() -> None:
    against = make_references(floats(ANA, ANA_TOO, ZOE), ["ana", "ana", "zoe"])
    np.testing.assert_array_equal(against.own[:2], floats(ANA_TOO, ANA))
    assert list(against.itself) == [False, False, True]
    np.testing.assert_array_equal(against.own[2], ZOE)  # her only photo
    half = np.sqrt(0.5)
    np.testing.assert_allclose(against.centres, floats((half, half, 0), ZOE), atol=1e-6)


def test_each_stranger_is_compared_with_every_other_person_once() -> None:
    originals = floats(ANA, ANA_TOO, ZOE)
    against = make_references(originals, ["ana", "ana", "zoe"])
    changed = floats(ZOE, (NAN,) * 3, ANA)
    np.testing.assert_allclose(pair_cosines(changed, originals), [0.0, NAN, 0.0])
    genuine, impostor = compare_vectors(changed, against, Rule(0.5))
    np.testing.assert_allclose(genuine.similarities, [0.0, NAN, 0.0])
    # ana's photos against zoe, zoe's against the centre of ana's
    np.testing.assert_allclose(impostor.similarities, [1.0, NAN, np.sqrt(0.5)], atol=1e-6)
    assert list(genuine.accepted) == [False, False, False]
    assert list(impostor.accepted) == [True, False, True]


def test_the_threshold_is_that_of_the_number_of_photos_compared_with() -> None:
    originals = floats(ANA, ANA, ANA, ZOE)
    against = make_references(originals, ["ana", "ana", "ana", "zoe"])
    assert list(against.own_photos) == [2, 2, 2, 1]
    assert list(against.centre_photos) == [3, 1]
    # 0.6 for one photo, 0.7 for two, 0.8 for three
    rule = Rule(0.6, per_photo=0.1)
    changed = floats((0.75, 0.6, 0.0), (0.65, 0.6, 0.0), (0.0, 0.6, 0.65), (0.75, 0.0, 0.65))
    genuine, impostor = compare_vectors(changed, against, rule)
    assert list(genuine.accepted) == [True, False, False, True]
    assert list(impostor.accepted) == [False, False, True, False]


def test_the_shifts_of_both_faces_move_the_threshold() -> None:
    originals = floats(ANA, ZOE)
    against = make_references(originals, ["ana", "zoe"])
    changed = floats(ANA, (0.0, 0.0, 1.0))
    genuine, _ = compare_vectors(changed, against, Rule(0.5, shift=0.2))
    assert list(genuine.accepted) == [True, True]  # 0.5 and 0.9
    genuine, _ = compare_vectors(changed * np.float32(0.8), against, Rule(0.5, shift=0.2))
    assert list(genuine.accepted) == [True, False]  # 0.8 against 0.5 and 0.86


def test_photos_in_mixed_order_are_grouped_by_person() -> None:
    against = make_references(floats(ANA, ZOE, ANA_TOO), ["ana", "zoe", "ana"])
    np.testing.assert_array_equal(against.own, floats(ANA_TOO, ZOE, ANA))


def test_photos_whose_embeddings_cancel_out_match_nobody() -> None:
    opposite = floats(ANA, (-1.0, 0.0, 0.0), ZOE)
    against = make_references(opposite, ["ana", "ana", "zoe"])
    _, impostor = compare_vectors(opposite, against, Rule(0.5))
    np.testing.assert_array_equal(impostor.similarities, [0.0, 0.0, 0.0])


def test_the_flip_gain_uses_people_with_several_photos_only() -> None:
    plain = floats((1, 0, 0), (0.8, 0.6, 0), (0, 0, 1))
    averaged = floats((1, 0, 0), (1, 0, 0), (0, 0, 1))
    mirrors = floats((1, 0, 0), (NAN,) * 3, (0, 0, 1))
    gain = measure_flip_gain(plain, averaged, mirrors, ["ana", "ana", "zoe"], Rule(0.9))
    assert gain.plain.genuine_mean == pytest.approx(0.8)
    assert gain.averaged.genuine_mean == pytest.approx(1.0)
    assert (gain.plain.genuine, gain.averaged.genuine) == (Share(0, 2), Share(2, 2))
    assert gain.increased == Share(2, 2)
    assert gain.plain.impostor == Share(0, 3)
    assert gain.plain.impostor_mean == pytest.approx(0.0)
    assert (gain.similarity.n, gain.similarity.mean) == (2, 1.0)
