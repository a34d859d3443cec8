"""Attacks on an enrolled person as at the door: by liveness check and match together.

IAPAR, the impostor attack presentation accept rate of ISO/IEC 30107-3:2023, is the share of attacks
on enrolled people that the whole system accepts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from mien.app.voting import NEEDED
from mien.lab.evaluate.attack_rates import passes_check, rate_over_subjects
from mien.lab.evaluate.attack_scoring import ClipScore
from mien.liveness.passive import FLOOR
from mien.matching.matcher import Matcher
from mien.metrics import ErrorRate
from mien.results import Template

TEMPLATE_FRAMES = 5  # at most, as `mien enroll --camera` takes


def templates_of(scores: Sequence[ClipScore], matcher: Matcher) -> dict[str, Template]:
    """By subject, of frames of the clips of the split "enroll", spread evenly over them."""
    vectors = defaultdict(list)
    for one in scores:
        if one.clip.split == "enroll" and one.vectors is not None:
            vectors[one.clip.subject].append(one.vectors)
    templates = {}
    for subject, of_clips in vectors.items():
        rows = np.concatenate(of_clips)
        chosen = np.linspace(0, len(rows) - 1, min(TEMPLATE_FRAMES, len(rows))).astype(int)
        templates[subject] = Template(rows[chosen], matcher.model)
    return templates


def measure_iapar(
    scores: Sequence[ClipScore], thresholds: Mapping[str, float], matcher: Matcher
) -> ErrorRate | None:
    """Of the attacks of the split "test" on subjects with a template, also those without a face.

    thresholds: passive ones by subject. None without such an attack.
    """
    templates = templates_of(scores, matcher)
    accepted = [
        (
            one.clip.subject,
            passes_check(one, thresholds.get(one.clip.subject, FLOOR), with_motion=True)
            and _matches(one, templates[one.clip.subject], matcher),
        )
        for one in scores
        if one.clip.split == "test" and one.clip.is_attack and one.clip.subject in templates
    ]
    return rate_over_subjects(accepted)


def _matches(one: ClipScore, template: Template, matcher: Matcher) -> bool:
    """Whether enough of the scored frames reach the threshold, as in the vote of an unlock."""
    if one.vectors is None:
        return False
    threshold = matcher.threshold_for(photos=len(template.vectors))
    reached = [matcher.score_template(template, v).reaches(threshold) for v in one.vectors]
    return sum(reached) >= NEEDED
