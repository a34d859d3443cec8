"""A vault, its key and an export that an earlier commit (2be4002) wrote are still read.

`data/` has ana and ben, each with two vectors of 8 numbers, the centroids, five failed attempts for
ana and the log. A change of any stored byte's meaning fails here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.vault.memory import open_memory_vault
from tests.vault.sealed_parts import Clock, fail, opened

from mien.errors import TooManyAttempts
from mien.results import FloatArray, ModelId
from mien.settings import Settings, load_settings
from mien.vault import unpack_template
from mien.vault.vault import Vault

DATA = Path(__file__).parent / "data"


@pytest.fixture
def stored(tmp_path: Path) -> Settings:
    """A home folder with a copy of the vault and its key."""
    settings = load_settings({"HOME": str(tmp_path)})
    for name, path in (("vault.sqlite", settings.vault_path), ("vault.key", settings.key_path)):
        path.parent.mkdir(parents=True)
        shutil.copyfile(DATA / name, path)
        path.chmod(0o600)
    return settings


def plain_vectors(vault: Vault, user: str, model: ModelId) -> FloatArray:
    found = vault.look_up(user)
    assert found is not None
    assert found.record is not None
    stored = unpack_template(found.record.payload, expected_model=model).vectors
    return found.space_of(model).reveal(stored)


def expected_vectors(seed: int) -> FloatArray:
    vectors = np.random.default_rng(seed).normal(size=(2, 8)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_stored_vault_is_read(stored: Settings, clock: Clock, model: ModelId) -> None:
    with opened(stored, clock) as vault:
        status = vault.verify()
        assert status is not None
        # one change more than was stored: it was brought to the present format
        assert (status.people, status.changes, status.log_entries) == (2, 15, 7)
        assert status.centroids
        assert [head.user for head in vault.list_people()] == ["ana", "ben"]
        for user, seed in (("ana", 1), ("ben", 2)):
            found = plain_vectors(vault, user, model)
            np.testing.assert_allclose(found, expected_vectors(seed), atol=1e-6)
        centroids, _ = vault.centroids_of(model)
        assert len(centroids) == 2
        kinds = [(entry.kind, entry.user) for entry in vault.read_log()]
        assert kinds == [("enroll", "ana"), ("enroll", "ben"), *[("unlock", "ana")] * 5]
        with pytest.raises(TooManyAttempts, match="try again in 30 seconds"):
            fail(vault, "ana")


def test_a_stored_export_is_imported(model: ModelId) -> None:
    with open_memory_vault() as vault:
        result = vault.import_people(DATA / "people.mien", "four random plain words")
        assert result.added == ("ana", "ben")
        found = plain_vectors(vault, "ben", model)
        np.testing.assert_allclose(found, expected_vectors(2), atol=1e-6)
