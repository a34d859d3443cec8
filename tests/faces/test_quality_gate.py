"""The gate: its score, its table, and the words for what it refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from mien.app.pipeline import Pipeline
from mien.errors import ModelAltered
from mien.faces.quality import gate as gate_module
from mien.faces.quality import measures
from mien.faces.quality.advice import Quality
from mien.faces.quality.gate import Assessment, Gate, load_gates
from mien.faces.quality.measures import CROP_MEASURES, FACE_MEASURES, measure_face
from mien.faces.quality.words import (
    BLURRED,
    BRIGHT,
    COMPRESSED,
    CUT_OFF,
    DARK,
    TURNED,
    UNSURE,
    WORDS,
    describe_faults,
)
from mien.models import SFACE
from mien.results import ByteArray, Crop, Face, ModelId

TABLE = {
    "limit": 2.0,
    "measures": {"fine_detail": [1.0, 0.5, 1.0, 3.0, 1.0, 0.0], "noise_ratio": [0, 1, 0, 1, 2, 3]},
}
GOOD = Quality(60.0, 120.0, 40.0, 100.0, 0.0, 0.0)
FACE = Face(np.array([10, 10, 90, 110], np.float32), np.zeros((5, 2), np.float32), 0.9)


@pytest.mark.parametrize(
    ("fine", "noise", "score", "main"),
    [
        (2.0, 0.5, 0.0, ""),
        (1.0, 1.0, 0.0, ""),
        (0.5, 1.0, 1.0, "fine_detail-"),
        (-9.0, 1.0, 4.0, "fine_detail-"),  # no further than four scales
        (0.5, 3.0, 4.0, "noise_ratio+"),
        (9.0, -9.0, 0.0, ""),  # weights of 0
    ],
)
def test_a_score_is_the_sum_of_the_tails(
    fine: float, noise: float, score: float, main: str
) -> None:
    found = Gate.from_json(TABLE).assess({"fine_detail": fine, "noise_ratio": noise})
    assert found.score == pytest.approx(score)
    assert found.main_measure == main
    assert found.limit == 2.0


def test_a_measure_of_the_models_is_main_only_where_the_picture_says_nothing() -> None:
    rows = {"mirror_cosine": [0.9, 0.1, 1.0, 1.0, 1.0, 0.0], "fine_detail": [1, 1, 1, 9, 1, 0]}
    gate = Gate.from_json({"limit": 2.0, "measures": rows})
    assert gate.assess({"mirror_cosine": 0.5, "fine_detail": 0.5}).main_measure == "fine_detail-"
    assert gate.assess({"mirror_cosine": 0.5, "fine_detail": 0.7}).main_measure == "mirror_cosine-"


@pytest.mark.parametrize(
    ("score", "is_calibrated"), [(2.0, True), (2.01, False), (float("nan"), False)]
)
def test_a_photo_is_calibrated_up_to_the_limit(score: float, is_calibrated: bool) -> None:
    assert Assessment(score, 2.0, "").is_calibrated is is_calibrated


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.pop("limit"),
        lambda table: table.update(limit=-1),
        lambda table: table.update(limit="nan"),
        lambda table: table.update(measures={"fine_detail": [1, 2, 3]}),
        lambda table: table.update(measures={"fine_detail": [1, 0, 1, 1, 1, 1]}),
        lambda table: table.update(measures={"fine_detail": [1, 1, -1, 1, 1, 1]}),
        lambda table: table.update(measures={"fine_detail": [1, 1, 1, 1, 1, float("inf")]}),
    ],
)
def test_another_table_is_refused(change: Callable[[dict[str, object]], object]) -> None:
    table: dict[str, object] = json.loads(json.dumps(TABLE))
    change(table)
    with pytest.raises((KeyError, TypeError, ValueError)):
        Gate.from_json(table)


# the table that comes with mien ------------------------------------------------------------


def test_the_shipped_gates_are_bound_to_the_weights() -> None:
    gates = load_gates(SFACE.id)
    assert gates is not None
    assert "LFW" in gates.provenance
    assert "mirror_cosine" in gates.enrollment.measures
    assert "mirror_cosine" not in gates.probe.measures
    with pytest.raises(ModelAltered, match="fitted to other weights; reinstall mien"):
        load_gates(ModelId("sface", "ab" * 32))


def test_an_embedder_without_a_table_has_no_gate() -> None:
    assert load_gates(ModelId("facenet-vggface2", "ab" * 32)) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"weights_sha256": 1}'])
def test_a_damaged_table_is_an_altered_model(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.json").write_text(content)
    monkeypatch.setattr(gate_module, "SHIPPED", tmp_path)
    with pytest.raises(ModelAltered, match="the quality gate of own is unusable"):
        load_gates(ModelId("own", content))


def test_every_measure_of_the_gates_is_measured() -> None:
    gates = load_gates(SFACE.id)
    assert gates is not None
    crop = Crop(np.zeros((112, 112, 3), np.uint8), "warp112")
    measured = measure_face(FACE, crop)
    assert tuple(sorted(measured)) == tuple(sorted(CROP_MEASURES + FACE_MEASURES))
    assert np.isfinite(list(measured.values())).all()
    assert set(gates.probe.measures) <= {*measured, "vector_length"}
    assert set(gates.enrollment.measures) <= {*measured, "vector_length", "mirror_cosine"}


# words -------------------------------------------------------------------------------------


def test_a_good_photo_has_no_faults() -> None:
    assert describe_faults(GOOD, -0.2, Assessment(1.0, 2.0, "fine_detail-")) == ()
    assert describe_faults(GOOD, 0.06, None) == ()


@pytest.mark.parametrize(
    ("measure", "brightness", "words"),
    [
        ("fine_detail-", 120, BLURRED),
        ("fine_detail-", 10, BLURRED),
        ("flat_blocks+", 120, COMPRESSED),
        ("flat_blocks+", 54, DARK),
        ("block_contrast-", 216, BRIGHT),
        ("mirror_cosine-", 120, UNSURE),
        ("", 120, UNSURE),
    ],
)
def test_the_words_fit_the_measure_and_the_light(
    measure: str, brightness: float, words: str
) -> None:
    quality = Quality(60.0, brightness, 40.0, 100.0, 0.0, 0.0)
    assert describe_faults(quality, -0.2, Assessment(3.0, 2.0, measure)) == (words,)


def test_a_turned_head_and_a_cut_off_one_are_faults_without_a_gate() -> None:
    turned = Quality(60.0, 120.0, 40.0, 100.0, 0.0, -61.0)
    assert describe_faults(turned, 0.061, None) == (TURNED, CUT_OFF)


def test_words_name_measures_that_exist() -> None:
    known = {name + sign for name in CROP_MEASURES + FACE_MEASURES for sign in "+-"}
    assert set(WORDS) <= known


# a real photo ------------------------------------------------------------------------------


def jpeg(image: ByteArray, quality: int) -> ByteArray:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream).convert("RGB"))


def noisy(image: ByteArray) -> ByteArray:
    noise = np.random.default_rng(0).normal(0, 60, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def moved(image: ByteArray) -> ByteArray:
    rows = np.mean([np.roll(image, step, 1) for step in range(-10, 11)], axis=0)
    return rows.astype(np.uint8)


def half_black(image: ByteArray) -> ByteArray:
    spoilt = image.copy()
    spoilt[:, 232:] = 10  # a little beside her nose
    return spoilt


def soft(image: ByteArray) -> ByteArray:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(6)))


@pytest.mark.parametrize(
    "spoil", [lambda image: jpeg(image, 1), noisy, moved, half_black, soft, lambda i: i // 8]
)
def test_spoilt_photos_are_outside_the_calibrated_quality(
    spoil: Callable[[ByteArray], ByteArray], pipeline: Pipeline, astronaut: ByteArray
) -> None:
    assert pipeline.embed_probe(astronaut).faults == ()
    found = pipeline.find_face(np.ascontiguousarray(spoil(astronaut)))
    crop = pipeline.crop(found.image_rgb, found.face)
    _, (faults,) = pipeline.embed_carefully([found], [crop])
    assert faults


@pytest.mark.parametrize("quality", [95, 60, 30])
def test_ordinary_compression_passes(
    quality: int, pipeline: Pipeline, astronaut: ByteArray
) -> None:
    assert pipeline.embed_probe(jpeg(astronaut, quality)).faults == ()


def test_the_percentiles_are_those_of_numpy() -> None:
    chance = np.random.default_rng(5)
    for n in (2, 3, 20, 90):
        ordered = np.sort(chance.normal(size=n).astype(np.float32))
        for percent in (0, 5, 50, 95):
            assert measures._percentile(ordered, percent) == np.percentile(ordered, percent)
