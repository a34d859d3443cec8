"""The vector space that a model's stored templates are in, rotated by a secret of the vault."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from mien.records import dataclass, field
from mien.vault.crypto.aead import VaultCipher
from mien.vault.records.record import Record
from mien.vault.records.sealed_record import user_tag

if TYPE_CHECKING:
    from mien.results import FloatArray, ModelId
    from mien.vault.crypto.template_rotation import TemplateRotation


class RotatedSpace:
    """Converts the vectors of one model to and from the vault's rotated space.

    It is valid until the vault's key is rotated: take a new one in each transaction.
    """

    def __init__(self, cipher: VaultCipher, model: ModelId) -> None:
        self._cipher = cipher
        self._key = cipher.transform_key(model.sha256)

    def tag_of(self, user: str) -> bytes:
        """The tag that the record of this name has in the vault of the space."""
        return user_tag(user, self._cipher)

    def protect(self, vectors: FloatArray) -> FloatArray:
        """Plain unit rows (n, d) float32 as the vault stores them. Cosines do not change."""
        return _rotation_of(self._key, vectors.shape[1]).protect(vectors)

    def reveal(self, vectors: FloatArray) -> FloatArray:
        """Stored unit rows (n, d) float32 as plain ones: the inverse of `protect`."""
        return _rotation_of(self._key, vectors.shape[1]).reveal(vectors)


@lru_cache(maxsize=4)
def _rotation_of(key: bytes, dims: int) -> TemplateRotation:
    """Kept between transactions: most use the same one."""
    from mien.vault.crypto.template_rotation import TemplateRotation

    return TemplateRotation(key, dims)


SpaceOf = Callable[["ModelId"], RotatedSpace]
"""Gives the space of a model's templates, within one transaction."""


def spaces_of(cipher: VaultCipher) -> SpaceOf:
    """The spaces of all models, under this key."""
    return lambda model: RotatedSpace(cipher, model)


@dataclass(frozen=True, slots=True, eq=False)
class LookupResult:
    """What the vault holds under a name, read in one transaction.

    record: None for a name that is not enrolled. decoy_seed: 32 secret bytes, always the same
    for a name.
    """

    record: Record | None
    space_of: SpaceOf
    decoy_seed: bytes = field(repr=False)
