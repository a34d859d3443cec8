"""Settings that are one of a few words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import UsageError
from mien.settings import ALL_ENGINES, LIVENESS, load_settings


@pytest.mark.parametrize("engine", ALL_ENGINES)
def test_every_engine_is_accepted(engine: str, tmp_path: Path) -> None:
    assert load_settings({"HOME": str(tmp_path), "MIEN_ENGINE": engine}).engine == engine


@pytest.mark.parametrize("liveness", LIVENESS)
def test_every_liveness_policy_is_accepted(liveness: str, tmp_path: Path) -> None:
    settings = load_settings({"HOME": str(tmp_path), "MIEN_LIVENESS": liveness})
    assert settings.liveness == liveness


@pytest.mark.parametrize("liveness", ["on", "Active", "automatic", "Passive"])
def test_another_liveness_policy_is_refused(liveness: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one of off, passive"):
        load_settings({"HOME": str(tmp_path), "MIEN_LIVENESS": liveness})
