"""ROC, DET and EER: by hand, by property, and against scikit-learn."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import NotEnoughEvidence
from mien.metrics import (
    DetCurve,
    ImpostorTally,
    det,
    eer,
    normal_deviates,
)
from mien.results import FloatArray

# few distinct values, so that ties within and between the two kinds are common
TIED = st.lists(st.integers(-8, 8).map(lambda n: n / 8), min_size=1, max_size=40)
SPREAD = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40)
SOME = TIED | SPREAD


@pytest.fixture(scope="module")
def sklearn() -> ModuleType:
    """scikit-learn's metrics; imported before the clock of a test runs."""
    reason = "needs scikit-learn: pip install scikit-learn"
    module: ModuleType = pytest.importorskip("sklearn.metrics", reason=reason)
    return module


def simulated(seed: int, n_genuine: int, n_impostor: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    genuine = rng.normal(0.6, 0.15, n_genuine).astype(np.float32)
    return genuine, rng.normal(0.0, 0.15, n_impostor).astype(np.float32)


def test_a_curve_lists_its_corners_strictest_first() -> None:
    curve = det([0.4, 0.8], [0.2, 0.3, 0.6])
    assert curve.thresholds.tolist() == [np.inf, 0.8, 0.6, 0.4, 0.2]
    assert curve.fmr.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 1])
    assert curve.fnmr.tolist() == [1, 0.5, 0.5, 0, 0]


@pytest.mark.parametrize(
    ("genuine", "impostor", "rate"),
    [
        ([0.8, 0.9], [0.1, 0.2], 0.0),  # perfect separation
        ([0.1, 0.2], [0.8, 0.9], 1.0),  # the wrong way round
        ([0.5] * 3, [0.5] * 5, 0.5),  # all equal
        ([0.1, 0.5, 0.9], [0.1, 0.5, 0.9], 0.5),  # total overlap
        ([0.4, 0.8], [0.2, 0.6], 0.5),
        ([0.4, 0.7, 0.8, 0.9], [0.1, 0.2, 0.3, 0.5], 0.25),  # equal at a threshold
        ([0.5, 0.9], [0.1, 0.2, 0.5], 0.2),  # by hand: (0, 1/2) to (1/3, 0) meets at 1/5
    ],
)
def test_the_equal_error_rate_by_hand(
    genuine: list[float], impostor: list[float], rate: float
) -> None:
    assert eer(genuine, impostor).rate == pytest.approx(rate)


@pytest.mark.parametrize("call", [det, eer])
def test_a_curve_needs_both_kinds_of_pair(call: type) -> None:
    with pytest.raises(NotEnoughEvidence, match="no genuine"):
        call([], [0.1])
    with pytest.raises(NotEnoughEvidence, match="no impostor"):
        call([0.1], [])


@given(genuine=SOME, impostor=SOME)
def test_each_point_of_a_curve_equals_a_direct_count(
    genuine: list[float], impostor: list[float]
) -> None:
    curve = det(genuine, impostor)
    for threshold, fmr, fnmr in zip(curve.thresholds, curve.fmr, curve.fnmr, strict=True):
        assert fmr == np.mean(np.array(impostor) >= threshold)
        assert fnmr == np.mean(np.array(genuine) < threshold)


@given(genuine=SOME, impostor=SOME)
def test_a_curve_rises_from_zero_to_one_and_never_falls(
    genuine: list[float], impostor: list[float]
) -> None:
    curve = det(genuine, impostor)
    assert (curve.fmr[0], curve.fnmr[0], curve.fmr[-1], curve.fnmr[-1]) == (0, 1, 1, 0)
    assert np.all(np.diff(curve.thresholds) < 0)
    assert np.all(np.diff(curve.fmr) >= 0)
    assert np.all(np.diff(curve.fnmr) <= 0)


@given(genuine=SOME, impostor=SOME)
def test_the_curve_equals_that_of_scikit_learn(
    sklearn: ModuleType, genuine: list[float], impostor: list[float]
) -> None:
    labels = [1] * len(genuine) + [0] * len(impostor)
    fpr, tpr, _ = sklearn.roc_curve(labels, genuine + impostor, drop_intermediate=False)
    curve = det(genuine, impostor, max_points=None)
    tmr = 1 - curve.fnmr
    theirs = set(zip(fpr.round(12), tpr.round(12), strict=True))
    ours = set(zip(curve.fmr.round(12), tmr.round(12), strict=True))
    assert ours <= theirs  # every corner is a point of theirs
    area = float(np.sum(np.diff(curve.fmr) * (tmr[1:] + tmr[:-1]) / 2))
    assert area == pytest.approx(sklearn.auc(fpr, tpr), abs=1e-12)  # and none is missing


