"""A template of the astronaut, a home whose vault has her enrolled, and a stranger."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.app.parts import clock, opened

from mien.app.enroll import enroll, enroll_photos
from mien.app.pipeline import Pipeline
from mien.media.image_file import read_image
from mien.results import ByteArray, Template


@pytest.fixture(scope="module")
def home_of_her(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A home with a vault in which she is enrolled as eileen; never change it."""
    home = tmp_path_factory.mktemp("hers")
    with opened(home) as vault:
        enroll("eileen", shots[:3], pipeline=pipeline, vault=vault, mode="new", clock=clock)
    return home


@pytest.fixture
def home(home_of_her: Path, tmp_path: Path) -> Path:
    """A copy of that home, which a test may change."""
    return Path(shutil.copytree(home_of_her, tmp_path / "home"))


@pytest.fixture(scope="module")
def template(pipeline: Pipeline, shots: list[ByteArray]) -> Template:
    return enroll_photos(shots[:3], pipeline).template


@pytest.fixture(scope="module")
def stranger(shared_photos: Path) -> ByteArray:
    """A photo of somebody else."""
    return read_image(shared_photos / "faces_test" / "202008-full.jpg")
