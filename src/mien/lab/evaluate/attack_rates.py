"""Error rates of a liveness check, in the terms of ISO/IEC 30107-3, with what the data cannot say.

APCER: share of attacks of one species that are taken for a living person; the figure of a system
is that of its worst species. BPCER: share of living people who are refused. APNRR and BPNRR: the
share of attacks and of living people in whose clips no face was found; such clips are not counted
in the other two. Intervals of a species are exact (Clopper and Pearson) and take clips as
independent; those over all clips resample the subjects, because clips of one person are not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mien.errors import NotEnoughEvidence
from mien.lab.evaluate.attack_manifest import Clip
from mien.lab.evaluate.attack_scoring import ClipScore
from mien.liveness.personal import personal_threshold
from mien.metrics import ErrorRate, independent_rate
from mien.metrics.bootstrap import PersonCounts, draw_people, widen_interval

MIN_CLIPS = 30  # of a species, to state a rate for it
BPCERS = (0.05, 0.10)  # at which APCER is stated
ROUNDS, SEED, LEVEL = 2000, 0, 0.95  # of the bootstrap over subjects


@dataclass(frozen=True, slots=True)
class AttackRates:
    """Rates of one way to decide, on the test split.

    apcer: by species, of those with `MIN_CLIPS` and more. refused: species with fewer, and how
    many they have. worst: the species with the highest APCER, None if a species was refused
    or there is none. bpcer: None without a clip of a living person. overall: of all attacks
    together, None without any. best_of_three: of three attempts of one person with one kind of
    attack, the share of which at least one passes; None without three.
    """

    name: str
    apcer: Mapping[str, ErrorRate]
    refused: Mapping[str, int]
    worst: str | None
    bpcer: ErrorRate | None
    overall: ErrorRate | None = None
    best_of_three: ErrorRate | None = None


def personal_thresholds(scores: Sequence[ClipScore]) -> dict[str, float]:
    """By subject, from the clips of the split "enroll"; subjects without any are left out."""
    enrolled: dict[str, list[float]] = defaultdict(list)
    for one in scores:
        if one.clip.split == "enroll" and one.is_response:
            enrolled[one.clip.subject].append(one.score)
    return {subject: personal_threshold(own, ()) for subject, own in enrolled.items()}


def measure_attacks(
    name: str, scores: Sequence[ClipScore], thresholds: Mapping[str, float], default: float,
    *, with_motion: bool,
) -> AttackRates:  # fmt: skip
    """Rates on the test split. thresholds: by subject; default: of subjects without one."""
    verdicts = []
    for one in scores:
        if one.clip.split == "test" and one.is_response:
            threshold = thresholds.get(one.clip.subject, default)
            verdicts.append((one.clip, passes_check(one, threshold, with_motion=with_motion)))
    attacks = [(clip, is_live) for clip, is_live in verdicts if clip.is_attack]
    passed: dict[str, list[bool]] = defaultdict(list)
    for clip, is_live in verdicts:
        passed[clip.species].append(is_live)
    living = passed.pop("", [])
    enough = {name: got for name, got in sorted(passed.items()) if len(got) >= MIN_CLIPS}
    apcer = {name: independent_rate(sum(got), len(got)) for name, got in enough.items()}
    refused = {name: len(got) for name, got in sorted(passed.items()) if name not in enough}
    worst = None
    if apcer and not refused:
        worst = max(apcer, key=lambda species: apcer[species].errors / apcer[species].trials)
    return AttackRates(
        name,
        apcer,
        refused,
        worst,
        independent_rate(living.count(False), len(living)) if living else None,
        rate_over_subjects([(clip.subject, is_live) for clip, is_live in attacks]),
        rate_over_subjects(_in_threes(attacks)),
    )


def passes_check(one: ClipScore, threshold: float, *, with_motion: bool) -> bool:
    """Whether the clip is taken for a living person; never one without a face."""
    return one.score >= threshold and not (with_motion and one.motion is not None)


def _in_threes(verdicts: Sequence[tuple[Clip, bool]]) -> list[tuple[str, bool]]:
    """(subject, whether one of three attempts in the order of the manifest passes)."""
    attempts: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for clip, passes in verdicts:
        attempts[clip.subject, clip.species].append(passes)
    return [
        (subject, any(tries[at : at + 3]))
        for (subject, _), tries in attempts.items()
        for at in range(0, len(tries) - 2, 3)
    ]


def rate_over_subjects(passed: Sequence[tuple[str, bool]]) -> ErrorRate | None:
    """The share that passes, with an interval that resamples subjects where there are two."""
    if not passed:
        return None
    errors = sum(passes for _, passes in passed)
    subjects = sorted({subject for subject, _ in passed})
    number = {subject: at for at, subject in enumerate(subjects)}
    if len(subjects) < 2:
        return independent_rate(errors, len(passed))
    of = [number[subject] for subject, _ in passed]
    wrong = [at for at, (_, passes) in zip(of, passed, strict=True) if passes]
    trials = PersonCounts.of(of, len(subjects))
    draws = draw_people(len(subjects), ROUNDS, np.random.default_rng(SEED))
    rounds = PersonCounts.of(wrong, len(subjects)).weigh(draws) / trials.weigh(draws)
    return widen_interval(rounds, errors, trials, level=LEVEL)


def threshold_at_bpcer(scores: Sequence[ClipScore], bpcer: float) -> float:
    """The highest threshold that refuses at most this share of the devel split's living people.

    Never from the test split. Raises NotEnoughEvidence with fewer clips than the share needs.
    """
    living = sorted(
        one.score
        for one in scores
        if one.clip.split == "devel" and not one.clip.is_attack and one.is_response
    )
    allowed = math.floor(bpcer * len(living))
    if allowed < 1:
        raise NotEnoughEvidence(
            f"a BPCER of {bpcer:.0%} needs {math.ceil(1 / bpcer)} clips of living people in the "
            f"split devel, and there are {len(living)}; add some"
        )
    return living[allowed]


def non_response_rates(scores: Sequence[ClipScore]) -> dict[str, ErrorRate]:
    """APNRR and BPNRR of the test split, those of the two that have a clip."""
    rates = {}
    for name, is_attack in (("APNRR", True), ("BPNRR", False)):
        got = [s for s in scores if s.clip.split == "test" and s.clip.is_attack is is_attack]
        if got:
            rates[name] = independent_rate(sum(not s.is_response for s in got), len(got))
    return rates
