"""Curves, histogram and pairs of faces: written, opened again, and looked at pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mien.lab.plots import Curve, FacePair, draw_det, draw_pair_grid, draw_roc, draw_score_histogram
from mien.lab.plots.axes import LEFT, TITLE_HEIGHT
from mien.lab.plots.curves import HEIGHT, WIDTH
from mien.lab.plots.style import LOCKED, UNLOCKED, person_colour
from mien.metrics import as_scores, det
from mien.results import ByteArray

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")

SCALE = 1.5


def _curve(name: str, apart: float, n: int = 2000) -> Curve:
    rng = np.random.default_rng(5)
    genuine = rng.normal(apart, 0.1, n).astype(np.float32)
    impostor = rng.normal(0.0, 0.1, 10 * n).astype(np.float32)
    return Curve(name, det(genuine, impostor), 10 * n, n)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def _where(path: Path, colour: str) -> npt.NDArray[np.intp]:
    """Rows and columns of the pixels of exactly this colour."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    return np.argwhere(np.all(pixels == _rgb(colour), axis=2))


def _inside_the_frame(spots: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """(m, 2) shares of the frame, x from the left and y from below, of the spots within it."""
    x = (spots[:, 1] / SCALE - LEFT) / WIDTH
    y = 1.0 - (spots[:, 0] / SCALE - TITLE_HEIGHT) / HEIGHT
    return np.column_stack([x, y])[y >= -0.005]


def test_a_better_curve_is_higher_in_the_roc_and_lower_in_the_det(tmp_path: Path) -> None:
    curves = [_curve("worse", 0.25), _curve("better", 0.35)]
    for plot, better_is_higher in ((draw_roc, True), (draw_det, False)):
        path = plot(curves, tmp_path / "curve.png")
        middle = []
        for at in range(2):
            spots = _inside_the_frame(_where(path, person_colour(at)))
            middle.append(spots[np.abs(spots[:, 0] - 0.45) < 0.05][:, 1].mean())
        assert bool(middle[1] > middle[0]) is better_is_higher


def test_a_mark_is_drawn_at_its_coordinates(tmp_path: Path) -> None:
    curve = _curve("one", 0.5)
    marked = Curve("one", curve.det, curve.n_impostor, curve.n_genuine, ((0.5, 0.5),))
    spots = _inside_the_frame(_where(draw_det([marked], tmp_path / "d.png"), person_colour(0)))
    # the upper right corner is where both rates are a half
    assert spots[(spots[:, 0] > 0.99) & (spots[:, 1] > 0.99)].size


def test_perfect_and_tiny_data_can_be_drawn(tmp_path: Path) -> None:
    perfect = Curve("perfect", det(np.array([0.9, 0.8]), np.array([0.1, 0.2, 0.3])), 3, 2)
    wrong = Curve("upside down", det(np.array([0.1]), np.array([0.9])), 1, 1)
    for plot in (draw_roc, draw_det):
        for curves in ([perfect], [wrong], [perfect, wrong]):
            assert _where(plot(curves, tmp_path / "tiny.png"), person_colour(0)).size


def test_drawing_without_a_curve_is_refused(tmp_path: Path) -> None:
    for plot in (draw_roc, draw_det):
        with pytest.raises(ValueError, match="no curve"):
            plot([], tmp_path / "none.png")


def test_impostor_scores_are_left_of_genuine_scores_in_the_histogram(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    genuine = as_scores(rng.normal(0.7, 0.05, 500).astype(np.float32))
    impostor = as_scores(rng.normal(0.1, 0.05, 5000).astype(np.float32))
    marks = [("FMR 1e-2", 0.25), ("FMR 1e-3", 0.3)]
    path = draw_score_histogram(genuine, impostor, marks, tmp_path / "scores.png")
    ours, theirs = _where(path, UNLOCKED), _where(path, LOCKED)
    top = (TITLE_HEIGHT + 200) * SCALE  # above the legend and the flat ends of the outlines
    assert theirs[theirs[:, 0] < top][:, 1].max() < ours[ours[:, 0] < top][:, 1].min()


def test_a_histogram_without_one_kind_is_refused(tmp_path: Path) -> None:
    some, none = as_scores(np.array([0.5])), as_scores(np.zeros(0))
    lost = as_scores(np.array([-np.inf]))
    for pair in ((some, none), (none, some), (some, lost)):
        with pytest.raises(ValueError, match="needs"):
            draw_score_histogram(*pair, [], tmp_path / "none.png")


def test_both_faces_of_a_pair_are_side_by_side(tmp_path: Path) -> None:
    red, blue = _plain((250, 10, 10)), _plain((10, 10, 250))
    pairs = [FacePair(red, blue, "a $x^{$", "b\n\u202e", 0.5)] * 4
    path = draw_pair_grid(pairs, "Genuine pairs with the lowest similarity", tmp_path / "pairs.png")
    reds, blues = _where(path, "#fa0a0a"), _where(path, "#0a0afa")
    assert len(reds) == pytest.approx(4 * 198 * 198, rel=0.02)
    assert len(blues) == pytest.approx(4 * 198 * 198, rel=0.02)
    assert reds[:, 1].min() < blues[:, 1].min()
    with pytest.raises(ValueError, match="no pair"):
        draw_pair_grid([], "none", tmp_path / "none.png")


def _plain(colour: tuple[int, int, int]) -> ByteArray:
    return np.full((112, 112, 3), colour, np.uint8)
