"""Pictures of many faces: written, opened again, and looked at pixel by pixel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mien.errors import MissingExtra, UsageError
from mien.lab.plots import draw_crop_grid, draw_heat_map, draw_pca_map
from mien.lab.plots.canvas import drawable, fitted, in_two_lines, map_colours, text_width
from mien.results import ByteArray

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")

RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)
LONG = "Wolfeschlegelsteinhausenbergerdorff the Third, of Hamburg and Philadelphia"
HOSTILE = [
    "$x^{$", "_hidden", "李小龍", "محمد علي", "a\nb\tc", "<b>", "\u202egnp.exe", "😀 e\u0301",
    LONG, "", "नरेन्द्र", "\udcff bytes", "\\frac{1}{", "%s {0}", "x" * 5000, "\x00",
]  # fmt: skip


def test_crops_are_in_reading_order_grouped_by_person(tmp_path: Path) -> None:
    crops = [_plain(RED), _plain(BLUE), _plain(GREEN)]
    pixels = _opened(draw_crop_grid(crops, ["a", "b", "a"], tmp_path / "grid.png"))
    # units times 1.5: margin 24, title 62, side 104, gap 8
    for column, colour in enumerate((RED, GREEN, BLUE)):
        x = round((24 + column * 112 + 52) * 1.5)
        assert tuple(pixels[round((62 + 52) * 1.5), x]) == colour
    # three columns would be 376 units wide; the title needs 380
    assert pixels.shape == (round((62 + 104 + 46 + 24) * 1.5), round(380 * 1.5), 3)


def test_a_person_who_fits_in_one_row_is_not_split_over_two(tmp_path: Path) -> None:
    crops = [_plain(RED)] * 5 + [_plain(BLUE)] * 4  # nine columns would not fit
    pixels = _opened(draw_crop_grid(crops, ["a"] * 5 + ["b"] * 4, tmp_path / "grid.png"))
    reds, blues = _where(pixels, RED), _where(pixels, BLUE)
    assert reds[:, 0].max() < blues[:, 0].min()  # all of b under all of a


def test_a_person_of_many_crops_takes_several_rows(tmp_path: Path) -> None:
    pixels = _opened(draw_crop_grid([_plain(RED)] * 20, ["a"] * 20, tmp_path / "grid.png"))
    # matplotlib before 3.10 rounds some edges one pixel outward
    assert len(_where(pixels, RED)) == pytest.approx(20 * 156 * 156, rel=0.01)


def test_crops_of_any_shape_are_cut_to_their_centre(tmp_path: Path) -> None:
    tall = np.full((90, 30, 3), 255, np.uint8)
    tall[30:60] = RED
    pixels = _opened(draw_crop_grid([tall], ["a"], tmp_path / "grid.png"))
    assert len(_where(pixels, RED)) == 156 * 156


def test_the_heat_map_shows_each_face_on_both_sides_and_each_cell_in_its_colour(
    tmp_path: Path,
) -> None:
    matrix = np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)
    crops = [_plain(RED), _plain(BLUE)]
    pixels = _opened(draw_heat_map(matrix, crops, ["a", "b"], tmp_path / "heat.png"))
    alike, unlike = map_colours(np.array([1.0, 0.0], np.float32))
    cells = [_where(pixels, tuple(alike)), _where(pixels, tuple(unlike))]
    map_top, map_left = np.vstack(cells).min(axis=0)
    for colour in (RED, BLUE):
        spots = _where(pixels, colour)
        assert (spots[:, 1] < map_left).any()  # beside the map
        assert (spots[:, 0] < map_top).any()  # over the map
    cell = 76 * 1.5
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        # a corner of the cell, away from its number and from the line between people
        y, x = round(map_top + (row + 0.1) * cell), round(map_left + (column + 0.1) * cell)
        assert tuple(pixels[y, x]) == tuple(alike if row == column else unlike)


def test_the_heat_map_groups_faces_by_person(tmp_path: Path) -> None:
    order = [0, 2, 1, 3]
    matrix = np.array([[1, 0.9, 0, 0.1], [0.9, 1, 0.2, 0], [0, 0.2, 1, 0.8], [0.1, 0, 0.8, 1]])
    crops = [_plain(RED), _plain(GREEN), _plain(BLUE), _plain((9, 99, 199))]
    sorted_path = draw_heat_map(matrix, crops, list("aabb"), tmp_path / "sorted.png")
    mixed = matrix[np.ix_(order, order)]
    mixed_path = draw_heat_map(
        mixed, [crops[at] for at in order], list("abab"), tmp_path / "mixed.png"
    )
    np.testing.assert_array_equal(_opened(sorted_path), _opened(mixed_path))


@pytest.mark.parametrize("n", [1, 2, 31, 60])
def test_all_pictures_of_many_faces_keep_their_edges_clear(n: int, tmp_path: Path) -> None:
    crops, labels, matrix, coordinates = _people(n)
    paths = [
        draw_crop_grid(crops, labels, tmp_path / "grid.png"),
        draw_heat_map(matrix, crops, labels, tmp_path / "heat.png"),
        draw_pca_map(coordinates, crops, labels, [0.5, 0.25], tmp_path / "map.png"),
    ]
    for path in paths:
        pixels = _opened(path)
        assert max(pixels.shape) < 3600
        _expect_clear_edges(pixels)


def test_numbers_are_left_out_above_thirty_faces(tmp_path: Path) -> None:
    """Numbers are grey at their edges; without them the map holds its own colours only."""
    crops, _, matrix, _ = _people(31)
    whole = np.ones_like(matrix)
    yellow = tuple(map_colours(np.array([1.0], np.float32))[0])
    with_numbers = draw_heat_map(whole[:30, :30], crops[:30], ["a"] * 30, tmp_path / "30.png")
    without = draw_heat_map(whole, crops, ["a"] * 31, tmp_path / "31.png")
    assert len(_where(_opened(without), yellow)) >= (31 * 34 * 1.5) ** 2
    assert len(_where(_opened(with_numbers), yellow)) < (30 * 36 * 1.5) ** 2 * 0.98


def test_faces_are_drawn_at_their_coordinates(tmp_path: Path) -> None:
    crops = [_plain(RED), _plain(GREEN), _plain(BLUE)]
    coordinates = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
    pixels = _opened(
        draw_pca_map(coordinates, crops, list("abc"), [0.7, 0.3], tmp_path / "map.png")
    )
    red, green, blue = (_where(pixels, colour).mean(axis=0) for colour in (RED, GREEN, BLUE))
    assert red[1] < blue[1] < green[1]  # x to the right
    assert blue[0] < red[0]  # y up
    # the same scale on both axes: the third point is as far up as the others are aside
    assert (red[0] - blue[0]) / (green[1] - red[1]) == pytest.approx(0.5, abs=0.02)


def test_faces_at_the_same_coordinates_are_all_fully_visible(tmp_path: Path) -> None:
    crops = [_plain(RED), _plain(GREEN), _plain(BLUE)]
    spot = np.zeros((3, 2), np.float32)
    pixels = _opened(draw_pca_map(spot, crops, list("abc"), [0.0, 0.0], tmp_path / "map.png"))
    seen = [len(_where(pixels, colour)) for colour in (RED, GREEN, BLUE)]
    assert min(seen) > 0.85 * (76 * 1.5) ** 2  # but for the draw_person_number and the lines


def test_hostile_names_cause_no_warning_and_keep_the_edges_clear(tmp_path: Path) -> None:
    n = len(HOSTILE)
    crops, _, matrix, coordinates = _people(n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in (
            draw_crop_grid(crops, HOSTILE, tmp_path / "grid.png"),
            draw_heat_map(matrix, crops, HOSTILE, tmp_path / "heat.png"),
            draw_pca_map(coordinates, crops, HOSTILE, [0.5, 0.2], tmp_path / "map.png"),
        ):
            _expect_clear_edges(_opened(path))


def test_text_is_shortened_to_the_available_width() -> None:
    assert fitted("short", 200.0) == "short"
    cut = fitted(LONG, 120.0)
    assert text_width(cut) <= 120.0 < text_width(LONG)
    assert cut.startswith("Wolf")
    assert cut.endswith("ia")
    assert fitted(LONG, 0.0) == "…"


def test_two_lines_break_at_a_space() -> None:
    assert in_two_lines("one", 200.0) == ["one"]
    assert in_two_lines("", 200.0) == [""]
    first, second = in_two_lines("alpha beta gamma", text_width("alpha beta") + 1)
    assert (first, second) == ("alpha beta", "gamma")


def test_a_character_without_a_glyph_is_replaced() -> None:
    assert drawable("a\U0010fffdb") == "a\ufffdb"


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    crops, labels, matrix, _ = _people(5)
    first = draw_heat_map(matrix, crops, labels, tmp_path / "1.png").read_bytes()
    assert first == draw_heat_map(matrix, crops, labels, tmp_path / "2.png").read_bytes()


def test_arrays_of_different_lengths_are_refused(tmp_path: Path) -> None:
    crops, labels, matrix, coordinates = _people(3)
    path = tmp_path / "no.png"
    with pytest.raises(ValueError, match="one label per crop"):
        draw_crop_grid(crops, labels[:2], path)
    with pytest.raises(ValueError, match="no crops"):
        draw_crop_grid([], [], path)
    with pytest.raises(ValueError, match=r"similarities must be \(3, 3\)"):
        draw_heat_map(matrix[:2, :2], crops, labels, path)
    with pytest.raises(ValueError, match="similarities"):
        draw_heat_map(np.full((3, 3), np.nan, np.float32), crops, labels, path)
    with pytest.raises(ValueError, match="coordinates"):
        draw_pca_map(coordinates * np.float32(np.inf), crops, labels, [0.5, 0.5], path)
    with pytest.raises(ValueError, match="a picture is"):
        draw_crop_grid([np.zeros((4, 4), np.uint8)], ["a"], path)
    assert not path.exists()


def test_a_path_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="choose another folder"):
        draw_crop_grid([_plain(RED)], ["a"], tmp_path / "file" / "grid.png")


def test_without_matplotlib_the_error_names_the_pip_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    crops, labels, matrix, coordinates = _people(2)
    line, path = r"pip install '.*\[lab\]'", tmp_path / "x.png"
    with pytest.raises(MissingExtra, match=line):
        draw_crop_grid(crops, labels, path)
    with pytest.raises(MissingExtra, match=line):
        draw_heat_map(matrix, crops, labels, path)
    with pytest.raises(MissingExtra, match=line):
        draw_pca_map(coordinates, crops, labels, [0.5, 0.5], path)


SCRIPT = """
import json, sys
import mien.lab.plots
early = [name for name in ("matplotlib", "PIL") if name in sys.modules]
import numpy as np
mien.lab.plots.draw_crop_grid([np.full((9, 9, 3), 77, np.uint8)], ["a"], sys.argv[1])
print(json.dumps([early, "matplotlib.pyplot" in sys.modules]))
"""


def test_a_users_matplotlibrc_changes_nothing_and_pyplot_is_never_loaded(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\nfigure.autolayout: True\nsavefig.bbox: tight\nfont.size: 40\n"
        "axes.facecolor: black\nlines.linewidth: 9\nimage.interpolation: bicubic\n"
    )
    path = tmp_path / "theirs.png"
    environment = {**os.environ, "MATPLOTLIBRC": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], False]
    ours = draw_crop_grid([np.full((9, 9, 3), 77, np.uint8)], ["a"], tmp_path / "ours.png")
    assert path.read_bytes() == ours.read_bytes()


def _plain(colour: tuple[int, int, int]) -> ByteArray:
    return np.full((20, 20, 3), colour, np.uint8)


def _people(
    n: int,
) -> tuple[list[ByteArray], list[str], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """n plain crops, names some of which repeat or are long, a matrix and coordinates."""
    rng = np.random.default_rng(n)
    crops = [_plain((50 + at * 3, 90, 200 - at * 3)) for at in range(n)]
    labels = [f"person {at // 2}" if at % 5 else LONG for at in range(n)]
    unit = rng.normal(size=(n, 8))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    matrix = np.clip(unit @ unit.T, -1, 1).astype(np.float32)
    return crops, labels, matrix, unit[:, :2].astype(np.float32)


def _opened(path: Path) -> ByteArray:
    with Image.open(path) as opened:
        assert opened.format == "PNG"
        assert opened.mode == "RGB"
        return np.array(opened, dtype=np.uint8)


def _where(pixels: ByteArray, colour: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """(m, 2) rows and columns of the pixels of exactly this colour."""
    return np.argwhere((pixels == np.array(colour, np.uint8)).all(axis=2))


def _expect_clear_edges(pixels: ByteArray) -> None:
    """A label that is cut off would leave ink in the outermost pixels."""
    edges = [pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]]
    assert all((edge == 255).all() for edge in edges)
