"""Find the enrolled people, and the strangers of the cohort, who resemble a template most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    from mien.vault.vault import Vault

MOST = 20  # look-alikes that are looked up and named

NameOf = Callable[[int], "str | None"]
"""The user of a row of centroids; None if the person was removed meanwhile."""


class Neighbours:
    """The centroids of all enrolled people, for comparison with a template.

    rows: (n, d) float32 unit rows. name_of: asked for the rows alone that resemble the template.
    space: the vector space of the rows and of the template.
    """

    def __init__(
        self,
        rows: FloatArray,
        name_of: NameOf,
        matcher: Matcher,
        space: VectorSpace = PLAIN_SPACE,
    ) -> None:
        self._rows, self._name_of, self._matcher, self._space = rows, name_of, matcher, space

    def add_warnings(self, enrollment: Enrollment, *, user: str) -> Enrollment:
        """The same enrollment, with its look-alikes and the closest stranger of the cohort.

        user: whose template it is; a person of that name is left out.
        """
        vectors = enrollment.template.vectors
        threshold = self._matcher.threshold_for(photos=len(vectors))
        centre = centre_of(vectors)
        plain = self._space.reveal(centre[np.newaxis])[0]  # as the cohort is
        found = self._look_alikes(
            centre, threshold, float(self._matcher.shifts(plain[np.newaxis])[0])
        )
        others = tuple(one for one in found if one[0] != user)
        known = replace(enrollment, look_alikes=others)
        stranger = self._matcher.closest_stranger(plain)
        if stranger is None:
            return known
        margin = threshold.moved(stranger.shift).value - stranger.cosine
        return replace(
            known,
            closest_stranger=stranger.cosine,
            margin=margin,
            strangers=self._matcher.strangers,
        )

    def _look_alikes(
        self, centre: FloatArray, threshold: Threshold, shift: float
    ) -> tuple[tuple[str, float], ...]:
        """(user, cosine) of at most `MOST`. shift: of the template's own face."""
        if not len(self._rows):
            return ()
        cosines: FloatArray = self._rows @ centre  # the rotation turns both alike
        # how near the others are to the cohort is not known yet: at least this
        lowest = threshold.value + shift + self._matcher.least_shift
        near = np.flatnonzero(~(cosines < lowest))  # NaN counts as near
        shifts = self._matcher.shifts(self._space.reveal(self._rows[near])) + shift
        found = look_alikes(near.tolist(), cosines[near], shifts, threshold)
        # one may be the person's own
        named = [(self._name_of(row), cosine) for row, cosine in found[: MOST + 1]]
        return tuple((user, cosine) for user, cosine in named if user is not None)


def neighbours_in(
    vault: Vault, matcher: Matcher, known: Mapping[bytes, Record] | None = None
) -> tuple[Neighbours, VectorSpace]:
    """Of the people enrolled with the matcher's model, and their space.

    known: records that were read already, by tag. Raises VaultDamaged, also when they are used.
    """
    centroids, rotated = vault.centroids_of(matcher.model)

    def name_of(row: int) -> str | None:
        tag = centroids.tags[row]
        record = known[tag] if known and tag in known else vault.record_at(tag)
        return None if record is None else record.user

    space = rotated or PLAIN_SPACE
    return Neighbours(centroids.rows, name_of, matcher, space), space
