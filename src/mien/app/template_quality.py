"""How good a template is, in one word, for whoever wants no figures."""

from __future__ import annotations

from typing import Literal

Word = Literal["good", "fair", "poor"]

ENOUGH_PHOTOS = 3  # the advice of every surface is three to five
WIDE_MARGIN = 0.05  # of similarity: 29 of 34 people of LFW with four photos have it, two have none


def quality_word(*, photos: int, margin: float | None, look_alikes: int) -> Word:
    """Good, fair or poor.

    photos: in the template. margin: how far the most similar stranger of the cohort stays below the
    threshold; None without a cohort. look_alikes: enrolled people who may be taken for this one.
    Poor is what may accept somebody else; fair, what more photos would make better.
    """
    if look_alikes or (margin is not None and not margin > 0):  # also for NaN
        return "poor"
    if photos < ENOUGH_PHOTOS or (margin is not None and margin < WIDE_MARGIN):
        return "fair"
    return "good"
