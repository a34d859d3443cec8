"""Helpers of these tests: a clock, a vault in a home, and records of random vectors."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from mien.app.pipeline import Pipeline
from mien.app.reference import template_of
from mien.results import ModelId, Template
from mien.settings import Settings, load_settings
from mien.vault import Record, pack_template
from mien.vault.open import open_vault
from mien.vault.vault import Vault

NOON = datetime(2026, 1, 31, 13, 0, tzinfo=timezone(timedelta(hours=1)))
OTHER_MODEL = ModelId("vggface2", "cd" * 32)


def clock() -> datetime:
    return NOON


def settings_of(home: Path) -> Settings:
    return load_settings({"HOME": str(home)})


def opened(home: Path) -> Vault:
    return open_vault(settings_of(home), create=True, surface="library", environ={})


def stored(user: str, vault: Vault, pipeline: Pipeline) -> Template:
    """The stored template of a user, rotated back to plain embeddings."""
    found = vault.look_up(user)
    assert found is not None
    assert found.record is not None
    turned = template_of(found.record, pipeline)
    plain = found.space_of(pipeline.model).reveal(turned.vectors)
    return Template(plain, turned.model)


def somebody(user: str, seed: int, model: ModelId) -> Record:
    """A record whose template is three random unit vectors."""
    vectors = np.random.default_rng(seed).standard_normal((3, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    payload = pack_template(Template(vectors, model))
    return Record(user, model, "2026-01-31T12:00:00+00:00", payload)
