"""The chooser: pick a photo, see the lock. It opens for a decision that says yes, and only then."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien import FaceUnlock
from mien.app.pipeline import Pipeline
from mien.errors import MissingExtra, Outcome, UsageError
from mien.lab.demo.chooser import probe_chooser, try_photo
from mien.lab.recapture import recapture
from mien.results import ByteArray, Decision, Threshold

OPEN, SHUT = ": unlocked<", ": locked<"


@pytest.fixture(scope="module", autouse=True)
def widgets() -> ModuleType:
    return pytest.importorskip("ipywidgets", reason="needs ipywidgets: pip install '.[notebook]'")


@pytest.fixture(scope="module")
def door(astronaut: ByteArray, pipeline: Pipeline) -> FaceUnlock:
    return FaceUnlock([astronaut], pipeline=pipeline)


@pytest.fixture(scope="module")
def album(astronaut: ByteArray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The owner again, nobody, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("album")
    Image.fromarray(recapture(astronaut, np.random.default_rng(1))).save(folder / "her.png")
    Image.new("RGB", (200, 300), "navy").save(folder / "nobody.png")
    (folder / "torn.jpg").write_text("no picture")
    return folder


class Scripted:
    """A door that answers what it was told to, or fails."""

    threshold = Threshold(0.4, "scripted", "this test")

    def __init__(self, *answers: Decision | Exception) -> None:
        self.answers = list(answers)

    def __call__(self, image: ByteArray) -> Decision:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


YES = Decision(0.9, Scripted.threshold, "the same person", Outcome.UNLOCKED)


def parts(chooser: Any) -> tuple[Any, Any, Any]:
    choice, verdict, card = chooser.children
    return choice, verdict, card


def picked(chooser: Any, path: Path) -> str:
    choice, verdict, _ = parts(chooser)
    choice.value = path
    return str(verdict.value)


# what is shown -----------------------------------------------------------------------------


def test_the_list_holds_the_photos_of_a_folder(door: FaceUnlock, album: Path) -> None:
    choice, _, _ = parts(probe_chooser(album, door))
    assert [name for name, _ in choice.options] == ["her.png", "nobody.png", "torn.jpg"]
    assert choice.value == album / "her.png"


def test_the_owner_sees_the_open_lock_and_the_numbers(door: FaceUnlock, album: Path) -> None:
    said = picked(probe_chooser(album, door), album / "her.png")
    decision = door(album / "her.png")
    similarity, threshold = decision.similarity, decision.threshold.value
    assert f"her.png{OPEN}" in said
    assert f"similarity {similarity:.3f}, threshold {threshold:.3f}; the same person" in said
    assert SHUT not in said


def test_a_photo_without_a_face_shows_the_closed_lock(door: FaceUnlock, album: Path) -> None:
    said = picked(probe_chooser(album, door), album / "nobody.png")
    assert f"nobody.png{SHUT}" in said
    assert f"no similarity, threshold {door.threshold.value:.3f}; no face found" in said
    assert OPEN not in said


def test_each_choice_draws_its_own_picture(door: FaceUnlock, album: Path) -> None:
    chooser = probe_chooser(album, door)
    _, _, card = parts(chooser)
    pictures = []
    for path in sorted(album.iterdir()):
        picked(chooser, path)
        with Image.open(io.BytesIO(card.value)) as drawn:
            assert drawn.format == "PNG"
            pictures.append(np.asarray(drawn.convert("RGB")))
    heads = [tuple(int(value) for value in picture[4, 4]) for picture in pictures]
    assert heads == [(0x00, 0x74, 0x5A), (0xB3, 0x30, 0x1C), (0xB3, 0x30, 0x1C)]


def test_an_earlier_photo_can_be_chosen_again(door: FaceUnlock, album: Path) -> None:
    chooser = probe_chooser(album, door)
    locks = [picked(chooser, album / name) for name in ("her.png", "nobody.png", "her.png")]
    assert [OPEN in said for said in locks] == [True, False, True]


# it fails closed ---------------------------------------------------------------------------


def test_a_file_that_is_not_a_picture_is_locked_with_the_reason(
    door: FaceUnlock, album: Path
) -> None:
    said = picked(probe_chooser(album, door), album / "torn.jpg")
    assert f"torn.jpg{SHUT}" in said
    assert "is not a picture that mien reads; convert it to JPEG or PNG" in said


def test_a_photo_that_was_deleted_is_locked(door: FaceUnlock, album: Path, tmp_path: Path) -> None:
    chooser = probe_chooser([album / "her.png", tmp_path / "gone.png"], door)
    said = picked(chooser, tmp_path / "gone.png")
    assert SHUT in said
    assert "there is no file" in said


def test_an_unexpected_error_is_locked(album: Path) -> None:
    chooser = probe_chooser(album, Scripted(YES, RuntimeError("out of order")))
    _, verdict, card = parts(chooser)
    assert OPEN in verdict.value
    with pytest.raises(RuntimeError):
        picked(chooser, album / "nobody.png")
    assert f"nobody.png{SHUT}" in verdict.value
    assert OPEN not in verdict.value
    assert card.value == b""


def test_try_photo_turns_an_error_into_a_refusal(door: FaceUnlock, album: Path) -> None:
    _, decision = try_photo(album / "torn.jpg", door)
    assert not decision
    assert math.isnan(decision.similarity)
    assert decision.outcome is Outcome.UNREADABLE_IMAGE


# names and parts ---------------------------------------------------------------------------


def test_html_in_a_name_is_escaped(door: FaceUnlock, album: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "<img src=x onerror=alert(1)>\n.png"
    hostile.write_bytes((album / "nobody.png").read_bytes())
    chooser = probe_chooser([hostile], door)
    choice, verdict, _ = parts(chooser)
    assert "<img" not in verdict.value
    assert "&lt;img src=x onerror=alert(1)&gt; .png" in verdict.value
    assert "\n" not in choice.options[0][0]


def test_photos_with_the_same_name_are_distinguished(
    door: FaceUnlock, album: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "her.png"
    twin.write_bytes((album / "nobody.png").read_bytes())
    choice, _, _ = parts(probe_chooser([album / "her.png", twin], door))
    assert [label for label, _ in choice.options] == [str(album / "her.png"), str(twin)]


def test_a_folder_without_photos_is_a_usage_error(door: FaceUnlock, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no photo to choose from"):
        probe_chooser([], door)
    with pytest.raises(UsageError, match="gives no photo"):
        probe_chooser(tmp_path, door)


def test_without_ipywidgets_the_error_names_the_extra(
    door: FaceUnlock, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingExtra, match=r"pip install '.*\[notebook\]'"):
        probe_chooser(album, door)