@given(genuine=SOME, impostor=SOME)
def test_the_equal_error_rate_equals_that_of_scikit_learns_curve(
    sklearn: ModuleType, genuine: list[float], impostor: list[float]
) -> None:
    labels = [1] * len(genuine) + [0] * len(impostor)
    fpr, tpr, _ = sklearn.roc_curve(labels, genuine + impostor, drop_intermediate=False)
    found = eer(genuine, impostor)
    # along the curve fpr + tpr runs from 0 to 2; fpr = 1 - tpr where it is 1
    assert found.rate == pytest.approx(float(np.interp(1.0, fpr + tpr, fpr)), abs=1e-12)
    assert np.mean(np.array(impostor) >= found.threshold) <= found.rate


@given(genuine=SOME, impostor=SOME)
def test_swapping_the_kinds_and_the_direction_mirrors_the_error(
    genuine: list[float], impostor: list[float]
) -> None:
    mirrored = eer([-s for s in impostor], [-s for s in genuine])
    assert mirrored.rate == pytest.approx(eer(genuine, impostor).rate, abs=1e-12)


@given(genuine=SOME, impostor=SOME)
def test_the_equal_error_rate_does_not_change_when_scores_are_scaled(
    genuine: list[float], impostor: list[float]
) -> None:
    ours, theirs = np.array(genuine) * 8, np.array(impostor) * 8
    assert eer(ours, theirs).rate == eer(genuine, impostor).rate


def test_thinning_keeps_the_ends_and_stays_close_on_every_axis() -> None:
    genuine, impostor = simulated(3, 20_000, 200_000)
    full = det(genuine, impostor, max_points=None)
    thin = det(genuine, impostor, max_points=400)
    assert len(thin.fmr) <= 400 < len(full.fmr)
    assert set(thin.thresholds) <= set(full.thresholds)
    assert (thin.thresholds[0], thin.thresholds[-1]) == (full.thresholds[0], full.thresholds[-1])
    place = np.searchsorted(-thin.thresholds, -full.thresholds)  # the kept one at or after each
    for whole, kept, n in ((full.fmr, thin.fmr, 200_000), (full.fnmr, thin.fnmr, 20_000)):
        for axis in (
            np.asarray,
            lambda rate, n=n: np.log(np.maximum(rate, 0.5 / n)) / np.log(2 * n),
        ):
            after = np.abs(axis(kept)[place] - axis(whole))
            before = np.abs(axis(kept)[np.maximum(place - 1, 0)] - axis(whole))
            assert np.minimum(after, before).max() <= 8 / 400


def test_thinning_loses_no_corner_of_a_staircase_of_long_steps() -> None:
    corners = np.arange(10) / 10
    genuine = np.repeat(corners, 500) + 0.05
    curve = det(genuine, np.repeat(corners, 700), max_points=60)
    full = det(genuine, np.repeat(corners, 700), max_points=None)
    assert curve.thresholds.tolist() == full.thresholds.tolist()


def test_a_curve_needs_four_points() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        det(np.arange(9.0), np.arange(9.0) + 0.5, max_points=3)


def test_a_tally_makes_the_curve_of_its_scores() -> None:
    genuine, impostor = simulated(4, 500, 50_000)
    tally = ImpostorTally(n_tail=2000)
    tally.add(impostor)
    exact, rough = det(genuine, impostor), det(genuine, tally.scores())
    at = [1e-4, 1e-3, 1e-2, 0.1]
    np.testing.assert_allclose(
        np.interp(at, rough.fmr, rough.fnmr), np.interp(at, exact.fmr, exact.fnmr), atol=5e-3
    )
    assert eer(genuine, tally.scores()).rate == pytest.approx(eer(genuine, impostor).rate, abs=1e-3)


def test_deviates_are_those_of_the_normal_distribution() -> None:
    found = normal_deviates([0.0, 0.022750131948179, 0.5, 0.841344746068543, 1.0])
    np.testing.assert_allclose(found, [-np.inf, -2, 0, 1, np.inf], atol=1e-9)
    with pytest.raises(ValueError, match="between 0 and 1"):
        normal_deviates([np.nan])


def test_arrays_of_different_lengths_make_no_curve() -> None:
    two, three = np.zeros(2), np.zeros(3)
    with pytest.raises(ValueError, match="parallel"):
        DetCurve(two, two, three)
    with pytest.raises(ValueError, match="parallel"):
        DetCurve(three, two, two)
