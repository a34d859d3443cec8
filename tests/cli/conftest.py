"""Shared by the tests of the command line: how to run a command, photos and a filled vault."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.vault.sealed_parts import store_record

from mien.app.enroll import enroll
from mien.app.pipeline import Pipeline
from mien.cli.main import main
from mien.lab.recapture import recapture
from mien.results import ByteArray, ModelId, Template
from mien.settings import load_settings
from mien.vault import Record, pack_template
from mien.vault.open import open_vault

GUARD_S = 300.0
"""A process that hangs fails the test after so many seconds; nothing else is timed."""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output, whose exit code is the process's."""
        assert self.out.count("\n") == 1
        data: dict[str, Any] = json.loads(self.out)
        assert data["exit_code"] == self.code
        assert isinstance(data["outcome"], str)
        return data

    @property
    def complaint(self) -> str:
        """The one line on standard error; standard output has nothing but JSON, if asked for."""
        assert self.err.startswith("mien: ")
        assert self.err.endswith("\n")
        assert self.err[:-1].isprintable()
        assert self.code != 0
        return self.err[len("mien: ") : -1]


Mien = Callable[..., Ran]
Started = Callable[..., "subprocess.CompletedProcess[Any]"]


@pytest.fixture
def mien(home: Path, capsys: pytest.CaptureFixture[str]) -> Mien:
    """Run a command in this process, as a user with an empty home."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse: --help, --version and wrong usage
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture
def started(home: Path) -> Started:
    """Run a command in a process of its own."""

    def run(
        *arguments: object, env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[Any]:
        line = [sys.executable, "-m", "mien", *map(str, arguments)]
        environ = {**os.environ, **(env or {})}
        return subprocess.run(line, env=environ, timeout=GUARD_S, check=False, **options)

    return run


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray) -> Path:
    """me/1.png, 2.png, 3.png; probe.png of her too; wall.png of nobody; crowd.png of two."""
    folder = tmp_path_factory.mktemp("album")
    (folder / "me").mkdir()
    rng = np.random.default_rng(2)
    for name in ("me/1.png", "me/2.png", "me/3.png", "probe.png"):
        Image.fromarray(recapture(astronaut, rng)).save(folder / name)
    Image.new("RGB", (300, 300), (150, 140, 130)).save(folder / "wall.png")
    Image.fromarray(np.hstack([astronaut, astronaut])).save(folder / "crowd.png")
    (folder / "text.jpg").write_text("this is no picture")
    return folder


@pytest.fixture(scope="session")
def stored(
    pipeline: Pipeline,
    album: Path,
    somebody: Callable[[str, ModelId], Record],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A home made once, whose vault has ana, who is in the album, and ben, who is nobody."""
    home = tmp_path_factory.mktemp("stored")
    settings = load_settings({"HOME": str(home)})
    with open_vault(settings, create=True, surface="library", environ={}) as vault:
        enroll(
            "ana",
            sorted((album / "me").iterdir()),
            pipeline=pipeline,
            vault=vault,
            mode="new",
            clock=lambda: datetime(2026, 1, 31, 12, tzinfo=timezone.utc),
        )
        store_record(vault, somebody("ben", pipeline.model))
    return home


@pytest.fixture(scope="session")
def somebody() -> Callable[[str, ModelId], Record]:
    """Makes a record of nobody we have a photo of."""

    def make(user: str, model: ModelId) -> Record:
        vector = np.zeros((1, 128), np.float32)
        vector[0, 0] = 1
        payload = pack_template(Template(vector, model))
        return Record(user, model, "2026-01-31T12:00:00+00:00", payload)

    return make


@pytest.fixture
def vault(home: Path, stored: Path) -> Path:
    """The vault of this home, with ana and ben in it, and its key."""
    shutil.copytree(stored, home, dirs_exist_ok=True)
    return load_settings().vault_path


@pytest.fixture
def people(album: Path, tmp_path: Path) -> Path:
    """A folder of people, one of them with a name that would break a line."""
    root = tmp_path / "people"
    for person, photos in {"me": ["1", "2", "3"], "two\nlines": ["1", "2"]}.items():
        (root / person).mkdir(parents=True)
        for photo in photos:
            shutil.copy(album / "me" / f"{photo}.png", root / person)
    shutil.copy(album / "wall.png", root / "me" / "wall.png")
    shutil.copy(album / "text.jpg", root / "me" / "text.jpg")
    return root


@pytest.fixture
def film(album: Path, tmp_path: Path) -> Path:
    """Motion JPEG: her for four frames."""
    target = tmp_path / "film.mjpeg"
    with target.open("wb") as stream:
        for name in ("me/1", "me/2", "me/3", "probe"):
            with Image.open(album / f"{name}.png") as picture:
                picture.convert("RGB").save(stream, "JPEG", quality=95)
    return target
