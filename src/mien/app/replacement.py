"""Notice that the photos that replace a person's earlier ones show somebody else."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mien.app.pipeline import Pipeline
from mien.app.reference import template_of
from mien.errors import AnotherFace, ModelMismatch, VaultDamaged
from mien.results import FloatArray
from mien.vectors import centre_of

if TYPE_CHECKING:
    from mien.vault.vault import Vault


def check_replacement(user: str, vectors: FloatArray, vault: Vault, pipeline: Pipeline) -> None:
    """Raise AnotherFace if the photos would not unlock the template that they replace.

    vectors: (k, d) float32 plain unit rows, of the new photos. Passes where there is nothing to
    compare with: nobody of that name, a damaged record, or the template of another model.
    """
    try:
        found = vault.look_up(user)
        if found is None or found.record is None:
            return
        earlier = template_of(found.record, pipeline)
    except (VaultDamaged, ModelMismatch):  # to replace such a record is the way out of the damage
        return
    matcher = pipeline.matcher
    space = found.space_of(pipeline.model)
    score = matcher.score_template(earlier, centre_of(vectors), space)
    if not score.reaches(matcher.threshold_for(photos=len(earlier.vectors))):
        raise AnotherFace(
            f"these photos show another face than the one enrolled as {user} (similarity "
            f"{score.cosine:.2f}); enroll it under another name, or to let the new face unlock "
            f"in place of the earlier one, repeat: mien enroll {shlex.quote(user)} PHOTO... "
            "--replace --yes"
        )
