"""Decisions and enrollments in words, the same on every surface."""

from __future__ import annotations

from collections.abc import Sequence

from mien.app.enrollment import Enrollment
from mien.results import Decision

MAX_NAMED = 3  # photos with the same fault; JSON has all


def enrollment_lines(
    user: str, enrollment: Enrollment, *, verbose: bool = False
) -> tuple[str, ...]:
    """What was enrolled, how well the photos agree, and what would be better, a line each.

    verbose: with the similarity of the nearest stranger and its threshold.
    """
    count = len(enrollment.template.vectors)
    lines = [f"enrolled {user} from {count} photo{'s' * (count != 1)}"]
    lines += [
        f"  {photo.name}: similarity to the others {photo.leave_one_out:.3f}"
        for photo in enrollment.photos
        if photo.leave_one_out is not None
    ]
    lines += [f"  skipped {photo}: nearly the same as {twin}" for photo, twin in enrollment.skipped]
    lines += left_out_lines(enrollment.left_out)
    lines += [f"  advice: {words}" for words in enrollment.advice]
    if enrollment.expectation:
        lines.append(f"  {enrollment.expectation}")
    margin, nearest = enrollment.margin, enrollment.closest_stranger
    if margin is not None and margin > 0:  # otherwise the advice warns of it
        strangers = f"the nearest of {enrollment.strangers:,} strangers"
        lines.append(f"  good: margin to {strangers} {margin:.2f}")
    if verbose and margin is not None and nearest is not None:
        figures = f"similarity {nearest:.3f}, threshold {nearest + margin:.3f}"
        lines.append(f"  nearest stranger: {figures}")
    return tuple(lines)


def left_out_lines(reasons: Sequence[str]) -> list[str]:
    """A line for each fault, of reasons "PHOTO: WHY"; photos with the same fault share it."""
    by_why: dict[str, list[str]] = {}
    for reason in reasons:
        photo, _, why = reason.partition(": ")
        by_why.setdefault(why or reason, []).append(photo if why else "")
    lines = []
    for why, photos in by_why.items():
        count = f"{len(photos)} photos " if len(photos) > 1 else ""
        more = f" and {len(photos) - MAX_NAMED} more" if len(photos) > MAX_NAMED else ""
        named = ", ".join(photo for photo in photos[:MAX_NAMED] if photo)
        lines.append(f"  left out {count}{named}{more}: {why}" if named else f"  left out {why}")
    return lines


def describe_scores(decision: Decision) -> str:
    """Similarity and threshold, and how often a stranger would score this high."""
    words = f"similarity {decision.similarity:.3f}, threshold {decision.threshold.value:.3f}"
    if decision.threshold.calibration:
        words += f", calibration {decision.threshold.calibration}"
    return f"{words}; {decision.odds}" if decision.odds else words


def describe_decision(decision: Decision) -> str:
    """The reason, what is wrong with the photo, and the scores if there was a face to compare.

    For the photo's owner: a service must not say as much to strangers.
    """
    words = decision.reason
    if decision.faults:
        words += f" ({'; '.join(decision.faults)})"
    if decision.similarity != decision.similarity:  # not a number: there was no face to compare
        return words
    return f"{words}, {describe_scores(decision)}"
