"""`mien models add NAME --onnx FILE`: an embedder of one's own works wherever a name does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from tests.models.onnx_files import DIMS, embedder, then

from mien.app.health import check_all
from mien.app.pipeline import Pipeline, open_pipeline
from mien.cli.main import main
from mien.compat.face_unlock import FaceUnlock
from mien.errors import MienError, ModelAltered, NotEnoughEvidence, UsageError
from mien.matching.score import Score
from mien.models import SFACE, find_embedder, known_embedders, read_weights
from mien.models.added import added_graph_path, record_path
from mien.models.custom import MAX_ONNX_BYTES, CustomAdded, add_custom
from mien.results import ByteArray
from mien.settings import Settings, load_settings

Add = Callable[..., CustomAdded]


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with an empty store."""
    return replace(settings, data_dir=tmp_path / "data")


@pytest.fixture
def add(own: Settings, tmp_path: Path) -> Add:
    def add_it(model: onnx.ModelProto | bytes, name: str = "own", **options: object) -> CustomAdded:
        file = tmp_path / "given.onnx"
        file.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        given: dict[str, object] = {
            "recipe": "arcface112",
            "colour": "rgb",
            "mean": None,
            "std": None,
            "licence": "MIT",
        }
        return add_custom(
            name,
            file,
            settings=own,
            today=date(2026, 11, 26),
            **(given | options),  # type: ignore[arg-type]
        )

    return add_it


def test_an_onnx_file_becomes_a_row_with_its_hash(add: Add, own: Settings) -> None:
    added = add(embedder())
    row = find_embedder("own", own.data_dir)
    assert row.id.sha256 == added.record.weights_sha256
    assert (row.dims, row.side, row.recipe, row.model.licence) == (DIMS, 112, "warp112", "MIT")
    assert known_embedders(own.data_dir)[-1] == "own"
    assert set(added.difference) | set(added.refused) >= {"onnxruntime"}


def test_the_same_file_with_other_colours_or_scale_is_another_model(add: Add) -> None:
    ids = {
        add(embedder(), **options).record.weights_sha256
        for options in ({}, {"colour": "bgr"}, {"mean": 0.0}, {"std": 1.0}, {})
    }
    assert len(ids) == 4


def test_sfaces_own_file_gives_sfaces_embeddings(
    add: Add, own: Settings, pipeline: Pipeline, astronaut: ByteArray
) -> None:
    add(read_weights(SFACE.model, None), mean=0.0, std=1.0, licence="Apache-2.0")
    given = open_pipeline(own, "own").embed_probe(astronaut).vector
    expected = pipeline.embed_probe(astronaut).vector
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_without_a_calibration_no_odds_are_given(add: Add, own: Settings) -> None:
    add(embedder())
    matcher = open_pipeline(own, "own").matcher
    assert matcher.threshold_for(photos=1).value == 0.85
    assert "not calibrated; run: mien calibrate" in matcher.threshold_for(photos=1).provenance
    assert matcher.odds(Score(0.9, 0.0), photos=1) == ""
    with pytest.raises(NotEnoughEvidence, match="own was never calibrated"):
        matcher.threshold_for(photos=1, target_fmr=1e-3)


