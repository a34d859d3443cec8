"""The crops that training sees: of the photos that show a face, with names or without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import UsageError
from mien.lab.training.crops import FaceCrops, cut_faces, find_training_photos
from mien.results import ByteArray
from mien.settings import Settings


@pytest.fixture
def people(tmp_path: Path, astronaut: ByteArray) -> Path:
    """Two photos of one person, one of another, and a photo without a face."""
    for name in ("ana/1.jpg", "ana/2.jpg", "ben/1.jpg"):
        (tmp_path / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(astronaut).save(tmp_path / "people" / name)
    Image.new("RGB", (200, 200), (90, 90, 90)).save(tmp_path / "people" / "ben" / "2.png")
    return tmp_path / "people"


def test_photos_carry_their_folder_as_a_name(people: Path) -> None:
    found = find_training_photos(people)
    assert [(path.name, name) for path, name in found] == [
        ("1.jpg", "ana"),
        ("2.jpg", "ana"),
        ("1.jpg", "ben"),
        ("2.png", "ben"),
    ]
    flat = find_training_photos(people / "ana")
    assert [(path.name, name) for path, name in flat] == [("1.jpg", ""), ("2.jpg", "")]


def test_each_photo_with_a_face_gives_a_crop_and_the_others_are_counted(
    people: Path, settings: Settings
) -> None:
    shown: list[Path] = []

    def progress(items: object) -> object:
        for item in items:  # type: ignore[attr-defined]
            shown.append(item)
            yield item

    crops = cut_faces(
        find_training_photos(people),
        settings=settings,
        choice="largest",
        progress=progress,  # type: ignore[arg-type]
    )
    assert crops.pixels.shape == (3, 160, 160, 3)
    assert crops.names == ("ana", "ana", "ben")
    assert crops.left_out == 1
    assert crops.person.tolist() == [0, 0, 1]
    assert len(set(crops.sha256)) == 1  # one picture in three files
    assert len(shown) == 4


def test_photos_without_any_face_are_an_error(people: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match="no face found in the 1 photos"):
        cut_faces([(people / "ben" / "2.png", "ben")], settings=settings, choice="largest")


def test_identities_are_names_with_hashes() -> None:
    crops = FaceCrops(np.zeros((2, 1, 1, 3), np.uint8), ("b", "a"), (b"1", b"2"), 0)
    assert crops.identities == [("b", b"1"), ("a", b"2")]
    assert crops.person.tolist() == [1, 0]
