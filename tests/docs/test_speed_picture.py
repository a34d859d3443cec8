"""The chart of speed: drawn from the figures that were kept, with bars as long as the figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from tests.scripts import load_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def picture() -> ModuleType:
    return load_script(ROOT / "docs" / "speed_picture.py")


def entry(release: str, **figures: float) -> dict[str, object]:
    return {"benchmark": "warm", "release": release, "figures": figures}


def bars(drawn: str) -> list[float]:
    """The widths of the bars, without the background and the legend."""
    return [float(one) for one in re.findall(r'<rect x="350" y="[\d.]+" width="([\d.]+)"', drawn)]


def test_the_chart_is_that_of_the_history(picture: ModuleType) -> None:
    drawn = picture.draw(picture.read_history(picture.HISTORY))
    assert picture.TARGET.read_text(encoding="utf-8") == drawn, "run: python docs/speed_picture.py"


def test_a_bar_is_as_long_as_its_share_of_the_highest_figure(picture: ModuleType) -> None:
    drawn = picture.draw([entry("1", try_cpu_ms=20.0), entry("2", try_cpu_ms=15.0)])
    legend, first, second = bars(drawn)
    assert legend == 12
    assert second == pytest.approx(first * 0.75, abs=0.1)
    assert "20 ms" in drawn
    assert "15 ms" in drawn


def test_the_last_entry_of_a_release_counts(picture: ModuleType) -> None:
    drawn = picture.draw([entry("1", try_cpu_ms=20.0), entry("1", try_cpu_ms=30.0)])
    assert "30 ms" in drawn
    assert "20 ms" not in drawn


def test_each_kept_figure_says_where_it_was_measured() -> None:
    lines = (ROOT / "benchmarks" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    for kept in map(json.loads, lines):
        assert kept["machine"].keys() == {"processor", "cores", "load"}
        assert {"python", "numpy", "onnxruntime"} <= kept["versions"].keys()
        assert re.fullmatch(r"[0-9a-f]{12}", kept["commit"])
        assert kept["figures"]
        assert all(isinstance(value, (int, float)) for value in kept["figures"].values())
