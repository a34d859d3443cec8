"""Error rates at a threshold, in the terms of ISO/IEC 19795-1 and 30107-3.

FMR and FNMR are shares of the comparisons made. A picture without a face makes none: it
is a failure to enroll (FTE) or to acquire (FTA), counted separately, and is included in
FRR, which is a share of attempts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from mien.errors import NotEnoughEvidence
from mien.metrics.evidence import check_fmr_supported
from mien.metrics.scores import Scores, ScoresLike, as_scores
from mien.records import dataclass


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Errors and comparisons of both kinds at one threshold."""

    threshold: float
    false_matches: int
    n_impostor: int
    false_non_matches: int
    n_genuine: int

    @property
    def fmr(self) -> float:
        """Observed false match rate, 0..1."""
        return self.false_matches / self.n_impostor

    @property
    def fnmr(self) -> float:
        """Observed false non-match rate, 0..1."""
        return self.false_non_matches / self.n_genuine


def operating_point(genuine: ScoresLike, impostor: ScoresLike, threshold: float) -> OperatingPoint:
    """Count the errors at a threshold. Raises NotEnoughEvidence without both kinds of pair."""
    ours, theirs = require_scores(genuine, "genuine"), require_scores(impostor, "impostor")
    accepted = int(ours.count_at_least(threshold))
    return OperatingPoint(
        float(threshold),
        int(theirs.count_at_least(threshold)),
        theirs.n,
        ours.n - accepted,
        ours.n,
    )


def threshold_at_fmr(impostor: ScoresLike, fmr: float, *, require_evidence: bool = True) -> float:
    """The smallest threshold at which the observed FMR is at most `fmr`.

    Smallest among the numbers of the scores' type: one step above the highest score that
    must be refused, so tied scores are accepted or refused together. -inf for FMR 1.
    Raises NotEnoughEvidence when the pairs say nothing about a rate this low (rule of 3);
    with require_evidence=False the observed shares are taken as they are.
    """
    scores = require_scores(impostor, "impostor")
    if not 0.0 <= fmr <= 1.0:
        raise ValueError(f"a false match rate is between 0 and 1, got {fmr}")
    if require_evidence:
        check_fmr_supported(scores.n, fmr)
    return scores.least_threshold(errors_allowed(fmr, scores.n))


def point_at_fmr(
    genuine: ScoresLike, impostor: ScoresLike, fmr: float, *, require_evidence: bool = True
) -> OperatingPoint:
    """The operating point of `threshold_at_fmr`, with the same refusal."""
    theirs = as_scores(impostor)
    threshold = threshold_at_fmr(theirs, fmr, require_evidence=require_evidence)
    return operating_point(genuine, theirs, threshold)


def fnmr_at_fmr(
    genuine: ScoresLike, impostor: ScoresLike, fmr: float, *, require_evidence: bool = True
) -> float:
    """FNMR at the threshold of `threshold_at_fmr`, with the same refusal."""
    return point_at_fmr(genuine, impostor, fmr, require_evidence=require_evidence).fnmr


def errors_allowed(rate: float, n: int) -> int:
    """The largest count with count / n <= rate, as the computer divides."""
    count = min(n, math.floor(rate * n) + 1)
    while count / n > rate:  # rate * n may round to either side of the whole number
        count -= 1
    return count


def failure_rate(failures: int, attempts: int) -> float:
    """FTE or FTA: the share of people, or of pictures, of which no template was made.

    Raises NotEnoughEvidence for no attempt.
    """
    if attempts < 1:
        raise NotEnoughEvidence("there was no attempt, so there is no failure rate")
    if not 0 <= failures <= attempts:
        raise ValueError(f"expected 0 <= failures <= attempts, got {failures} of {attempts}")
    return failures / attempts


def false_reject_rate(fnmr: float, *, fta: float, fte: float = 0.0) -> float:
    """FRR = FTA + (1 - FTA) FNMR; with `fte` the generalised GFRR = FTE + (1 - FTE) FRR."""
    _expect_rates(fnmr=fnmr, fta=fta, fte=fte)
    return fte + (1.0 - fte) * (fta + (1.0 - fta) * fnmr)


def apcer(attack_liveness: ScoresLike, threshold: float) -> float:
    """APCER of one attack type: the share of presentation attacks with liveness >= threshold."""
    scores = require_scores(attack_liveness, "attack")
    return int(scores.count_at_least(threshold)) / scores.n


def worst_apcer(
    attack_liveness_by_species: Mapping[str, ScoresLike], threshold: float
) -> tuple[str, float]:
    """The attack type that passes most often, and its APCER; ISO/IEC 30107-3 allows no average."""
    rates = {name: apcer(s, threshold) for name, s in attack_liveness_by_species.items()}
    if not rates:
        raise NotEnoughEvidence("no attack was made; present some before claiming APCER")
    worst = max(rates, key=lambda name: rates[name])
    return worst, rates[worst]


def bpcer(bona_fide_liveness: ScoresLike, threshold: float) -> float:
    """BPCER: the share of bona fide presentations with liveness < threshold."""
    scores = require_scores(bona_fide_liveness, "bona fide")
    return (scores.n - int(scores.count_at_least(threshold))) / scores.n


def require_scores(scores: ScoresLike, kind: str) -> Scores:
    """Sorted scores, at least one, or NotEnoughEvidence that names the kind."""
    made = as_scores(scores)
    if made.n == 0:
        raise NotEnoughEvidence(f"no {kind} score was given, so there is no rate; add some")
    return made


def _expect_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"{name} is a rate between 0 and 1, got {rate}")
