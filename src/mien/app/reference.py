"""What a face is compared with: the photos, what was learned, and the faces marked as wrong."""

from __future__ import annotations

import numpy as np

from mien.app.pipeline import Pipeline
from mien.errors import Outcome
from mien.matching.matcher import Matcher
from mien.matching.policy import PLAIN_SPACE, VectorSpace
from mien.matching.score import Score
from mien.records import dataclass, field, replace
from mien.results import Decision, FloatArray, Template
from mien.vault import Record, unpack_template
from mien.vault.records.kept_faces import vectors_of

MARKED = "more like a face that was marked as somebody else's than like the photos"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The enrolled photos of a person, and the embeddings that are kept beside them.

    learned: (n, d), and marked: (m, d), float32 unit rows in the space of `enrolled`.
    """

    enrolled: Template
    learned: FloatArray = field(repr=False)
    marked: FloatArray = field(repr=False)

    @classmethod
    def of(cls, template: Template) -> Reference:
        """Photos alone."""
        none = np.zeros((0, template.vectors.shape[1]), np.float32)
        return cls(template, none, none)

    @property
    def template(self) -> Template:
        """The photos and what was learned: what a face must resemble."""
        if not len(self.learned):
            return self.enrolled
        rows = np.concatenate([self.enrolled.vectors, self.learned])
        return Template(rows, self.enrolled.model)


def template_of(record: Record, pipeline: Pipeline) -> Template:
    """The photos. Raises VaultDamaged, or ModelMismatch if another model made the template."""
    return unpack_template(record.payload, expected_model=pipeline.model)


def reference_of(record: Record, pipeline: Pipeline) -> Reference:
    """What the record has. Raises as `template_of`."""
    enrolled = template_of(record, pipeline)
    dims = enrolled.vectors.shape[1]
    learned = vectors_of(record, "learned", dims)
    return Reference(enrolled, learned, vectors_of(record, "not_me", dims))


def refuse_marked(
    decision: Decision,
    score: Score,
    probe: FloatArray,
    reference: Reference,
    matcher: Matcher,
    space: VectorSpace = PLAIN_SPACE,
) -> Decision:
    """The same decision, but locked where the face is more like one that was marked.

    score: of the template and the probe, a plain unit vector (d,). The face counts as the marked
    one's if it reaches the threshold of one photo with it, by at least as much as it reaches that
    of the template. So a face that is like neither, or much more like the photos, is not held up.
    """
    if not decision or not is_marked(score, probe, reference, matcher, space):
        return decision
    return replace(decision, outcome=Outcome.NOT_THE_OWNER, reason=MARKED, odds="")


def is_marked(
    score: Score,
    probe: FloatArray,
    reference: Reference,
    matcher: Matcher,
    space: VectorSpace = PLAIN_SPACE,
) -> bool:
    """Whether the probe is more like a face that was marked than like the template."""
    if not len(reference.marked):
        return False
    pair = matcher.threshold_for(photos=1)
    whole = matcher.threshold_for(photos=len(reference.template.vectors))
    over = score.normalised - whole.value
    for one in space.reveal(reference.marked):
        found = matcher.score(one, probe)
        if found.reaches(pair) and found.normalised - pair.value >= over:
            return True
    return False
