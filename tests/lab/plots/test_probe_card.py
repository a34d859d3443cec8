"""The card of one photo at the door: decision, face and gauge, looked at pixel by pixel."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import MissingExtra, Outcome
from mien.lab.plots import draw_probe_card
from mien.lab.plots.gauge import ACCEPTED, REFUSED
from mien.lab.plots.probe_card import POINT_MARKS
from mien.lab.plots.style import LOCKED, UNLOCKED
from mien.results import POINT_NAMES, ByteArray, Decision, Face, Threshold

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")

NAN = float("nan")
GREY = (120, 120, 120)
SCALE = 1.5


def test_an_unlocked_card_is_green_and_a_locked_one_red(tmp_path: Path) -> None:
    green = _card(tmp_path, _decision(0.7, _face()))
    red = _card(tmp_path, _decision(0.1, _face()))
    assert tuple(green[3, 3]) == _rgb(UNLOCKED)
    assert tuple(red[3, 3]) == _rgb(LOCKED)


def test_the_lock_is_open_only_when_unlocked(tmp_path: Path) -> None:
    """The right leg of the shackle, just over the body: white when closed, gone when open."""
    x, y = round((24 + 16 + 8) * SCALE), round((40 - 6) * SCALE)
    assert tuple(_card(tmp_path, _decision(0.1, _face()))[y, x]) == (255, 255, 255)
    assert tuple(_card(tmp_path, _decision(0.7, _face()))[y, x]) == _rgb(UNLOCKED)


def test_all_five_points_are_drawn_at_their_places_in_their_own_colours(tmp_path: Path) -> None:
    face = _face()
    pixels = _card(tmp_path, _decision(0.7, face))
    # a 400 x 400 photo is drawn 500 units wide from (24, 84)
    for name, (x, y) in zip(POINT_NAMES, face.points_xy, strict=True):
        column = round((24 + x * 500 / 400) * SCALE)
        row = round((84 + y * 500 / 400) * SCALE)
        assert tuple(pixels[row, column]) == _rgb(POINT_MARKS[name][0]), name


def test_the_points_differ_in_colour_and_neighbours_in_shape() -> None:
    colours = {colour for colour, _ in POINT_MARKS.values()}
    assert list(POINT_MARKS) == list(POINT_NAMES)
    assert len(colours) == 5
    corners = [POINT_MARKS[name][1] for name in POINT_NAMES]
    assert corners[0] != corners[2] != corners[3]


def test_the_box_is_drawn_around_the_face(tmp_path: Path) -> None:
    pixels = _card(tmp_path, _decision(0.7, _face()))
    row = round((84 + 200 * 1.25) * SCALE)  # halfway down the box
    column = round((24 + 100 * 1.25) * SCALE)  # its left edge
    around = pixels[row, column - 5 : column + 6]
    assert (around == 255).all(axis=1).any()
    assert tuple(pixels[row, column - 20]) == GREY


def test_the_bar_ends_at_the_similarity_and_the_mark_stands_at_the_threshold(
    tmp_path: Path,
) -> None:
    pixels = _card(tmp_path, _decision(0.7, _face(), threshold=0.4))
    middle = round((84 + 500 + 36 + 36 + 10) * SCALE)  # photo, legend, top of the bar, half of it
    line = pixels[middle]
    filled = np.flatnonzero((line == _rgb(UNLOCKED)).all(axis=1))
    # the bar runs from -0.2 to 1 over 500 units: 0.7 is 375 along it, 0.4 is 250
    assert filled.max() == pytest.approx((24 + 375) * SCALE, abs=2)
    rest = pixels[middle - 13]  # over the bar in the bar's frame: the tints of both sides
    assert tuple(rest[round((24 + 100) * SCALE)]) == _rgb(REFUSED)
    assert tuple(rest[round((24 + 450) * SCALE)]) == _rgb(ACCEPTED)
    dark = np.flatnonzero(line.max(axis=1) < 60)
    assert dark.mean() == pytest.approx((24 + 250) * SCALE, abs=2)


def test_a_refused_similarity_is_a_red_bar_that_ends_before_the_mark(tmp_path: Path) -> None:
    pixels = _card(tmp_path, _decision(0.1, _face(), threshold=0.4))
    middle = round((84 + 500 + 36 + 36 + 10) * SCALE)
    filled = np.flatnonzero((pixels[middle] == _rgb(LOCKED)).all(axis=1))
    assert filled.max() == pytest.approx((24 + 125) * SCALE, abs=2)


@pytest.mark.parametrize("similarity", [-1.0, -0.6, -0.2, 0.0, 0.3999, 0.4, 1.0, NAN])
@pytest.mark.parametrize("threshold", [-0.99, 0.4, 1.0])
def test_every_similarity_and_threshold_can_be_drawn(
    similarity: float, threshold: float, tmp_path: Path
) -> None:
    _expect_clear_sides(_card(tmp_path, _decision(similarity, _face(), threshold=threshold)))


def test_no_face_and_no_similarity_is_a_locked_card_without_marks(tmp_path: Path) -> None:
    pixels = _card(tmp_path, _decision(NAN, None))
    assert tuple(pixels[3, 3]) == _rgb(LOCKED)
    for colour, _ in POINT_MARKS.values():
        assert not (pixels == _rgb(colour)).all(axis=2).any()


@pytest.mark.parametrize("shape", [(3000, 4000), (40, 4000), (4000, 40), (1, 1), (220, 330)])
def test_photos_of_any_size_are_drawn_at_one_size_and_files_stay_small(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "card.png"
    photo = np.full((*shape, 3), GREY, np.uint8)
    pixels = _card(tmp_path, _decision(0.7, _face()), photo)
    assert pixels.shape[1] == 822
    assert pixels.shape[0] <= 1110
    assert path.stat().st_size < 200_000
    _expect_clear_sides(pixels)


def test_a_small_face_is_shown_enlarged_in_a_corner(tmp_path: Path) -> None:
    photo = np.full((1000, 1000, 3), GREY, np.uint8)
    photo[100:140, 100:140] = (200, 30, 90)
    face = Face(
        np.array([100, 100, 140, 140], np.float32),
        np.array([[110, 112], [130, 112], [120, 120], [112, 130], [128, 130]], np.float32),
        0.9,
    )
    pixels = _card(tmp_path, _decision(0.7, face), photo)
    shown = np.argwhere((pixels == (200, 30, 90)).all(axis=2))
    lower_right = shown[(shown[:, 0] > 600) & (shown[:, 1] > 450)]
    assert len(lower_right) > 100 * 100  # 40 pixels of the photo, 150 units for 60 of them


@pytest.mark.parametrize("place", [(-50, -50), (380, 380), (1000, 1000), (-500, 100)])
def test_a_face_past_the_edge_is_clipped_to_the_photo(
    place: tuple[int, int], tmp_path: Path
) -> None:
    x, y = place
    box = np.array([x, y, x + 60, y + 60], np.float32)
    points = np.array([[x + 9 * at, y + 30] for at in range(5)], np.float32)
    _expect_clear_sides(_card(tmp_path, _decision(0.7, Face(box, points, 0.9))))


def test_hostile_and_long_texts_cause_no_warning(tmp_path: Path) -> None:
    texts = [
        "$x^2",
        "$x^{$",
        "李小龍.jpg",
        "\udcff\x00\n",
        "w" * 3000,
        "word " * 400,
        "",
        "\u202egnp.exe",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in texts:
            decision = _decision(0.1, _face(), reason=text)
            photo = np.full((200, 200, 3), GREY, np.uint8)
            path = draw_probe_card(photo, decision, text, tmp_path / "card.png")
            _expect_clear_sides(_opened(path))


def test_an_array_that_is_not_a_photo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        _card(tmp_path, _decision(0.7, None), np.zeros((0, 5, 3), np.uint8))


def test_without_matplotlib_the_error_names_the_pip_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(MissingExtra, match=r"pip install '.*\[lab\]'"):
        _card(tmp_path, _decision(0.7, _face()))


def _face() -> Face:
    """A face of 200 x 240 pixels in a photo of 400 x 400."""
    return Face(
        np.array([100, 80, 300, 320], np.float32),
        np.array([[150, 160], [250, 160], [200, 210], [160, 260], [240, 260]], np.float32),
        0.99,
    )


def _decision(
    similarity: float, face: Face | None, *, threshold: float = 0.4, reason: str = "a reason"
) -> Decision:
    outcome = Outcome.UNLOCKED if similarity >= threshold else Outcome.NOT_THE_OWNER
    return Decision(similarity, Threshold(threshold, "sface", "by hand"), reason, outcome, face)


def _card(folder: Path, decision: Decision, photo: ByteArray | None = None) -> ByteArray:
    if photo is None:
        photo = np.full((400, 400, 3), GREY, np.uint8)
    return _opened(draw_probe_card(photo, decision, "photo.jpg", folder / "card.png"))


def _opened(path: Path) -> ByteArray:
    with Image.open(path) as opened:
        assert opened.format == "PNG"
        return np.array(opened, dtype=np.uint8)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def _expect_clear_sides(pixels: ByteArray) -> None:
    """Under the header and beside the photo nothing but white, and text ends before the edge."""
    below = pixels[round(110 * SCALE) :]
    assert (below[:, :20] == 255).all()
    assert (below[:, -20:] == 255).all()
    assert (pixels[-12:] == 255).all()
    header = pixels[: round(70 * SCALE)]
    assert len(np.unique(header[:, :20].reshape(-1, 3), axis=0)) == 1
    assert len(np.unique(header[:, -20:].reshape(-1, 3), axis=0)) == 1
