"""Rates, momentum and batches are functions of the step."""

from __future__ import annotations

import numpy as np
import pytest

from mien.train.schedule import batch_rows, rate_factor, target_momentum


def test_the_rate_rises_for_a_tenth_of_the_steps_then_falls_to_zero() -> None:
    factors = [rate_factor(step, 100) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5)
    assert 0 < factors[99] < 0.001
    assert all(np.diff(factors[10:]) < 0)


def test_the_net_does_not_learn_while_the_heads_learn_first() -> None:
    assert [rate_factor(step, 60, start=50) for step in (0, 49)] == [0.0, 0.0]
    assert rate_factor(50, 60, start=50) == 1.0


def test_the_momentum_goes_from_099_to_1() -> None:
    assert target_momentum(0, 100) == pytest.approx(0.99)
    assert target_momentum(50, 100) == pytest.approx(0.995)
    assert target_momentum(100, 100) == 1.0


def test_an_epoch_takes_each_crop_at_most_once() -> None:
    rows = np.concatenate([batch_rows(step, n=10, batch=3, seed=1) for step in range(3)])
    assert len(set(rows.tolist())) == 9
    again = np.concatenate([batch_rows(step, n=10, batch=3, seed=1) for step in range(3, 6)])
    assert not np.array_equal(rows, again)


def test_a_batch_depends_on_step_and_seed_alone() -> None:
    one = batch_rows(7, n=50, batch=4, seed=2)
    assert np.array_equal(one, batch_rows(7, n=50, batch=4, seed=2))
    assert not np.array_equal(one, batch_rows(7, n=50, batch=4, seed=3))


def test_too_few_crops_for_a_batch_are_an_error() -> None:
    with pytest.raises(ValueError, match="a batch of 8 needs as many crops, there are 7"):
        batch_rows(0, n=7, batch=8, seed=0)
