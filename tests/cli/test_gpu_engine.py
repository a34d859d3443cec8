"""`MIEN_ENGINE=cuda` without a card: one line, exit code 10, and nothing computed on the CPU."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.errors import EngineUnavailable, MienError
from mien.models import open_net
from mien.settings import GPU_ENGINES

Mien = Callable[..., Any]
Started = Callable[..., "subprocess.CompletedProcess[Any]"]


@pytest.fixture(params=GPU_ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """An engine whose card this machine lacks."""
    name = str(request.param)
    try:
        open_net(b"", engine=name, threads=1)
    except EngineUnavailable:
        return name
    except MienError as error:
        pytest.skip(f"needs the package of {name}: {error}")
    pytest.skip(f"needs a machine without a card for {name}")


def test_an_owner_is_neither_unlocked_nor_refused(
    mien: Mien, started: Started, album: Path, vault: Path, engine: str
) -> None:
    assert mien("unlock", "ana", album / "probe.png").code == 0
    env = {"MIEN_ENGINE": engine}
    ran = started("unlock", "ana", album / "probe.png", env=env, capture_output=True, text=True)
    assert ran.returncode == 10
    assert ran.stdout == ""
    assert ran.stderr.startswith(f"mien: no graphics card for the engine {engine}: ")
    assert ran.stderr.count("\n") == 1


def test_the_outcome_is_that_of_a_model_that_cannot_be_used(
    mien: Mien, album: Path, vault: Path, engine: str
) -> None:
    data = mien("unlock", "ana", album / "probe.png", "--engine", engine, "--json").json
    assert data["exit_code"] == 10
    assert data["outcome"] == "model_unavailable"


def test_the_doctor_finds_the_fault(
    mien: Mien, home: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_ENGINE", engine)
    ran = mien("doctor")
    assert ran.code == 10
    fault = next(line for line in ran.out.splitlines() if line.startswith("FAIL engine: "))
    assert f"no graphics card for the engine {engine}" in fault
