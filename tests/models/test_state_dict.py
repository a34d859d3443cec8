"""Weights kept for torch: one file of plain arrays, named by its hash."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelAltered, ModelMissing
from mien.models import EMBEDDERS
from mien.models.added import record_path, state_of_added, state_path, store_added
from mien.models.state_dict import pack_state, unpack_state

ROW = EMBEDDERS["facenet-casia-webface"].model
ARRAYS = {
    "last_bn.weight": np.arange(3, dtype=np.float32),
    "last_bn.num_batches_tracked": np.array(7, np.int64),
}


def add(folder: Path, state: bytes) -> str:
    """Store a model with this state; its SHA-256."""
    store_added(
        ROW,
        source_sha256="0" * 64,
        graphs={"onnxruntime": b"graph"},
        today=date(2020, 10, 13),
        data_dir=folder,
        state=state,
    )
    return hashlib.sha256(state).hexdigest()


def test_arrays_are_read_with_their_names_shapes_and_dtypes() -> None:
    given = unpack_state(pack_state(ARRAYS))
    assert given.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(given[name], array)
        assert given[name].dtype == array.dtype


def test_the_same_arrays_give_the_same_bytes() -> None:
    assert pack_state(ARRAYS) == pack_state(dict(ARRAYS))


def test_an_array_of_python_objects_is_not_read() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack_state(pack_state({"a": np.array([{}], dtype=object)}))


def test_an_added_model_keeps_its_weights_for_torch(tmp_path: Path) -> None:
    state = pack_state(ARRAYS)
    assert state_path(add(tmp_path, state), tmp_path).is_file()
    assert state_of_added(ROW, tmp_path) == state


def test_altered_weights_are_refused_with_the_command_that_adds_them(tmp_path: Path) -> None:
    path = state_path(add(tmp_path, pack_state(ARRAYS)), tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelAltered, match=f"mien models add {ROW.name}"):
        state_of_added(ROW, tmp_path)


def test_a_model_whose_weights_were_not_kept_must_be_added_again(tmp_path: Path) -> None:
    add(tmp_path, b"")
    with pytest.raises(ModelMissing, match=f"not kept; run: .*mien models add {ROW.name}"):
        state_of_added(ROW, tmp_path)


def test_a_record_of_an_earlier_version_names_no_state(tmp_path: Path) -> None:
    add(tmp_path, pack_state(ARRAYS))
    path = record_path(ROW.name, tmp_path)
    record = json.loads(path.read_text())
    del record["state_sha256"]
    path.write_text(json.dumps(record))
    with pytest.raises(ModelMissing, match="not kept"):
        state_of_added(ROW, tmp_path)


@pytest.mark.parametrize("name", ["../" * 20, "a" * 63, "A" * 64])
def test_a_record_with_anything_but_a_hash_is_refused(tmp_path: Path, name: str) -> None:
    add(tmp_path, pack_state(ARRAYS))
    path = record_path(ROW.name, tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state_sha256": name}))
    with pytest.raises(ModelAltered, match="not a valid record"):
        state_of_added(ROW, tmp_path)
