"""The figures of an audit, from similarities that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lab.audit.statistics import (
    PERCENTILES,
    Share,
    compared,
    d_prime,
    figures_of,
    gain_of,
    references,
    separation_of,
    spread_of,
)
from mien.results import FloatArray

NAN = float("nan")


def floats(*rows: object) -> FloatArray:
    return np.array(rows, np.float32)


def test_a_share_of_nothing_is_no_number() -> None:
    assert Share(0, 0).value is None
    assert Share(3, 4).value == 0.75


def test_reaching_the_threshold_exactly_is_accepted() -> None:
    figures = figures_of(
        floats(0.9, 0.8),
        floats(0.5, 0.25),
        floats(0.25, 0.5, 0.75),
        itself=np.zeros(2, bool),
        threshold=0.5,
    )
    assert figures.genuine == Share(1, 2)
    assert figures.impostor == Share(2, 3)


def test_a_face_not_found_is_tried_and_refused_never_dropped() -> None:
    figures = figures_of(
        floats(0.9, NAN, 0.7, NAN),
        floats(0.9, NAN, 0.7, NAN),
        floats(0.9, NAN, 0.1, NAN),
        itself=np.zeros(4, bool),
        threshold=0.5,
    )
    assert figures.found == Share(2, 4)
    assert figures.genuine == Share(2, 4)
    assert figures.impostor == Share(1, 4)
    assert figures.alike.n == 2
    assert figures.alike.mean == pytest.approx(0.8)


def test_photos_compared_with_themselves_are_counted_apart() -> None:
    figures = figures_of(
        floats(0.9, 0.9, 0.9),
        floats(0.9, 0.1, 0.9),
        floats(),
        itself=np.array([True, False, False]),
        threshold=0.5,
    )
    assert figures.genuine == Share(1, 2)
    assert figures.genuine_itself == Share(1, 1)
    assert figures.impostor == Share(0, 0)


def test_a_spread_has_mean_least_and_percentiles_of_what_is_known() -> None:
    spread = spread_of(floats(0.0, 0.25, NAN, 0.5, 0.75, 1.0))
    assert (spread.n, spread.mean, spread.least) == (5, 0.5, 0.0)
    assert PERCENTILES == (5, 25, 50, 75, 95)
    assert spread.percentiles == pytest.approx((0.05, 0.25, 0.5, 0.75, 0.95))
    nothing = spread_of(floats(NAN, NAN))
    assert (nothing.n, nothing.mean, nothing.least) == (0, None, None)
    assert nothing.percentiles == (None,) * 5


def test_d_prime_is_the_distance_of_the_means_over_the_deviation() -> None:
    # variances 0.02 and 0.08 (n - 1), means 0.7 and 0.2
    found = d_prime(floats(0.6, 0.8), floats(0.0, 0.4))
    assert found == pytest.approx(0.5 / np.sqrt(0.05))
    assert d_prime(floats(0.6), floats(0.0, 0.4)) is None
    assert d_prime(floats(0.5, 0.5), floats(0.25, 0.25)) is None


def test_a_separation_without_strangers_says_so() -> None:
    side = separation_of(floats(0.75, 0.25), floats(), 0.5)
    assert (side.genuine_mean, side.impostor_mean, side.d_prime) == (0.5, None, None)
    assert (side.genuine, side.impostor) == (Share(1, 2), Share(0, 0))


# what is compared with what ----------------------------------------------------------------

ANA, ANA_TOO, ZOE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def test_a_photo_is_compared_with_the_persons_other_photos_not_with_itself() -> None:
    against = references(floats(ANA, ANA_TOO, ZOE), ["ana", "ana", "zoe"])
    np.testing.assert_array_equal(against.own[:2], floats(ANA_TOO, ANA))
    assert list(against.itself) == [False, False, True]
    np.testing.assert_array_equal(against.own[2], ZOE)  # her only photo
    half = np.sqrt(0.5)
    np.testing.assert_allclose(against.centres, floats((half, half, 0), ZOE), atol=1e-6)


def test_strangers_are_tried_against_every_other_person_once() -> None:
    originals = floats(ANA, ANA_TOO, ZOE)
    against = references(originals, ["ana", "ana", "zoe"])
    changed = floats(ZOE, (NAN,) * 3, ANA)
    alike, genuine, impostor = compared(changed, originals, against)
    np.testing.assert_allclose(alike, [0.0, NAN, 0.0])
    np.testing.assert_allclose(genuine, [0.0, NAN, 0.0])
    # ana's photos against zoe, zoe's against the centre of ana's
    np.testing.assert_allclose(impostor, [1.0, NAN, np.sqrt(0.5)], atol=1e-6)


def test_names_that_come_mixed_are_grouped() -> None:
    against = references(floats(ANA, ZOE, ANA_TOO), ["ana", "zoe", "ana"])
    np.testing.assert_array_equal(against.own, floats(ANA_TOO, ZOE, ANA))


def test_photos_that_agree_on_nothing_are_like_nobody() -> None:
    opposite = floats(ANA, (-1.0, 0.0, 0.0), ZOE)
    against = references(opposite, ["ana", "ana", "zoe"])
    _, _, impostor = compared(opposite, opposite, against)
    np.testing.assert_array_equal(impostor, [0.0, 0.0, 0.0])


def test_the_gain_is_of_the_same_photos_and_only_of_people_with_several() -> None:
    plain = floats((1, 0, 0), (0.8, 0.6, 0), (0, 0, 1))
    averaged = floats((1, 0, 0), (1, 0, 0), (0, 0, 1))
    mirrors = floats((1, 0, 0), (NAN,) * 3, (0, 0, 1))
    gain = gain_of(plain, averaged, mirrors, ["ana", "ana", "zoe"], 0.9)
    assert gain.plain.genuine_mean == pytest.approx(0.8)
    assert gain.averaged.genuine_mean == pytest.approx(1.0)
    assert (gain.plain.genuine, gain.averaged.genuine) == (Share(0, 2), Share(2, 2))
    assert gain.rose == Share(2, 2)
    assert gain.plain.impostor == Share(0, 3)
    assert gain.plain.impostor_mean == pytest.approx(0.0)
    assert (gain.alike.n, gain.alike.mean) == (2, 1.0)
