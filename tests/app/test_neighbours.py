"""The look-alikes and the closest stranger of a template, with a matcher of plain numbers."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from mien.app.enrollment import Enrollment
from mien.app.neighbours import MOST, Neighbours
from mien.matching.matcher import Matcher
from mien.matching.score import Score
from mien.results import FloatArray, ModelId, Template, Threshold
from mien.vault.centroids.centroid_arrays import CentroidArrays
from mien.vault.centroids.centroid_block import CentroidBlock

MODEL = ModelId("sface", "ab" * 32)


def at(*degrees: float) -> FloatArray:
    """Unit rows in the plane at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def template_at(*degrees: float) -> Template:
    return Template(at(*degrees), MODEL)


def enrollment_at(*degrees: float) -> Enrollment:
    return Enrollment(template_at(*degrees), (), ())


class PlainMatcher:
    """Threshold 0.5 for one photo and 0.6 for more; each face has the same shift."""

    def __init__(self, shift: float = 0.0, stranger: Score | None = None) -> None:
        self.shift, self.stranger, self.strangers = shift, stranger, 7
        self.least_shift = shift

    def threshold_for(self, *, photos: int) -> Threshold:
        return Threshold(0.5 if photos == 1 else 0.6, "sface", "by hand")

    def shifts(self, vectors: FloatArray) -> FloatArray:
        return np.full(len(vectors), self.shift, np.float32)

    def closest_stranger(self, vector: FloatArray) -> Score | None:
        return self.stranger


def neighbours(others: dict[str, float], matcher: PlainMatcher) -> Neighbours:
    """People at these angles."""
    names = list(others)
    rows = at(*others.values()) if others else at(0)[:0]
    tags = [bytes([number]) * 32 for number in range(len(names))]
    named = dict(zip(tags, names, strict=True))
    halves = [
        CentroidBlock.of({tags[number]: rows[number] for number in part})
        for part in np.array_split(np.arange(len(names)), 2)
    ]
    return Neighbours(CentroidArrays(halves), named.get, cast("Matcher", matcher))


def look_alikes(matcher: PlainMatcher, enrollment: Enrollment, user: str = "ana") -> list[str]:
    others = {"ben": 55, "zoe": 70, "ana": 0}
    found = neighbours(others, matcher).add_warnings(enrollment, user=user)
    return [name for name, _ in found.look_alikes]


def test_people_above_the_threshold_are_look_alikes_but_not_the_person_enrolled() -> None:
    assert look_alikes(PlainMatcher(), enrollment_at(0)) == ["ben"]  # cosines 0.57 and 0.34
    assert look_alikes(PlainMatcher(), enrollment_at(0), "kim") == ["ana", "ben"]


def test_the_threshold_is_that_of_the_number_of_photos() -> None:
    assert look_alikes(PlainMatcher(), enrollment_at(-5, 5)) == []


@pytest.mark.parametrize(("shift", "names"), [(0.04, []), (0.03, ["ben"]), (-0.1, ["ben", "zoe"])])
def test_the_threshold_is_moved_by_the_shifts_of_both_faces(shift: float, names: list[str]) -> None:
    assert look_alikes(PlainMatcher(shift), enrollment_at(0)) == names


def test_the_margin_is_what_the_closest_stranger_lacks_to_its_own_threshold() -> None:
    matcher = PlainMatcher(stranger=Score(0.25, 0.125))
    found = neighbours({}, matcher).add_warnings(enrollment_at(0), user="ana")
    assert (found.closest_stranger, found.margin, found.strangers) == (0.25, 0.375, 7)
    assert found.look_alikes == ()


def test_in_an_empty_vault_nobody_is_a_look_alike_even_at_a_negative_threshold() -> None:
    found = neighbours({}, PlainMatcher(-0.4)).add_warnings(enrollment_at(0), user="ana")
    assert found.look_alikes == ()


def test_without_a_cohort_there_is_no_closest_stranger() -> None:
    made = enrollment_at(0)
    found = neighbours({"ben": 10}, PlainMatcher()).add_warnings(made, user="ana")
    assert (found.closest_stranger, found.margin, found.strangers) == (None, None, 0)
    assert [name for name, _ in found.look_alikes] == ["ben"]
    assert found.template is made.template


def test_the_record_of_the_person_enrolled_is_not_looked_up() -> None:
    asked: list[bytes] = []

    def name_of(tag: bytes) -> str:
        asked.append(tag)
        return {bytes(32): "ana", bytes([1]) * 32: "ben"}[tag]

    block = CentroidBlock.of(dict(zip((bytes(32), bytes([1]) * 32), at(0, 10), strict=True)))
    known = Neighbours(
        CentroidArrays([block]),
        name_of,
        cast("Matcher", PlainMatcher()),
        tag_of=lambda user: {"ana": bytes(32)}[user],
    )
    found = known.add_warnings(enrollment_at(0), user="ana")
    assert [name for name, _ in found.look_alikes] == ["ben"]
    assert asked == [bytes([1]) * 32]


@pytest.mark.parametrize("knows_tags", [False, True])
def test_as_many_look_alikes_are_named_whether_or_not_the_own_tag_is_known(
    knows_tags: bool,
) -> None:
    names = ["ana", *(f"user {number}" for number in range(MOST + 5))]
    tags = {name: bytes([number]) * 32 for number, name in enumerate(names)}
    rows = at(*range(len(names)))
    block = CentroidBlock.of(dict(zip(tags.values(), rows, strict=True)))
    by_tag = {tag: name for name, tag in tags.items()}
    known = Neighbours(
        CentroidArrays([block]),
        by_tag.get,
        cast("Matcher", PlainMatcher()),
        tag_of=tags.__getitem__ if knows_tags else None,
    )
    found = known.add_warnings(enrollment_at(0), user="ana")
    assert [name for name, _ in found.look_alikes] == names[1 : MOST + 1]
