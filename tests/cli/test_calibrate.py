"""`mien calibrate`: a model that the user added gets thresholds from the user's own people."""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.models.onnx_files import DIMS

from mien.cli.commands import calibrate as command
from mien.errors import ModelAltered, UsageError
from mien.lab.calibrate import calibrate_embeddings
from mien.lab.local_calibration import PeopleVectors, measure_people, store_local_calibration
from mien.matching.calibration import load_calibration
from mien.models import EMBEDDERS, find_embedder
from mien.models.added import CustomEmbedder, custom_row, store_added
from mien.results import ModelId
from mien.settings import ENGINES, load_settings


@pytest.fixture
def added(home: Path) -> ModelId:
    """A model named own, whose graph nobody runs."""
    data_dir = load_settings().data_dir
    custom = CustomEmbedder("arcface112", DIMS, "MIT")
    row = custom_row("own", "0" * 64, custom, data_dir)
    store_added(
        row.model,
        source_sha256="1" * 64,
        graphs=dict.fromkeys(ENGINES, b"a graph"),
        today=date(2026, 11, 26),
        data_dir=data_dir,
        custom=custom,
    )
    return row.id


def made_up(model: ModelId, people: int) -> tuple[dict[str, Any], bytes]:
    """A calibration on made-up people with two photos each, none of them in a cohort."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.standard_normal((people, DIMS)), 2, axis=0)
    vectors = centres + 0.05 * rng.standard_normal(centres.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return calibrate_embeddings(vectors, np.repeat(np.arange(people), 2), model, "made-up people")


def test_the_calibration_is_kept_and_used_from_then_on(
    added: ModelId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "calibrate_folder", lambda *given, **more: made_up(added, 60))
    answer = command.calibrate(Namespace(folder=tmp_path, model="own", face="largest"))
    assert answer.lines[0] == "calibrated own on 120 photos of 60 people of made-up people"
    settings = load_settings()
    assert find_embedder("own", settings.data_dir).calibration_dir is not None

    made = load_calibration(find_embedder("own", settings.data_dir))
    assert made is not None
    assert made.cohort is None
    # 60 people are 1,770 pairs: nothing is claimed below 3 of them
    assert made.odds(1).supported_fmr == pytest.approx(3 / 1770)
    assert "beyond the evidence" in made.threshold_among(1, photos=1).provenance


def test_a_calibration_of_other_weights_is_refused_with_the_command(
    added: ModelId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(added, sha256="2" * 64)
    monkeypatch.setattr(command, "calibrate_folder", lambda *given, **more: made_up(other, 60))
    with pytest.raises(
        ModelAltered, match=r"other weights; run: mien calibrate FOLDER --model own"
    ):
        command.calibrate(Namespace(folder=tmp_path, model="own", face="largest"))


def test_a_model_that_comes_with_a_calibration_keeps_it(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sface comes with a calibration"):
        command.calibrate(Namespace(folder=tmp_path, model="sface", face="largest"))


def test_a_household_is_refused(added: ModelId) -> None:
    with pytest.raises(UsageError, match="at least 30 people, here are 4"):
        made_up(added, 4)


def test_a_calibration_of_own_people_needs_enough_of_them(
    mien: Callable[..., Any], tmp_path: Path
) -> None:
    for person in ("ana", "ben"):
        (tmp_path / "people" / person).mkdir(parents=True)
        Image.new("RGB", (60, 60)).save(tmp_path / "people" / person / "1.png")
    refused = mien("calibrate", tmp_path / "people", "--name", "school")
    assert refused.code == 2
    assert "at least 60 people, here are 0" in refused.complaint
    assert mien("calibrate", tmp_path / "people", "--name", "../school").code == 2


def test_a_decision_with_a_calibration_of_ones_own_says_its_name(
    mien: Callable[..., Any], album: Path, home: Path
) -> None:
    missing = mien("compare", album / "probe.png", album / "me/2.png", "--calibration", "school")
    assert missing.code == 2
    assert "there is no calibration school for sface; run: mien calibrate" in missing.complaint
    shipped = load_calibration(EMBEDDERS["sface"])
    assert shipped is not None
    people = made_up_people(80)
    made = measure_people(people, "school", "a school", EMBEDDERS["sface"].id, shipped)
    store_local_calibration(made, EMBEDDERS["sface"].id, load_settings().data_dir)
    command = ("compare", album / "probe.png", album / "me/2.png")
    said = mien(*command, "--calibration", "school")
    assert said.code == 0
    assert ", calibration school; a stranger" in said.out
    ours = mien(*command, "--calibration", "school", "--json").json
    usual = mien(*command, "--calibration", "shipped", "--json").json
    assert (ours["calibration"], usual["calibration"]) == ("school", None)
    assert ours["threshold"] >= usual["threshold"]


def made_up_people(count: int) -> PeopleVectors:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((count, 128))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return PeopleVectors(vectors, np.arange(count), [f"p{row}" for row in range(count)])


def test_own_people_are_measured_from_their_photos_and_a_report_is_written(
    mien: Callable[..., Any], tmp_path: Path, shared_lfw: Path
) -> None:
    """Sixty people of LFW, the least that are enough, two photos each."""
    pytest.importorskip("matplotlib", reason="a report needs matplotlib: pip install '.[lab]'")
    folders = sorted((shared_lfw / "images").iterdir())
    people = [one for one in folders if len(list(one.iterdir())) >= 2][:60]
    for person in people:
        (tmp_path / "people" / person.name).mkdir(parents=True)
        for photo in sorted(person.iterdir())[:2]:
            shutil.copy(photo, tmp_path / "people" / person.name)
    out = tmp_path / "out"
    made = mien("calibrate", tmp_path / "people", "--name", "half", "--out", out, "--json")
    assert made.code == 0, made.complaint
    assert made.json["calibration"] == "half"
    shipped = load_calibration(EMBEDDERS["sface"])
    assert shipped is not None
    assert made.json["thresholds"]["1"] >= shipped.threshold_among(1, photos=1).value
    page = (out / "report.html").read_text()
    assert "of 30 people of people" in page
    assert f"{made.json['thresholds']['1']:.3f}" in page
    assert (out / "thresholds.png").stat().st_size > 5000
    photo = next((tmp_path / "people" / people[0].name).iterdir())
    said = mien("compare", photo, photo, "--calibration", "half", "--json").json
    assert said["calibration"] == "half"
