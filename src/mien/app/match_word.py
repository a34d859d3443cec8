"""How well a face matches a template, in one word, for whoever wants no figures.

On 222 people of LFW with four photos each, a photo beside a template of the three others is over
its threshold by 0.18 in 95 % of the cases and by 0.28 in 75 %; beside one photo, by 0.09 and 0.19.
"""

from __future__ import annotations

from mien.app.template_quality import Word

GOOD_FROM = 0.2  # of similarity over the threshold
FAIR_FROM = 0.1


def match_word(over: float) -> Word:
    """Good, fair or poor. over: how far the similarity is over the threshold; NaN is poor."""
    if over >= GOOD_FROM:
        return "good"
    return "fair" if over >= FAIR_FROM else "poor"
