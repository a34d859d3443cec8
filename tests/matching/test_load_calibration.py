"""Loading the calibration of an embedder: where its table is looked for, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien.matching.calibration as module
from mien.errors import ModelAltered
from mien.matching.calibration import load_calibration
from mien.matching.cohort import Cohort
from mien.models import SFACE

ROW = replace(SFACE, model=replace(SFACE.model, name="mine"))
TABLE: dict[str, Any] = {
    "weights_sha256": ROW.id.sha256,
    "provenance": "by hand",
    "cohort": None,
    "owners": {"1": {"refused": 1, "tries": 90, "people": 45}},
    "by_photos": {
        "1": {
            "similarity": [-0.2, 0.4],
            "fmr": [1.0, 0.01],
            "count": [1000, 10],
            "n_impostor": 1000,
            "n_independent": 1000,
        }
    },
}


def store(folder: Path, table: object) -> Path:
    path = folder / "mine.json"
    path.write_text(json.dumps(table), encoding="utf-8")
    return path


def test_a_table_of_the_user_is_read_from_the_folder_of_the_embedder(tmp_path: Path) -> None:
    store(tmp_path, TABLE)
    found = load_calibration(replace(ROW, calibration_dir=tmp_path))
    assert found is not None
    assert (found.model, found.provenance, found.cohort) == ("mine", "by hand", None)
    assert found.threshold(0.01, photos=1).value == 0.4
    owners = found.owner_trials(1)
    assert owners is not None
    assert (owners.refused, owners.tries, owners.people) == (1, 90, 45)


def test_an_embedder_whose_folder_has_no_table_has_no_calibration(tmp_path: Path) -> None:
    assert load_calibration(replace(ROW, calibration_dir=tmp_path)) is None
    assert load_calibration(replace(ROW, calibration_dir=None)) is None


def test_a_shipped_table_is_used_before_one_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, users = tmp_path / "shipped", tmp_path / "users"
    for folder, provenance in ((shipped, "shipped"), (users, "of the user")):
        folder.mkdir()
        store(folder, {**TABLE, "provenance": provenance})
    monkeypatch.setattr(module, "SHIPPED", shipped)
    found = load_calibration(replace(ROW, calibration_dir=users))
    assert found is not None
    assert found.provenance == "shipped"


def test_a_table_without_refusals_of_owners_is_accepted(tmp_path: Path) -> None:
    store(tmp_path, {name: part for name, part in TABLE.items() if name != "owners"})
    found = load_calibration(replace(ROW, calibration_dir=tmp_path))
    assert found is not None
    assert found.owner_trials(9) is None


MISSING = "OwnerTrials.__init__() missing 2 required positional arguments: 'refused' and 'tries'"


def changed(**parts: object) -> Mapping[str, object]:
    return {**TABLE, **parts}


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([TABLE], "list indices must be integers or slices, not str"),
        ({}, "'weights_sha256'"),
        (changed(weights_sha256="ab" * 32), "it was made with other weights"),
        (changed(by_photos=[]), "'list' object has no attribute 'items'"),
        (changed(by_photos={"one": {}}), "invalid literal for int() with base 10: 'one'"),
        (changed(owners={"1": {"people": 1}}), MISSING),
        (changed(cohort={}), "'file'"),
    ],
)
def test_a_table_with_wrong_contents_is_refused_with_the_reason_and_the_repair(
    tmp_path: Path, table: object, reason: str
) -> None:
    store(tmp_path, table)
    with pytest.raises(ModelAltered) as caught:
        load_calibration(replace(ROW, calibration_dir=tmp_path))
    assert str(caught.value) == (
        f"the calibration of mine is unusable: {reason}; run: mien calibrate FOLDER --model mine"
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"not JSON", b"\xff", b"[" * 100_000, b" " * 2**20 + json.dumps(TABLE).encode()],
    ids=["empty", "not JSON", "not UTF-8", "nested too deep", "over a mebibyte"],
)
def test_a_file_that_is_not_a_small_json_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.json").write_bytes(content)
    with pytest.raises(ModelAltered, match=r"^the calibration of mine is unusable: "):
        load_calibration(replace(ROW, calibration_dir=tmp_path))


def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path, TABLE)

    def fail(path: Path, at_most: int, *, expect: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "read_regular", fail)
    with pytest.raises(ModelAltered, match="Permission denied; run: mien calibrate"):
        load_calibration(replace(ROW, calibration_dir=tmp_path))


def store_with_cohort(folder: Path, dims: int) -> Cohort:
    cohort = Cohort(np.eye(3, dims, dtype=np.float32), nearest=1, typical=0.2, least=0.0)
    packed, about = cohort.to_files("mine.npy")
    (folder / "mine.npy").write_bytes(packed)
    store(folder, changed(cohort=about))
    return cohort


def test_a_calibration_has_the_cohort_that_its_table_names(tmp_path: Path) -> None:
    cohort = store_with_cohort(tmp_path, ROW.dims)
    found = load_calibration(replace(ROW, calibration_dir=tmp_path))
    assert found is not None
    assert found.cohort is not None
    np.testing.assert_array_equal(found.cohort.vectors, cohort.vectors)


def test_a_cohort_of_another_embedding_length_is_refused(tmp_path: Path) -> None:
    store_with_cohort(tmp_path, ROW.dims + 1)
    with pytest.raises(ModelAltered, match="unusable: its cohort has another vector length; run:"):
        load_calibration(replace(ROW, calibration_dir=tmp_path))
