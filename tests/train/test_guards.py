"""What is refused: weights that are not finite, people of both folders, an FNMR that rises."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import TrainingRefused, UsageError
from mien.train.guards import check_fnmr, check_other_people, check_weights


def test_weights_that_are_not_finite_are_refused() -> None:
    check_weights({"a": np.zeros(3), "n": np.zeros((), np.int64)})
    for value in (np.nan, np.inf):
        with pytest.raises(TrainingRefused, match="the trained weights b are not finite"):
            check_weights({"a": np.zeros(3), "b": np.array([0.0, value])})


def test_a_person_in_both_folders_is_refused() -> None:
    with pytest.raises(UsageError, match="1 people are in both folders, such as 'ann'"):
        check_other_people([("ann", b"1"), ("bob", b"2")], [("ann", b"3"), ("eve", b"4")])


def test_a_photo_in_both_folders_is_refused_under_any_name() -> None:
    with pytest.raises(UsageError, match="1 photos are in both folders"):
        check_other_people([("", b"1")], [("ann", b"1")])
    check_other_people([("", b"1"), ("", b"2")], [("ann", b"3")])


def test_an_fnmr_that_rises_in_more_than_nine_draws_of_ten_is_refused() -> None:
    check_fnmr(0.9, 0.1, 0.11, 1e-3)
    for share in (0.901, 1.0, float("nan")):
        with pytest.raises(TrainingRefused, match=r"refuses 11.00% .* and 10.00% before"):
            check_fnmr(share, 0.1, 0.11, 1e-3)
