"""Who is enrolled, and how good each template is."""

from __future__ import annotations

from mien.app.enroll import Enrollment, Neighbours
from mien.app.pipeline import Pipeline
from mien.app.verify import template_of
from mien.matching.policy import PLAIN_SPACE, consistency
from mien.vault.vault import Vault


def people_data(vault: Vault, pipeline: Pipeline) -> list[dict[str, object]]:
    """One entry for each, by name. Strength is known for those of the pipeline's model."""
    records, space = vault.everybody(pipeline.model)
    templates = {record.user: template_of(record, pipeline) for record in records}
    neighbours = Neighbours(templates, pipeline, space or PLAIN_SPACE)
    found: list[dict[str, object]] = []
    for head in vault.heads():
        entry: dict[str, object] = {
            "user": head.user, "enrolled": head.created_at, "model": head.model.name,
        }  # fmt: skip
        if head.user in templates:
            template = templates[head.user]
            said = neighbours.warn(Enrollment(template, (), ()), user=head.user)
            agreement = consistency(template.vectors, pipeline.threshold).leave_one_out
            entry |= {
                "photos": len(template.vectors),
                "agreement": round(min(agreement), 3) if agreement else None,
                "margin": None if said.margin is None else round(said.margin, 3),
                "expectation": pipeline.expectation(photos=len(template.vectors)) or None,
                "look_alikes": [
                    {"user": user, "similarity": round(cosine, 3)}
                    for user, cosine in said.look_alikes
                ],
            }
        found.append(entry)
    return found
