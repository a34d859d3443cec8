"""The chart of thresholds by the number of enrolled photos."""

from pathlib import Path

import pytest
from PIL import Image

from mien.lab.plots.thresholds import draw_thresholds

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")


def test_each_calibration_is_a_line(tmp_path: Path) -> None:
    own = {"school": [0.45, 0.5], "shipped": [0.42, 0.43]}
    both = draw_thresholds([1, 3], own, tmp_path / "both.png")
    one = draw_thresholds([1, 3], {"school": [0.45, 0.5]}, tmp_path / "one.png")
    with Image.open(both) as with_two, Image.open(one) as with_one:
        assert with_two.height > with_one.height  # a line more in the legend
        assert len(with_two.convert("RGB").getcolors(1 << 24)) > 10


@pytest.mark.parametrize(("photos", "values"), [([], []), ([1, 3], [0.4])])
def test_a_threshold_for_each_number_of_photos_is_needed(
    photos: list[int], values: list[float], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="a threshold for each number of photos"):
        draw_thresholds(photos, {"school": values}, tmp_path / "none.png")
