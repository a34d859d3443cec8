"""Cohorts: nearness, the shift of a threshold, and the files that store them."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien.matching.calibration as module
from mien.errors import ModelAltered
from mien.matching.calibration import load_calibration
from mien.matching.cohort import NEAREST, Cohort, load_cohort
from mien.models import SFACE
from mien.results import FloatArray, Threshold


def at(*degrees: float) -> FloatArray:
    """Unit vectors of the plane, (n, 2)."""
    turned = np.deg2rad(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


# from 0 degrees: 0.5, 0, 0, -1; the two nearest of each are meant
PLANE = Cohort(at(60, 90, -90, 180), nearest=2, typical=0.25, least=-0.1)


def test_nearness_is_the_mean_of_the_highest_similarities() -> None:
    near = PLANE.nearness(at(0, 75, 180))
    np.testing.assert_allclose(near, [0.25, np.cos(np.deg2rad(15)), 0.5], atol=1e-6)


def test_the_nearest_of_many_are_found_in_any_order() -> None:
    degrees = np.random.default_rng(4).permutation(np.arange(400) * 0.4)
    many = Cohort(at(*degrees), nearest=3, typical=0.0, least=-1.0)
    near = np.cos(np.deg2rad([0.4, 0.8, 1.2])).mean()
    assert many.nearness(at(-0.4))[0] == pytest.approx(near, abs=1e-6)


def test_nearness_has_a_lower_limit() -> None:
    above = Cohort(at(60, 90, 120, 180), nearest=2, typical=0.0, least=-0.1)
    assert above.nearness(at(-90))[0] == pytest.approx(-0.1)  # it would be -0.433


def test_the_threshold_rises_by_the_nearness_of_both_faces_above_the_usual() -> None:
    assert PLANE.shift(at(0)[0], at(0)[0]) == pytest.approx(0.0, abs=1e-6)
    assert PLANE.shift(at(0)[0], at(180)[0]) == pytest.approx(0.125, abs=1e-6)
    assert PLANE.shift(at(0)[0], at(180)[0]) == PLANE.shift(at(180)[0], at(0)[0])
    moved = Threshold(0.4, "sface", "by hand").moved(0.125)
    assert moved.value == pytest.approx(0.525)
    assert moved.provenance == "by hand; shifted by +0.125 with cohort score normalisation"


def test_a_threshold_is_moved_to_at_most_one_and_not_by_a_zero_shift() -> None:
    threshold = Threshold(0.4, "sface", "by hand")
    assert threshold.moved(0.0) is threshold
    assert threshold.moved(0.9).value == 1.0
    assert threshold.moved(float("nan")).value == 1.0  # the door stays shut


def test_the_closest_member_of_the_cohort_is_not_compared_with_itself() -> None:
    similarity, shift = PLANE.closest(at(61)[0])
    assert similarity == pytest.approx(np.cos(np.deg2rad(1)), abs=1e-6)
    # of 90, -90 and 180 degrees: seen from 61 and from 60 degrees
    near = [
        (np.cos(np.deg2rad(29)) + np.cos(np.deg2rad(119))) / 2,
        (np.cos(np.deg2rad(30)) + np.cos(np.deg2rad(120))) / 2,
    ]
    assert shift == pytest.approx(np.mean(near) - 0.25, abs=1e-6)


def test_the_similarity_of_the_closest_member_stays_a_cosine_when_rounded() -> None:
    assert PLANE.closest(np.float32(1.0005) * at(60)[0])[0] == 1.0
    alike = Cohort(at(0, 0.1), nearest=1, typical=0.0, least=-1.0)
    assert alike.closest(np.float32(1.0005) * at(180)[0])[0] == -1.0


def test_each_face_adds_half_of_its_own_nearness_to_the_shift() -> None:
    halves = PLANE.shifts(at(0, 180))
    np.testing.assert_allclose(halves, [0.0, 0.125], atol=1e-6)
    assert halves.dtype == np.float32


SHAPE = "a cohort must be (m, d) with more rows than are averaged"
LENGTH = "the rows of a cohort must have length one"
COSINE = "the nearness of a cohort must be a cosine"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"vectors": at(0, 90, 180)[0]}, SHAPE),
        ({"vectors": at(0, 90, 180)[np.newaxis]}, SHAPE),
        ({"vectors": 2 * at(0, 90, 180)}, LENGTH),
        ({"vectors": 1.0002 * at(0, 90, 180)}, LENGTH),
        ({"vectors": at(0, 90, float("nan"))}, LENGTH),
        ({"nearest": 0}, SHAPE),
        ({"nearest": 4}, SHAPE),
        ({"typical": float("nan")}, COSINE),
        ({"typical": 1.5}, COSINE),
        ({"least": 0.3}, COSINE),
        ({"least": -1.5}, COSINE),
    ],
)
def test_an_invalid_cohort_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        replace(PLANE, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"nearest": 1},
        {"nearest": 3},
        {"typical": 1.0, "least": -1.0},
        {"typical": 0.25, "least": 0.25},
        {"vectors": 1.00005 * at(60, 90, -90, 180)},  # as half precision rounds
    ],
)
def test_a_cohort_at_the_limits_is_accepted(change: dict[str, Any]) -> None:
    assert len(replace(PLANE, **change).vectors) == 4


def test_a_cohort_is_read_from_its_file_unchanged(tmp_path: Path) -> None:
    packed, table = PLANE.to_files("plane.npy")
    (tmp_path / "plane.npy").write_bytes(packed)
    again = load_cohort(tmp_path, json.loads(json.dumps(table)))
    np.testing.assert_allclose(again.vectors, PLANE.vectors, atol=1e-3)  # half precision
    assert (again.nearest, again.typical, again.least) == (2, 0.25, -0.1)


@pytest.mark.parametrize("spoilt", ["a byte", "cut off", "gone", "a pickle"])
def test_an_altered_cohort_is_refused(tmp_path: Path, spoilt: str) -> None:
    packed, table = PLANE.to_files("plane.npy")
    if spoilt == "a byte":
        packed = packed[:-1] + bytes([packed[-1] ^ 1])
    elif spoilt == "cut off":
        packed = packed[:-2]
    elif spoilt == "a pickle":
        (tmp_path / "made.npy").touch()
        np.save(tmp_path / "made.npy", np.array([{"a": 1}], object), allow_pickle=True)
        packed = (tmp_path / "made.npy").read_bytes()
        table["sha256"] = hashlib.sha256(packed).hexdigest()
    if spoilt != "gone":
        (tmp_path / "plane.npy").write_bytes(packed)
    with pytest.raises(ValueError, match=r"cohort|allow_pickle"):
        load_cohort(tmp_path, table)


def test_the_file_name_of_a_cohort_cannot_leave_its_folder(tmp_path: Path) -> None:
    packed, table = PLANE.to_files("../plane.npy")
    (tmp_path / "plane.npy").write_bytes(packed)
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match="cannot be read"):
        load_cohort(tmp_path / "in", table)


def test_a_missing_cohort_file_is_named_as_the_reason(tmp_path: Path) -> None:
    _, table = PLANE.to_files("plane.npy")
    with pytest.raises(ValueError, match=r"^its cohort cannot be read: No such file or directory$"):
        load_cohort(tmp_path, table)


@pytest.mark.parametrize("size", [2**22, 2**22 + 1])
def test_of_a_cohort_file_only_the_first_four_mebibytes_are_read(tmp_path: Path, size: int) -> None:
    packed, table = PLANE.to_files("plane.npy")
    packed += bytes(size - len(packed))  # numpy stops reading at the end of the array
    table["sha256"] = hashlib.sha256(packed).hexdigest()
    (tmp_path / "plane.npy").write_bytes(packed)
    refused = pytest.raises(ValueError, match=r"^its cohort was altered$")
    with refused if size > 2**22 else nullcontext():
        load_cohort(tmp_path, table)


def test_the_cohort_of_sface_is_anonymous_and_has_the_stated_size() -> None:
    calibration = load_calibration(SFACE)
    assert calibration is not None
    cohort = calibration.cohort
    assert cohort is not None
    assert cohort.vectors.shape == (400, SFACE.dims)
    assert cohort.nearest == NEAREST
    assert cohort.least < cohort.typical
    # nobody is in it twice
    alike = cohort.vectors @ cohort.vectors.T
    np.fill_diagonal(alike, -1.0)
    assert alike.max() < 0.8


def test_a_table_whose_cohort_was_altered_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(module.__file__).parent / "calibrated"
    (tmp_path / "calibrated").mkdir()
    for name in ("sface.json", "sface.cohort.npy"):
        (tmp_path / "calibrated" / name).write_bytes((folder / name).read_bytes())
    monkeypatch.setattr(module, "SHIPPED", tmp_path / "calibrated")
    assert load_calibration(SFACE) is not None
    (tmp_path / "calibrated" / "sface.cohort.npy").write_bytes(b"another")
    with pytest.raises(ModelAltered, match=r"its cohort was altered; reinstall mien$"):
        load_calibration(SFACE)
