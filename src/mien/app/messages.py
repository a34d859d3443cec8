"""What is said of a decision and of an enrollment: in words, and as data for programs.

The same on every surface. Nothing here carries a picture or an embedding.
"""

from __future__ import annotations

from mien.app.enroll import Enrollment
from mien.results import Decision


def enrollment_lines(user: str, enrollment: Enrollment) -> tuple[str, ...]:
    """For people, what it is first."""
    count = len(enrollment.template.vectors)
    lines = [f"enrolled {user} from {count} photo{'s' * (count != 1)}"]
    lines += [
        f"  {photo.name}: agrees with the others at {photo.leave_one_out:.3f}"
        for photo in enrollment.photos
        if photo.leave_one_out is not None
    ]
    lines += [f"  skipped {photo}: nearly the same as {twin}" for photo, twin in enrollment.skipped]
    lines += [f"  advice: {words}" for words in enrollment.advice]
    if enrollment.expectation:
        lines.append(f"  {enrollment.expectation}")
    if enrollment.margin is not None and enrollment.margin > 0:  # the advice tells of one above it
        lines.append(
            f"  the closest stranger of the cohort scores {enrollment.closest_stranger:.3f},"
            f" {enrollment.margin:.3f} under its threshold"
        )
    return tuple(lines)


def enrollment_data(user: str, enrollment: Enrollment) -> dict[str, object]:
    """For programs."""
    count = len(enrollment.template.vectors)
    return {
        "outcome": "enrolled",
        "exit_code": 0,
        "user": user,
        "photos_in_template": count,
        "photos": [
            {"photo": p.name, "leave_one_out": p.leave_one_out, "advice": list(p.quality.advice)}
            for p in enrollment.photos
        ],
        "skipped": [{"photo": photo, "same_as": twin} for photo, twin in enrollment.skipped],
        "advice": list(enrollment.advice),
        "expectation": enrollment.expectation or None,
        "closest_stranger": _rounded(enrollment.closest_stranger),
        "margin": _rounded(enrollment.margin),
        "look_alikes": [
            {"user": other, "similarity": round(cosine, 6)}
            for other, cosine in enrollment.look_alikes
        ],
    }


def describe_scores(decision: Decision) -> str:
    """Similarity and threshold, and how often a stranger would score this high."""
    words = f"similarity {decision.similarity:.3f}, threshold {decision.threshold.value:.3f}"
    return f"{words}; {decision.odds}" if decision.odds else words


def describe_decision(decision: Decision) -> str:
    """The reason, with the describe_scores where there was a face to compare."""
    if decision.similarity != decision.similarity:  # not a number: there was no face to compare
        return decision.reason
    return f"{decision.reason}, {describe_scores(decision)}"


def decision_data(decision: Decision) -> dict[str, object]:
    """For programs; similarity is None where there was no face to compare."""
    number = decision.similarity
    face = decision.face
    return {
        "outcome": decision.outcome.value,
        "exit_code": int(decision.outcome.exit_code),
        "similarity": round(number, 6) if number == number else None,  # JSON has no NaN
        "threshold": round(decision.threshold.value, 6),
        "model": decision.threshold.model,
        "reason": decision.reason,
        "odds": decision.odds or None,
        "face": None
        if face is None
        else {
            "box_xyxy": [round(float(edge), 2) for edge in face.box_xyxy],
            "points_xy": [[round(float(v), 2) for v in point] for point in face.points_xy],
            "score": round(face.score, 6),
        },
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)
