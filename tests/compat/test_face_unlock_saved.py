"""`FaceUnlock` in a file and in a pickle: the same decisions, checked, and never a model."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien
from mien import FaceUnlock
from mien.app.pipeline import Pipeline
from mien.compat.unlock_file import MAX_FILE_BYTES
from mien.errors import ModelMismatch, UsageError, VaultDamaged
from mien.faces.embed import Embedder
from mien.results import ByteArray


@pytest.fixture(scope="module")
def unlock(pipeline: Pipeline, shots: list[ByteArray]) -> FaceUnlock:
    return FaceUnlock(shots[:3], pipeline=pipeline)


@pytest.fixture
def saved(unlock: FaceUnlock, tmp_path: Path) -> Path:
    unlock.save(tmp_path / "me.unlock")
    return tmp_path / "me.unlock"


def altered(pipeline: Pipeline, **changes: str) -> Pipeline:
    """The same models under another name or hash."""
    row = pipeline.embedder.row
    other = replace(row, model=replace(row.model, **changes))
    return Pipeline(pipeline.cascade, Embedder(pipeline.embedder._net, other))


def rewrite(path: Path, **changes: Any) -> None:
    """Change entries of the file and make its hash right again."""
    body = json.loads(path.read_bytes().partition(b"\n")[2]) | changes
    text = json.dumps(body).encode()
    path.write_bytes(f"mien-face-unlock 1 {hashlib.sha256(text).hexdigest()}\n".encode() + text)


# --- a file -------------------------------------------------------------------------------


def test_a_loaded_file_decides_as_the_original(
    saved: Path, unlock: FaceUnlock, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    loaded = FaceUnlock.load(saved, pipeline=pipeline)
    np.testing.assert_array_equal(loaded.embeddings, unlock.embeddings)
    assert loaded.threshold == unlock.threshold
    assert loaded(shots[3]).to_dict() == unlock(shots[3]).to_dict()


def test_without_a_pipeline_the_models_are_opened_again(
    saved: Path, home: Path, shots: list[ByteArray]
) -> None:
    assert FaceUnlock.load(str(saved))(shots[3])
    with pytest.raises(UsageError, match="unknown engine"):
        FaceUnlock.load(saved, engine="abacus")


def test_the_callers_threshold_and_target_are_kept(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    for options in ({"threshold": 0.9999}, {"target_fmr": 1e-5}):
        made = FaceUnlock(shots[:2], pipeline=pipeline, **options)
        made.save(tmp_path / "file")
        loaded = FaceUnlock.load(tmp_path / "file", pipeline=pipeline)
        assert loaded.threshold == made.threshold
        assert loaded(shots[3]).to_dict() == made(shots[3]).to_dict()


def test_a_loaded_file_uses_the_present_calibration(saved: Path, pipeline: Pipeline) -> None:
    wrong = {"value": -0.5, "provenance": "an earlier calibration", "set_by_caller": False}
    rewrite(saved, threshold=wrong)
    loaded = FaceUnlock.load(saved, pipeline=pipeline)
    assert loaded.threshold == pipeline.matcher.threshold_for(photos=3)


def test_the_file_is_readable_by_its_owner_only_and_names_the_model(
    saved: Path, unlock: FaceUnlock, pipeline: Pipeline
) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    assert os.listdir(saved.parent) == [saved.name]
    body = json.loads(saved.read_bytes().partition(b"\n")[2])
    assert body["model"] == {"name": "sface", "sha256": pipeline.model.sha256}
    assert body["threshold"]["provenance"] == unlock.threshold.provenance


def test_another_model_is_a_mismatch(saved: Path, pipeline: Pipeline) -> None:
    for changes in ({"sha256": "0" * 64}, {"name": "other"}):
        with pytest.raises(ModelMismatch, match="make it again from photos"):
            FaceUnlock.load(saved, pipeline=altered(pipeline, **changes))


def test_every_changed_byte_is_detected(saved: Path, pipeline: Pipeline) -> None:
    content = saved.read_bytes()
    for at in range(0, len(content), 97):
        saved.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(VaultDamaged, match=r"me\.unlock"):
            FaceUnlock.load(saved, pipeline=pipeline)
    for cut in (0, 10, len(content) - 1):
        saved.write_bytes(content[:cut])
        with pytest.raises(VaultDamaged):
            FaceUnlock.load(saved, pipeline=pipeline)


@pytest.mark.parametrize(
    "changes",
    [
        {"vectors": {"shape": [3, 127], "float32": ""}},
        {"vectors": {"shape": [0, 128], "float32": ""}},
        {"vectors": {"shape": [1, 1], "float32": "AAAAAA=="}},
        {"vectors": {"shape": [10**30, 1], "float32": ""}},
        {"vectors": {"shape": [-1, 1], "float32": "AAAAAA=="}},
        {"vectors": {"shape": [1, 1], "float32": "AADAfw=="}},
        {"vectors": None},
        {"model": []},
        {"model": {"name": 5, "sha256": "0"}},
        {"threshold": {"value": 7, "provenance": "", "set_by_caller": True}},
        {"threshold": {"value": 0.5, "provenance": "", "set_by_caller": 1}},
        {"target_fmr": []},
    ],
    ids=str,
)
def test_a_wrong_body_with_a_correct_hash_is_refused(
    changes: dict[str, Any], saved: Path, pipeline: Pipeline
) -> None:
    rewrite(saved, **changes)
    with pytest.raises(VaultDamaged, match="does not hold a template"):
        FaceUnlock.load(saved, pipeline=pipeline)


def test_a_file_of_a_later_version_asks_for_an_update(saved: Path, pipeline: Pipeline) -> None:
    saved.write_bytes(saved.read_bytes().replace(b"unlock 1 ", b"unlock 2 ", 1))
    with pytest.raises(VaultDamaged, match="update mien"):
        FaceUnlock.load(saved, pipeline=pipeline)


def test_a_file_that_cannot_be_read_or_written_is_a_usage_error(
    unlock: FaceUnlock, tmp_path: Path, pipeline: Pipeline
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe", "a\0b"):
        with pytest.raises(UsageError, match="cannot read"):
            FaceUnlock.load(path, pipeline=pipeline)
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "below", "a\0b"):
        with pytest.raises(UsageError, match="cannot write"):
            unlock.save(path)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(VaultDamaged, match="too large"):
        FaceUnlock.load(tmp_path / "large", pipeline=pipeline)


# --- a pickle, another process, a repr ----------------------------------------------------


def test_a_pickle_holds_settings_and_vectors_and_reopens_the_models(
    unlock: FaceUnlock, home: Path, shots: list[ByteArray]
) -> None:
    content = pickle.dumps(unlock)
    assert len(content) < 5000
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.embeddings, unlock.embeddings)
    assert again(shots[3]).similarity == unlock(shots[3]).similarity


def test_a_pickle_of_another_model_is_a_mismatch(unlock: FaceUnlock, home: Path) -> None:
    engine, content = unlock.__getstate__()
    other = content.replace(unlock.pipeline.model.sha256.encode(), b"0" * 64)
    text = other.partition(b"\n")[2]
    other = f"mien-face-unlock 1 {hashlib.sha256(text).hexdigest()}\n".encode() + text
    with pytest.raises(ModelMismatch):
        FaceUnlock.__new__(FaceUnlock).__setstate__((engine, other))


def test_the_numpy_detector_is_pickled_without_its_nets(home: Path, astronaut: ByteArray) -> None:
    mtcnn = mien.MTCNN(margin=18, min_face_size=40, engine="onnxruntime")
    content = pickle.dumps(mtcnn)
    assert len(content) < 2000
    again = pickle.loads(content)
    assert repr(again) == repr(mtcnn)
    np.testing.assert_array_equal(again(astronaut), mtcnn(astronaut))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_other_processes_decide_the_same(
    start: str, unlock: FaceUnlock, home: Path, shots: list[ByteArray]
) -> None:
    expected = unlock(shots[3]).similarity
    with multiprocessing.get_context(start).Pool(1) as pool:
        decision = pool.apply_async(unlock, (shots[3],)).get(timeout=300)
    assert decision.similarity == expected


def test_the_repr_shows_model_and_threshold_and_no_vector(unlock: FaceUnlock) -> None:
    value = unlock.threshold.value
    assert repr(unlock) == f"FaceUnlock(photos=3, embedder='sface', threshold={value:.4f})"
    made = repr(mien.MTCNN(margin=18, cascade=unlock.pipeline.cascade))
    assert made.startswith("MTCNN(image_size=160, margin=18, min_face_size=20, thresholds=[0.6")
