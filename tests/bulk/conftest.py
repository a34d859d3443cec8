"""What tests of runs share: photos whose bytes say what becomes of them, and settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bulk.fragile import PHOTOS

from mien.settings import Settings, load_settings


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty photos of eight people."""
    made = tmp_path / "people"
    for number in range(PHOTOS):
        photo = made / f"person {number // 5}" / f"{number:02}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(f"photo {number}".encode())
    (made / "person 0" / ".hidden.jpg").write_bytes(b"exit")
    (made / "person 0" / "notes.txt").write_bytes(b"exit")
    return made


@pytest.fixture
def own(home: Path) -> Settings:
    """Settings of an empty home."""
    return load_settings()
