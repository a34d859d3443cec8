"""The chart of attacks that pass, by species."""

from pathlib import Path

import pytest
from PIL import Image

from mien.lab.plots.attacks import draw_attacks
from mien.metrics import independent_rate

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")

ONE = {"print": independent_rate(3, 60)}
TWO = ONE | {"tablet": independent_rate(0, 40)}


def test_each_species_is_a_row_and_each_way_a_colour(tmp_path: Path) -> None:
    drawn = [
        draw_attacks(rates, tmp_path / f"{number}.png")
        for number, rates in enumerate(({"passive": ONE}, {"passive": TWO, "motion": ONE}))
    ]
    with Image.open(drawn[0]) as small, Image.open(drawn[1]) as large:
        assert large.height > small.height
        assert len(large.convert("RGB").getcolors(1 << 24)) > 10


@pytest.mark.parametrize("rates", [{}, {"passive": {}}])
def test_a_species_is_needed(rates: dict, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no species whose rate can be drawn"):
        draw_attacks(rates, tmp_path / "none.png")
