"""Quantiles of the beta distribution, beside the closed forms and SciPy's values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from mien.metrics.beta import beta_quantile, beta_share


def test_beta_1_1_is_uniform() -> None:
    assert beta_share(0.3, 1, 1) == pytest.approx(0.3)
    assert beta_quantile(0.3, 1, 1) == pytest.approx(0.3)


def test_beta_2_1_has_the_square_root_as_its_quantile() -> None:
    assert beta_quantile(0.25, 2, 1) == pytest.approx(0.5)


def test_everything_lies_between_0_and_1() -> None:
    assert beta_share(0.0, 3, 4) == beta_share(-1.0, 3, 4) == 0.0
    assert beta_share(1.0, 3, 4) == beta_share(2.0, 3, 4) == 1.0


@given(share=st.floats(1e-6, 1 - 1e-6), a=st.integers(1, 10**7), b=st.integers(1, 10**7))
def test_a_quantile_is_that_of_scipy(share: float, a: int, b: int) -> None:
    assert beta_quantile(share, a, b) == pytest.approx(special.betaincinv(a, b, share), rel=1e-7)


@given(x=st.floats(0.001, 0.999), a=st.floats(0.5, 1e4), b=st.floats(0.5, 1e4))
def test_a_share_is_that_of_scipy(x: float, a: float, b: float) -> None:
    assert beta_share(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("bad", [(0.0, 1, 1), (1.0, 1, 1), (0.5, 0, 1), (0.5, 1, -1)])
def test_arguments_out_of_range_are_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="positive counts"):
        beta_quantile(*bad)
