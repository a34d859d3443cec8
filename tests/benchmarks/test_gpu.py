"""The benchmark of a graphics card: what it says without one, and what it compares."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from tests.scripts import load_script

from mien.bulk.embedded_photo import EmbeddedPhoto, failed_photo
from mien.errors import Outcome
from mien.results import ByteArray, Face

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray) -> Path:
    made = tmp_path_factory.mktemp("photos")
    for number, side in enumerate((200, 240, 280)):
        small = Image.fromarray(astronaut).resize((side, side))
        small.save(made / f"{number}.jpg", quality=95)
    Image.new("RGB", (90, 90), (140, 140, 140)).save(made / "wall.jpg")
    return made


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return load_script(BENCHMARKS / "gpu.py")


def test_without_a_card_it_says_so_and_measures_nothing(folder: Path, home: Path) -> None:
    done = run(folder)
    if done.returncode != 10:
        pytest.skip("needs a machine without a card for CUDA")
    assert done.stdout == ""
    assert done.stderr.startswith("nothing was measured: no graphics card for the engine cuda: ")
    assert done.stderr.count("\n") == 1


def test_it_measures_three_ways_and_compares_them(folder: Path, home: Path) -> None:
    """With OpenVINO on the CPU in the place of the card."""
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install '.[openvino]'")
    done = run(
        folder, "--engine", "openvino", "--workers", 1, "--rounds", 1, "--batch", 2, "--json"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(found[f"{way}, photos_per_s"] > 0 for way in ("CPU", "openvino", "both"))
    assert (found["photos"], found["faces"], found["other_outcomes"]) == (4, 3, 0)
    assert found["boxes_px"] < 0.01
    assert found["cosine"] > 0.9999


def photo(left: float, vector: tuple[float, float]) -> EmbeddedPhoto:
    face = Face(np.array([left, 0, 9, 9], np.float32), np.zeros((5, 2), np.float32), 0.9)
    return EmbeddedPhoto(0, "a", "", face, np.array(vector, np.float32), (), 1, Outcome.OK)


def test_boxes_cosines_and_outcomes_are_compared(benchmark: ModuleType) -> None:
    none = failed_photo(1, "b", Outcome.NO_FACE, "none")
    expected = {"a": photo(1.0, (1, 0)), "b": none, "c": none, "d": photo(2.0, (1, 0))}
    found = {"a": photo(1.5, (0.8, 0.6)), "b": none, "c": photo(1.0, (1, 0)), "d": none}
    apart = benchmark.compare(found, expected)
    assert apart == {
        "faces": 1,
        "boxes_px": 0.5,
        "cosine": pytest.approx(0.8),
        "other_outcomes": 2,
    }
