"""Names from strangers, files that appear whole, squares that make room, colours that differ."""

from __future__ import annotations

import itertools
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.lab.labels import clean_text, display_name, rows_by_label, shorten
from mien.lab.plots.declutter import declutter
from mien.lab.plots.pca_map import nice_step
from mien.lab.plots.style import PEOPLE_COLOURS, relative_luminance, signed, text_colour_on
from mien.lab.report.output import write_output


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("me", "me"),
        ("two\nlines\ttab", "two lines tab"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("\udcff", "\ufffd"),
        ("نمی\u200cشد", "نمی\u200cشد"),  # a joiner that Persian is spelled with
        ("李小龍 😀", "李小龍 😀"),
    ],
)
def test_control_characters_in_a_name_are_replaced(given: str, shown: str) -> None:
    assert clean_text(given) == shown


def test_an_empty_name_is_shown_as_no_name() -> None:
    assert display_name(" \n ") == "(no name)"


@pytest.mark.parametrize(
    ("room", "shown"),
    [(11, "abcdefghijk"), (10, "abcdef…ijk"), (4, "ab…k"), (2, "a…"), (1, "…"), (0, "")],
)
def test_a_long_name_is_shortened_in_the_middle(room: int, shown: str) -> None:
    assert shorten("abcdefghijk", room) == shown


def test_people_come_in_order_of_first_appearance() -> None:
    assert rows_by_label(["b", "a", "b"]) == {"b": [0, 2], "a": [1]}


def test_a_file_is_replaced_atomically_and_no_temporary_file_remains(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.bin"
    write_output(path, b"old")
    assert write_output(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path / "a") == ["x.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permission bits")
def test_a_file_that_shows_faces_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    mode = write_output(tmp_path / "x.png", b"face").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_an_unwritable_path_is_named_and_no_temporary_file_remains(tmp_path: Path) -> None:
    (tmp_path / "x.png" / "sub").mkdir(parents=True)  # a folder where the file should go
    with pytest.raises(UsageError, match=r"x\.png'.*choose another folder"):
        write_output(tmp_path / "x.png", b"face")
    assert os.listdir(tmp_path) == ["x.png"]


@pytest.mark.parametrize("n", [0, 1, 2, 8, 60])
def test_overlapping_squares_are_separated_and_stay_inside(n: int) -> None:
    centres = np.random.default_rng(n).normal([380, 280], 30, size=(n, 2))
    places = declutter(centres, 44.0, 760.0, 560.0)
    assert places.shape == (n, 2)
    for one, other in itertools.combinations(places, 2):
        assert np.abs(one - other).max() > 44.0 - 0.01
    assert np.all(places >= 22.0 - 1e-9)
    assert np.all(places <= np.array([760.0, 560.0]) - 22.0 + 1e-9)


def test_squares_at_one_point_are_separated_in_a_repeatable_way() -> None:
    spot = np.full((5, 2), 100.0)
    first = declutter(spot, 20.0, 200.0, 200.0)
    np.testing.assert_array_equal(first, declutter(spot, 20.0, 200.0, 200.0))
    gaps = [np.abs(a - b).max() for a, b in itertools.combinations(first, 2)]
    assert min(gaps) > 19.9
    assert np.abs(first - 100.0).max() < 60.0  # no farther than it takes


def test_squares_that_do_not_overlap_are_not_moved() -> None:
    centres = np.array([[50.0, 50.0], [150.0, 150.0]])
    np.testing.assert_allclose(declutter(centres, 20.0, 200.0, 200.0), centres, atol=0.5)


def test_text_has_enough_contrast_on_every_colour() -> None:
    steps = np.linspace(0, 1, 9)
    for rgb in itertools.product(steps, steps, steps):
        back = relative_luminance(rgb)
        front = relative_luminance(text_colour_on(rgb))
        lighter, darker = max(back, front), min(back, front)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_contrast_by_hand() -> None:
    assert relative_luminance("#ffffff") == pytest.approx(1.0)
    assert relative_luminance("#ff0000") == pytest.approx(0.2126)
    assert text_colour_on("#ffff00") == "#000000"
    assert text_colour_on("#000080") == "#ffffff"


def test_no_two_people_colours_are_equal() -> None:
    assert len(set(PEOPLE_COLOURS)) == len(PEOPLE_COLOURS) == 8


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.125, "0.12"), (-0.5, "\N{MINUS SIGN}0.50"), (-0.001, "0.00"), (0.0, "0.00")],
)
def test_numbers_have_a_minus_sign_and_no_negative_zero(value: float, shown: str) -> None:
    assert signed(value, 2) == shown


@pytest.mark.parametrize(
    ("least", "step"), [(0.11, 0.2), (0.2, 0.2), (0.21, 0.5), (3.0, 5.0), (7.0, 10.0)]
)
def test_axis_steps_are_one_two_or_five(least: float, step: float) -> None:
    assert nice_step(least) == pytest.approx(step)
