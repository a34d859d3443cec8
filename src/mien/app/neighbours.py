"""Find the enrolled people, and the strangers of the cohort, who resemble a template most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mien.app.enrollment import Enrollment
from mien.app.pipeline import Pipeline
from mien.matching.policy import PLAIN_SPACE, VectorSpace, look_alikes
from mien.results import Template
from mien.vectors import centre_of


class Neighbours:
    """The templates of all enrolled people, prepared for comparison with a new template.

    templates: user -> template. space: the vector space of all templates, including the new one.
    """

    def __init__(
        self,
        templates: Mapping[str, Template],
        pipeline: Pipeline,
        space: VectorSpace = PLAIN_SPACE,
    ) -> None:
        self._matcher = pipeline.matcher
        self._space = space
        self._users = tuple(templates)
        centres = [centre_of(template.vectors) for template in templates.values()]
        none = np.zeros((0, pipeline.embedder.row.dims), np.float32)
        self._plain = space.reveal(np.stack(centres)) if centres else none  # as the cohort is
        self._shifts = pipeline.matcher.shifts(self._plain)

    def add_warnings(self, enrollment: Enrollment, *, user: str) -> Enrollment:
        """The same enrollment, with its look-alikes and the closest stranger of the cohort.

        user: whose template it is; a person of that name is left out.
        """
        vectors = enrollment.template.vectors
        threshold = self._matcher.threshold_for(photos=len(vectors))
        ours = self._space.reveal(centre_of(vectors)[np.newaxis])
        shifts = self._shifts + self._matcher.shifts(ours)
        found = look_alikes(self._users, self._plain @ ours[0], shifts, threshold)
        others = tuple(one for one in found if one[0] != user)
        known = replace(enrollment, look_alikes=others)
        stranger = self._matcher.closest_stranger(ours[0])
        if stranger is None:
            return known
        margin = threshold.moved(stranger.shift).value - stranger.cosine
        return replace(
            known,
            closest_stranger=stranger.cosine,
            margin=margin,
            strangers=self._matcher.strangers,
        )
