"""What stops a training, or keeps what it made from being used.

A net can get worse in ways that its loss does not show: the loss of BYOL is lowest when every
projection is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import TrainingRefused, UsageError, quote

LEAST_SPREAD = 0.1
"""Of the projections: about 1 for even ones, 0 for equal ones (`mien.train.byol.spread_of`)."""
SPREAD_FROM_STEP = 50
MAX_SHARE_WORSE = 0.9
"""Refused if the FNMR rises in more than this share of the draws of people."""


def check_step(step: int, loss: float, spread: float) -> None:
    """TrainingRefused if a number is not finite, or if the projections have collapsed."""
    if not (math.isfinite(loss) and math.isfinite(spread)):
        raise TrainingRefused(
            f"training stopped at step {step}: the loss is not a number; try a lower --lr"
        )
    if step >= SPREAD_FROM_STEP and spread < LEAST_SPREAD:
        raise TrainingRefused(
            f"training stopped at step {step}: the projections have collapsed, their spread is "
            f"{spread:.3f} and must be {LEAST_SPREAD:g} or more; try a lower --lr"
        )


def check_weights(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """TrainingRefused if a weight is not finite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise TrainingRefused(f"the trained weights {name} are not finite; try a lower --lr")


def check_other_people(
    trained: Iterable[tuple[str, bytes | None]], evaluated: Iterable[tuple[str, bytes | None]]
) -> None:
    """UsageError if a person or a photo is in both sets.

    Each photo as (name of its person, SHA-256 of its file or None).
    """
    trained, evaluated = list(trained), list(evaluated)
    names = {name for name, _ in trained} & {name for name, _ in evaluated}
    if names:
        raise UsageError(
            f"{len(names)} people are in both folders, such as {quote(min(names))}; give --eval "
            "a folder of other people"
        )
    photos = {sha for _, sha in trained if sha} & {sha for _, sha in evaluated if sha}
    if photos:
        raise UsageError(
            f"{len(photos)} photos are in both folders; give --eval a folder of other people"
        )


def check_fnmr(share_worse: float, before: float, after: float, fmr: float) -> None:
    """TrainingRefused if the FNMR has risen. share_worse: of the draws of people, 0..1."""
    if math.isnan(share_worse) or share_worse > MAX_SHARE_WORSE:
        raise TrainingRefused(
            f"the trained net was not kept: at FMR {fmr:g} it refuses {after:.2%} of the true "
            f"pairs, and {before:.2%} before training; more in {share_worse:.0%} of the draws of "
            "people; try a lower --lr or fewer --steps"
        )
