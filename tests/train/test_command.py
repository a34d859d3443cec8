"""`mien train byol` from photos to a model that unlocks, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[train]'")

from mien.cli.commands import train as command  # noqa: E402
from mien.cli.parser import build_parser  # noqa: E402
from mien.errors import TrainingRefused, UsageError  # noqa: E402
from mien.matching.calibration import load_calibration  # noqa: E402
from mien.models import find_embedder, open_net, read_added_graph  # noqa: E402
from mien.settings import DEFAULT_MODEL, Settings  # noqa: E402

Run = Callable[..., Any]
EVALUATED = 40  # people of two photos: 3,120 impostor comparisons support an FMR of 1e-3


@pytest.fixture(scope="module")
def folders(shared_lfw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Eight people to train on, and others with two photos each."""
    root = tmp_path_factory.mktemp("people")
    people = sorted(path for path in (shared_lfw / "images").iterdir() if path.is_dir())
    several = [path for path in people if len(list(path.glob("*.jpg"))) >= 2]
    single = [path for path in people if path not in several]
    for folder, chosen in (("train", single[:8]), ("eval", several[:EVALUATED])):
        for person in chosen:
            (root / folder / person.name).mkdir(parents=True)
            for photo in sorted(person.glob("*.jpg"))[:2]:
                shutil.copy(photo, root / folder / person.name)
    return root / "train", root / "eval"


@pytest.fixture
def run(
    folders: tuple[Path, Path],
    real_webface: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Runs the command with CASIA-WebFace's weights; the store gets what is kept."""
    monkeypatch.setattr(command, "load_settings", lambda: replace(real_webface, threads=2))

    def run(*options: str, people: Path = folders[1], out: str = "out") -> Any:
        folder = str(folders[0])
        line = ["train", "byol", folder, "--eval", str(people), "--out", str(tmp_path / out)]
        usual = ["--batch", "4", "--view-size", "80", "--face", "centre", "--device", "cpu"]
        return command.byol(build_parser().parse_args([*line, *usual, *options]))

    return run


def test_a_trained_net_is_kept_calibrated_and_never_the_default(
    run: Run, real_webface: Settings, tmp_path: Path
) -> None:
    result = run("--steps", "2", "--lr", "1e-7")
    name = result.data["model"]
    assert name.startswith("trained-")
    assert name != DEFAULT_MODEL
    row = find_embedder(name, real_webface.data_dir)
    assert (row.dims, row.side, row.model.sha256[:8]) == (512, 160, name.removeprefix("trained-"))
    calibration = load_calibration(row)
    assert calibration is not None
    assert calibration.threshold_among(1, photos=1).value > 0
    graph = read_added_graph(row.model, "onnxruntime", real_webface.data_dir)
    crops = np.random.default_rng(0).integers(0, 256, (2, 3, 160, 160)).astype(np.float32)
    net = open_net(graph, engine="onnxruntime", threads=1)
    assert np.isfinite(net(crops)).all()
    figures = json.loads((tmp_path / "out" / "training.json").read_text())
    assert figures["before"]["mirror"] == pytest.approx(figures["after"]["mirror"], abs=1e-3)
    assert [one["method"] for one in figures["after"]["methods"]][:2] == ["plain", "flip-averaged"]
    assert len((tmp_path / "out" / "train.jsonl").read_text().splitlines()) == 2
    assert "Before and after" in (tmp_path / "out" / "report.html").read_text()


def test_the_careless_recipe_is_refused_and_reported(
    run: Run, real_webface: Settings, tmp_path: Path
) -> None:
    kept = sorted((real_webface.data_dir / "models").glob("trained-*"))
    with pytest.raises(TrainingRefused, match="the trained net was not kept"):
        run("--steps", "8", "--lr", "0.01", "--part", "all")
    assert sorted((real_webface.data_dir / "models").glob("trained-*")) == kept
    assert "was not kept" in (tmp_path / "out" / "report.html").read_text()


def test_the_same_people_in_both_folders_are_refused(run: Run, folders: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="8 people are in both folders"):
        run(people=folders[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--view-size", "79"), "--view-size is 80 to 160"),
        (("--steps", "0"), "--steps is 1 or more"),
        (("--lr", "nan"), "--lr over 0"),
        (("--from", "scratch", "--part", "last"), "from scratch all layers must be trained"),
        (("--from", "sface"), "'sface' cannot be trained"),
    ],
)
def test_options_that_cannot_be_carried_out_are_errors(
    run: Run, options: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        run(*options)
