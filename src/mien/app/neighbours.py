"""Find the enrolled people, and the strangers of the cohort, who resemble a template most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mien.app.enrollment import Enrollment
from mien.matching.matcher import Matcher
from mien.matching.policy import PLAIN_SPACE, VectorSpace, look_alikes
from mien.results import FloatArray, Threshold
from mien.vectors import centre_of

if TYPE_CHECKING:
    from mien.vault import Record
    from mien.vault.centroids.centroid_matches import CentroidMatches, CentroidSearch
    from mien.vault.vault import Vault

MOST = 20  # look-alikes that are looked up and named

NameOf = Callable[[bytes], "str | None"]
"""The user of the record of a tag; None if the person was removed meanwhile."""

TagOf = Callable[[str], bytes]


class Neighbours:
    """The centroids of all enrolled people, for comparison with templates.

    name_of: asked for those alone that resemble a template. space: the vector space of the
    centroids and of the templates. tag_of: of the record of a user, who is then left out without a
    look at the record; None where that is not known.
    """

    def __init__(
        self,
        centroids: CentroidSearch,
        name_of: NameOf,
        matcher: Matcher,
        space: VectorSpace = PLAIN_SPACE,
        tag_of: TagOf | None = None,
    ) -> None:
        self._centroids, self._name_of = centroids, name_of
        self._matcher, self._space, self._tag_of = matcher, space, tag_of

    def add_warnings(self, enrollment: Enrollment, *, user: str) -> Enrollment:
        """The same enrollment, with its look-alikes and the closest stranger of the cohort.

        user: whose template it is; a person of that name is left out.
        """
        [known] = self.add_all_warnings([(user, enrollment)])
        return known

    def add_all_warnings(self, enrollments: Sequence[tuple[str, Enrollment]]) -> list[Enrollment]:
        """`add_warnings` of many (user, enrollment): the centroids are gone through once."""
        if not enrollments:
            return []
        templates = [one.template.vectors for _, one in enrollments]
        centres = np.stack([centre_of(vectors) for vectors in templates])
        plain = self._space.reveal(centres)  # as the cohort is
        thresholds = [self._matcher.threshold_for(photos=len(vectors)) for vectors in templates]
        own = [self._tag_of(user) for user, _ in enrollments] if self._tag_of else []
        found = self._look_alikes(centres, thresholds, self._matcher.shifts(plain), own)
        known = []
        for row, (user, enrollment) in enumerate(enrollments):
            others = tuple(one for one in found[row] if one[0] != user)
            warned = replace(enrollment, look_alikes=others[:MOST])
            known.append(self._with_stranger(warned, plain[row], thresholds[row]))
        return known

    def _with_stranger(
        self, enrollment: Enrollment, plain: FloatArray, threshold: Threshold
    ) -> Enrollment:
        stranger = self._matcher.closest_stranger(plain)
        if stranger is None:
            return enrollment
        margin = threshold.moved(stranger.shift).value - stranger.cosine
        return replace(
            enrollment,
            closest_stranger=stranger.cosine,
            margin=margin,
            strangers=self._matcher.strangers,
        )

    def _look_alikes(
        self,
        centres: FloatArray,
        thresholds: Sequence[Threshold],
        own_shifts: FloatArray,
        own: Sequence[bytes],
    ) -> list[tuple[tuple[str, float], ...]]:
        """Of each centre (k, d), (user, cosine) of at most `MOST` and one more. own_shifts: of the
        centres. own: the tag of each, which is left out; or none."""
        # how near the others are to the cohort is not known yet: at least this
        values = np.array([threshold.value for threshold in thresholds], np.float32)
        lowest = values + own_shifts + np.float32(self._matcher.least_shift)
        # the rotation turns both alike
        alike = self._centroids.alike(centres, lowest.tolist(), own)
        return [
            self._named(*one) for one in zip(alike, thresholds, own_shifts.tolist(), strict=True)
        ]

    def _named(
        self, alike: CentroidMatches, threshold: Threshold, own_shift: float
    ) -> tuple[tuple[str, float], ...]:
        """Those that are look-alikes."""
        if not len(alike):
            return ()
        shifts = self._matcher.shifts(self._space.reveal(alike.rows)) + own_shift
        cosines = alike.cosines.astype(np.float32)
        found = look_alikes(range(len(alike)), cosines, shifts, threshold)
        # one may be the person's own
        named = [(self._name_of(alike.tags[row]), cosine) for row, cosine in found[: MOST + 1]]
        return tuple((user, cosine) for user, cosine in named if user is not None)


def neighbours_in(
    vault: Vault, matcher: Matcher, known: Mapping[bytes, Record] | None = None
) -> tuple[Neighbours, VectorSpace]:
    """Of the people enrolled with the matcher's model, and their space.

    known: records that were read already, by tag. Raises VaultDamaged, also when they are used.
    """
    centroids, rotated = vault.centroids_of(matcher.model)

    def name_of(tag: bytes) -> str | None:
        record = known[tag] if known and tag in known else vault.record_at(tag)
        return None if record is None else record.user

    space, tag_of = rotated or PLAIN_SPACE, None if rotated is None else rotated.tag_of
    return Neighbours(centroids, name_of, matcher, space, tag_of), space
