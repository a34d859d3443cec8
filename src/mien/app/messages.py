"""Decisions and enrollments in words, the same on every surface."""

from __future__ import annotations

from collections.abc import Sequence

from mien.app.enrollment import EnrolledPhoto, Enrollment
from mien.app.match_word import match_word
from mien.results import Decision

MAX_NAMED = 3  # photos with the same fault; JSON has all


def enrollment_lines(
    user: str, enrollment: Enrollment, *, verbose: bool = False
) -> tuple[str, ...]:
    """What was enrolled, how well the photos agree, and what would be better, a line each.

    verbose: with similarities, and the threshold at the nearest stranger.
    """
    count = len(enrollment.template.vectors)
    lines = [f"enrolled {user} from {count} photo{'s' * (count != 1)}"]
    lines.append(f"  quality: {enrollment.word}")
    lines += [_describe_photo(photo, verbose) for photo in enrollment.photos if photo.agrees]
    lines += [f"  skipped {photo}: nearly the same as {twin}" for photo, twin in enrollment.skipped]
    lines += left_out_lines(enrollment.left_out)
    lines += [f"  advice: {words}" for words in enrollment.advice]
    if enrollment.expectation:
        lines.append(f"  {enrollment.expectation}")
    margin, nearest = enrollment.margin, enrollment.closest_stranger
    if verbose and margin is not None and nearest is not None:
        figures = f"similarity {nearest:.3f}, threshold {nearest + margin:.3f}"
        lines.append(f"  nearest of {enrollment.strangers:,} strangers: {figures}")
    return tuple(lines)


def _describe_photo(photo: EnrolledPhoto, verbose: bool) -> str:
    words = f"  {photo.name}: {photo.agrees}"
    if verbose and photo.leave_one_out is not None:
        words += f", similarity to the others {photo.leave_one_out:.3f}"
    return words


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


def describe_scores(decision: Decision, *, verbose: bool = False) -> str:
    """How good the match is, and how often a stranger would score this high.

    verbose: also similarity and threshold. Empty for a refusal of which no more is known.
    """
    return _with_odds(_scores(decision, verbose), decision)


def describe_decision(decision: Decision, *, verbose: bool = False) -> str:
    """The reason, what is wrong with the photo, and the scores if there was a face to compare.

    For the photo's owner: a service must not say as much to strangers. verbose: as above.
    """
    words = decision.reason
    if decision.faults:
        words += f" ({'; '.join(decision.faults)})"
    if decision.similarity != decision.similarity:  # not a number: there was no face to compare
        return words
    return _with_odds([words, *_scores(decision, verbose)], decision)


def _scores(decision: Decision, verbose: bool) -> list[str]:
    threshold = decision.threshold
    words = [f"a {match_word(decision.similarity - threshold.value)} match"] if decision else []
    if verbose:
        words += [f"similarity {decision.similarity:.3f}", f"threshold {threshold.value:.3f}"]
    return words + ([f"calibration {threshold.calibration}"] if threshold.calibration else [])


def _with_odds(words: list[str], decision: Decision) -> str:
    return "; ".join(part for part in (", ".join(words), decision.odds) if part)
