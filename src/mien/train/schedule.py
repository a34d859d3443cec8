"""What changes with the step: learning rates, the target's momentum, and the rows of a batch.

Everything is a function of the step and the seed, so a run that is resumed at a step goes on
as the straight run does.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

WARM_UP = 0.1
"""Share of the steps in which a learning rate rises from 0."""
FIRST_MOMENTUM = 0.99
"""Grill et al. start at 0.996 for a million steps; short runs need a faster target."""


def rate_factor(step: int, steps: int, *, start: int = 0) -> float:
    """Share of the full learning rate at a step: a linear rise, then half a cosine to 0.

    start: the first step that learns; 0 before it.
    """
    if step < start:
        return 0.0
    done, total = step - start, max(1, steps - start)
    rise = max(1, round(WARM_UP * total))
    if done < rise:
        return (done + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (done - rise) / max(1, total - rise)))


def target_momentum(step: int, steps: int) -> float:
    """How much of the target stays at a step: from `FIRST_MOMENTUM` along half a cosine to 1."""
    return 1 - (1 - FIRST_MOMENTUM) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))


def batch_rows(step: int, *, n: int, batch: int, seed: int) -> npt.NDArray[np.int64]:
    """Rows (batch,) of n crops for a step: each crop once in an epoch, in an order of chance.

    An epoch's last rows, too few for a batch, are left out. ValueError if n < batch.
    """
    if n < batch:
        raise ValueError(f"a batch of {batch} needs as many crops, there are {n}")
    epoch, at = divmod(step, n // batch)
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return order[at * batch : (at + 1) * batch]