def test_face_unlock_accepts_a_custom_name(add: Add, own: Settings, astronaut: ByteArray) -> None:
    add(embedder())
    unlock = FaceUnlock([astronaut], "own", pipeline=open_pipeline(own, "own"))
    decision = unlock(astronaut)
    assert decision.similarity == pytest.approx(1.0, abs=1e-5)
    assert decision.threshold.model == "own"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sface", "is the name of a model of mien"),
        ("mtcnn-pnet", "is the name of a model of mien"),
        ("../own", "cannot be named"),
        ("Own", "cannot be named"),
        ("", "cannot be named"),
        ("a" * 41, "cannot be named"),
    ],
)
def test_a_taken_or_invalid_name_is_refused(add: Add, name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        add(embedder(), name)


@pytest.mark.parametrize("options", [{"std": 0.0}, {"std": float("nan")}, {"mean": float("inf")}])
def test_an_invalid_scale_is_refused(add: Add, options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="finite numbers"):
        add(embedder(), **options)


@pytest.mark.parametrize("licence", ["", "a\nb", "a" * 201])
def test_a_licence_is_one_line(add: Add, licence: str) -> None:
    with pytest.raises(UsageError, match="licence must be one line"):
        add(embedder(), licence=licence)


def test_a_refused_file_leaves_nothing_behind(add: Add, own: Settings) -> None:
    with pytest.raises(ModelAltered, match=r"com\.stranger.*it was not added"):
        add(then(helper.make_node("Run", ["before"], ["embedding"], domain="com.stranger")))
    assert not own.data_dir.exists()


def test_a_file_that_needs_too_much_memory_is_refused(add: Add, own: Settings) -> None:
    """A tile of 10 TB: the limits are those of the trial process, not of this one."""
    huge = then(
        helper.make_node("Tile", ["before", "times"], ["tiled"]),
        helper.make_node("ReduceMean", ["tiled"], ["embedding"], axes=[1], keepdims=1),
        constants={"times": np.array([1, 10**12], np.int64)},
    )
    with pytest.raises(MienError) as caught:
        add(huge)
    assert "\n" not in str(caught.value)
    assert not own.data_dir.exists()


def test_a_trial_process_that_crashes_is_a_refusal(
    add: Add, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, -9, b"", b"")

    monkeypatch.setattr("mien.models.custom.subprocess.run", killed)
    with pytest.raises(ModelAltered, match="ended with status -9"):
        add(embedder())
    assert not own.data_dir.exists()


def test_a_file_beyond_the_size_limit_is_not_parsed(
    add: Add, tmp_path: Path, own: Settings
) -> None:
    file = tmp_path / "sparse.onnx"
    with open(file, "wb") as opened:
        opened.truncate(MAX_ONNX_BYTES + 1)
    with pytest.raises(ModelAltered, match="more than 600,000,000 bytes"):
        add_custom(
            "own", file, recipe="arcface112", colour="rgb", mean=None, std=None,
            licence="MIT", settings=own, today=date(2026, 11, 26),
        )  # fmt: skip


def test_doctor_checks_it_by_its_hash(add: Add, own: Settings) -> None:
    graph = next(iter(add(embedder()).record.graph_sha256.values()))
    found = {check.what: check.state for check in check_all(own)}
    assert found["model own"] == "ok"
    assert "model facenet-vggface2" not in found  # not added, which is no fault
    added_graph_path(graph, own.data_dir).write_bytes(b"altered")
    found = {check.what: check.state for check in check_all(own)}
    assert found["model own"] == "broken"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"custom": {"recipe": "../x"}}'])
def test_a_damaged_record_is_refused_by_name(add: Add, own: Settings, text: str) -> None:
    add(embedder())
    record_path("own", own.data_dir).write_text(text)
    with pytest.raises(ModelAltered, match=r"own\.json.*not a valid record.*mien models add own"):
        find_embedder("own", own.data_dir)


def test_the_commands_add_list_and_use_it(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "given.onnx"
    file.write_bytes(read_weights(SFACE.model, None))
    options = ["--onnx", str(file), "--recipe", "arcface112", "--licence", "Apache-2.0"]
    assert main(["models", "add", "own", *options, "--mean", "0", "--std", "1"]) == 0
    assert "mien calibrate FOLDER --model own" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "own: Apache-2.0, weights " in capsys.readouterr().out
    assert find_embedder("own", load_settings().data_dir).dims == 128


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["own", "--onnx", "x.onnx"], "--onnx needs --recipe"),
        (["own", "--onnx", "x.onnx", "--recipe", "margin160"], "--onnx needs --licence"),
        (["facenet-vggface2", "--colour", "bgr"], "--colour is for an ONNX file"),
        (["own", "--onnx", "x.onnx", "--file", "y.pt"], "not allowed with"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(
    home: Path, arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "add", *arguments]) == 2
    assert why in capsys.readouterr().err
