"""The chart of an audit: written, opened again, and looked at pixel by pixel."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mien.errors import MissingExtra
from mien.lab.audit.steps import KINDS
from mien.lab.plots.robustness import COLOURS, Panel, RobustnessCurve, draw_robustness_chart
from mien.results import ByteArray

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")

NAMES = [("sface", 0.363), ("facenet-vggface2", 0.8), ("a third", 0.5), ("a fourth", 0.6)]


def test_a_lower_similarity_is_drawn_lower_and_a_higher_strength_farther_right(
    tmp_path: Path,
) -> None:
    falls = RobustnessCurve((0.5, 1.0), (0.9, 0.2), (0.9, 0.2), (1.0, 1.0))
    pixels = drawn([Panel("Blur", ("sharp", "blurred"), (falls,))], NAMES[:1], tmp_path)
    line = within_panel(pixels, COLOURS[0])
    left, right = line[line[:, 1].argmin()], line[line[:, 1].argmax()]
    assert right[0] > left[0] + 100  # 0.8 of similarity down the panel


def test_a_change_with_two_directions_is_drawn_on_both_sides_of_the_centre(tmp_path: Path) -> None:
    both = RobustnessCurve((-1.0, 1.0), (0.2, 0.2), (0.1, 0.1), (1.0, 1.0))
    pixels = drawn([Panel("Gamma", ("lighter", "darker"), (both,))], NAMES[:1], tmp_path)
    line = within_panel(pixels, COLOURS[0])
    top = line[line[:, 0].argmin()]
    assert line[:, 1].min() + 80 < top[1] < line[:, 1].max() - 80


def test_a_mark_is_hollow_where_many_faces_were_not_found(tmp_path: Path) -> None:
    def ink(found: float) -> int:
        curve = RobustnessCurve((1.0,), (0.8,), (0.8,), (found,))
        panel = Panel("Blur", ("sharp", "blurred"), (curve,))
        return len(within_panel(drawn([panel], NAMES[:1], tmp_path), COLOURS[0]))

    assert ink(0.89) < ink(0.91) == ink(1.0)


def test_a_step_at_which_no_face_was_found_has_no_mark(tmp_path: Path) -> None:
    lost = RobustnessCurve((1.0,), (None,), (None,), (0.0,))
    pixels = drawn([Panel("Bar", ("none", "covered"), (lost,))], NAMES[:1], tmp_path)
    assert len(within_panel(pixels, COLOURS[0])) == 0


@pytest.mark.parametrize("n", [1, 2, 4])
def test_all_kinds_and_embedders_fit_and_the_edges_stay_clear(n: int, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = drawn(some_panels(n), NAMES[:n], tmp_path)
    edges = [pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]]
    assert all((edge == 255).all() for edge in edges)
    assert pixels.shape[1] < 720  # wider would shrink to nothing on a phone
    for colour in COLOURS[:n]:
        assert len(where(pixels, colour)) > 500


def test_a_negative_similarity_is_inside_its_panel(tmp_path: Path) -> None:
    under = RobustnessCurve((1.0,), (-0.3,), (-0.4,), (1.0,))
    over = RobustnessCurve((1.0,), (0.3,), (0.2,), (1.0,))
    for curve in (under, over):
        pixels = drawn([Panel("Noise", ("none", "much"), (curve,))], NAMES[:1], tmp_path)
        assert len(within_panel(pixels, COLOURS[0])) > 50
        edges = [pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]]
        assert all((edge == 255).all() for edge in edges)


def test_the_same_chart_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [
        draw_robustness_chart(some_panels(2), NAMES[:2], tmp_path / f"{n}.png") for n in (1, 2)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_values_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as many"):
        RobustnessCurve((1.0,), (), (), ())
    with pytest.raises(ValueError, match=r"-1\.\.1"):
        RobustnessCurve((1.0,), (float("nan"),), (0.5,), (1.0,))
    with pytest.raises(ValueError, match="one curve for each embedder"):
        draw_robustness_chart(some_panels(1), NAMES[:2], tmp_path / "no.png")
    with pytest.raises(ValueError, match="must be a panel"):
        draw_robustness_chart([], NAMES[:1], tmp_path / "no.png")
    five = [*NAMES, ("a fifth", 0.1)]
    with pytest.raises(ValueError, match="1 to 4 embedders"):
        draw_robustness_chart(some_panels(5), five, tmp_path / "no.png")


def test_without_matplotlib_the_error_names_the_pip_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(MissingExtra, match=r"pip install '.*\[lab\]'"):
        draw_robustness_chart(some_panels(1), NAMES[:1], tmp_path / "no.png")


def some_panels(n: int) -> list[Panel]:
    def curve(strengths: tuple[float, ...], fall: float) -> RobustnessCurve:
        mean = tuple(1 - fall * abs(s) for s in strengths)
        return RobustnessCurve(strengths, mean, tuple(m - 0.1 for m in mean), (1.0,) * len(mean))

    return [
        Panel(kind.title, kind.ends, tuple(curve(kind.strengths, 0.2 * (at + 1) / n + 0.1)
                                           for at in range(n)))
        for kind in KINDS
    ]  # fmt: skip


def drawn(panels: list[Panel], embedders: list[tuple[str, float]], folder: Path) -> ByteArray:
    with Image.open(draw_robustness_chart(panels, embedders, folder / "chart.png")) as opened:
        assert opened.mode == "RGB"
        return np.array(opened, dtype=np.uint8)


def where(pixels: ByteArray, colour: str) -> npt.NDArray[np.intp]:
    """(m, 2) rows and columns of the pixels of exactly this colour."""
    rgb = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return np.argwhere((pixels == np.array(rgb, np.uint8)).all(axis=2))


def within_panel(pixels: ByteArray, colour: str) -> npt.NDArray[np.intp]:
    """The same, without the legend, of a chart of one panel of one embedder."""
    found = where(pixels, colour)
    return found[found[:, 0] > 150]
