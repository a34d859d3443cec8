"""A passive threshold of one's own: as alive as a person looked when enrolling, less a margin.

It needs no attack data. Scores of one person differ by up to 4 logits between days: with a margin
of 3, 33 % of attempts on another day were refused, with 4 none of 9. So the margin starts at 4,
and narrows to 3 only when the threshold was passed on three days.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date

from mien.liveness.passive import FLOOR

FIRST_MARGIN = 4.0
NARROW_MARGIN = 3.0
DAYS_TO_NARROW = 3


def personal_threshold(enrollment_scores: Sequence[float], success_days: Iterable[date]) -> float:
    """The least mean score of this person's attempts; never below `FLOOR`.

    enrollment_scores: of the frames that were enrolled; without any, or with one that is no
    number, the threshold is `FLOOR`. success_days: of attempts that this threshold let pass.
    """
    if not enrollment_scores or not all(math.isfinite(score) for score in enrollment_scores):
        return FLOOR
    narrow = len(set(success_days)) >= DAYS_TO_NARROW
    mean = math.fsum(enrollment_scores) / len(enrollment_scores)
    return max(FLOOR, mean - (NARROW_MARGIN if narrow else FIRST_MARGIN))
