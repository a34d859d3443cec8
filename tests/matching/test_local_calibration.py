"""A calibration of one's own people never makes a decision laxer than the shipped one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelAltered, UsageError
from mien.lab.local_calibration import (
    PeopleVectors,
    check_people,
    measure_people,
    store_local_calibration,
)
from mien.matching.calibration import Calibration, load_calibration
from mien.matching.cohort import Cohort
from mien.matching.joint_cohort import join_cohorts
from mien.matching.local_calibration import (
    LocalCalibration,
    check_calibration_name,
    load_local_calibration,
)
from mien.matching.matcher import Matcher
from mien.models import EMBEDDERS
from mien.results import FloatArray

SFACE = EMBEDDERS["sface"]


def unit(rows: np.ndarray) -> FloatArray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def some_people(n: int, photos: int, *, common: float, seed: int = 0) -> PeopleVectors:
    """PeopleVectors who share a direction: the larger `common`, the more alike they are."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal(128)
    centres = rng.standard_normal((n, 128)) + common * shared
    rows = np.repeat(centres, photos, axis=0) + 0.3 * rng.standard_normal((n * photos, 128))
    return PeopleVectors(
        unit(rows), np.repeat(np.arange(n), photos), [f"p{row}" for row in range(n)]
    )


@pytest.fixture(scope="module")
def shipped() -> Calibration:
    found = load_calibration(SFACE)
    assert found is not None
    return found


def made(people: PeopleVectors, shipped: Calibration) -> LocalCalibration:
    return measure_people(people, "school", "a school", SFACE.id, shipped)


def outliers() -> PeopleVectors:
    """Rows that resemble no face: a cohort of them alone would lower what is typical."""
    rng = np.random.default_rng(5)
    rows = unit(rng.standard_normal((80, 128)))
    return PeopleVectors(rows, np.arange(80), [f"p{row}" for row in range(80)])


def one_face_many_times() -> PeopleVectors:
    rng = np.random.default_rng(6)
    rows = np.tile(rng.standard_normal(128), (80, 1)) + 0.2 * rng.standard_normal((80, 128))
    return PeopleVectors(unit(rows), np.arange(80), [f"p{row}" for row in range(80)])


@pytest.mark.parametrize(
    "people",
    [
        some_people(80, 3, common=0.0),
        some_people(80, 3, common=0.8),
        outliers(),
        one_face_many_times(),
    ],
    ids=["unlike", "alike", "outliers", "one face"],
)
def test_no_choice_of_people_makes_a_decision_laxer_than_the_shipped_one(
    people: PeopleVectors, shipped: Calibration
) -> None:
    local = made(people, shipped)
    assert shipped.cohort is not None
    rng = np.random.default_rng(9)
    near = [shipped.cohort.vectors[:20], people.vectors[:20], unit(rng.standard_normal((20, 128)))]
    faces = np.concatenate(near)
    for photos in (1, 2, 3, 5, 9):
        ours = local.threshold_among(1, photos=photos)
        theirs = shipped.threshold_among(1, photos=photos)
        assert ours.value >= theirs.value
        for one, other in zip(faces, faces[::-1], strict=True):
            least = theirs.value + shipped.cohort.shift(one, other)
            assert ours.value + local.cohort.shift(one, other) >= least - 1e-6
    assert (local.cohort.shifts(faces) >= shipped.cohort.shifts(faces)).all()


def test_people_who_are_alike_get_a_door_that_strangers_among_them_do_not_pass(
    shipped: Calibration,
) -> None:
    people = some_people(200, 2, common=0.9, seed=1)
    local = made(people, shipped)
    others = some_people(200, 1, common=0.9, seed=1)  # the same kind, other noise
    assert shipped.cohort is not None
    cosines = others.vectors @ others.vectors.T
    strangers = ~np.eye(len(cosines), dtype=bool)

    def passed(calibration: Calibration | LocalCalibration) -> float:
        assert calibration.cohort is not None
        shifts = calibration.cohort.shifts(others.vectors)
        least = calibration.threshold_among(1, photos=1).value
        return float(np.mean((cosines - shifts - shifts[:, np.newaxis] >= least)[strangers]))

    assert passed(shipped) > 0.01
    assert passed(local) < 1e-3


def test_a_decision_names_the_calibration(shipped: Calibration) -> None:
    threshold = made(some_people(80, 3, common=0.0), shipped).threshold_among(1, photos=1)
    assert threshold.calibration == "school"
    assert threshold.provenance.startswith("calibration school: ")
    assert threshold.moved(0.1).calibration == "school"


def test_too_few_people_are_refused_with_what_could_be_claimed() -> None:
    with pytest.raises(UsageError, match="at least 60 people, here are 20: half of them make 45"):
        check_people(some_people(20, 2, common=0.0))


def test_many_photos_of_few_people_do_not_help() -> None:
    with pytest.raises(UsageError, match="at least 60 people, here are 59"):
        check_people(some_people(59, 20, common=0.0))


def test_one_photo_under_two_names_is_refused() -> None:
    people = some_people(80, 2, common=0.0)
    vectors = people.vectors.copy()
    vectors[7] = vectors[40]
    with pytest.raises(UsageError, match=r"p3.* and .*p20.* have nearly the same photo"):
        check_people(PeopleVectors(vectors, people.person, people.names))


@pytest.mark.parametrize("name", ["shipped", "", "../up", "A", "a" * 41, "a b"])
def test_a_name_that_a_calibration_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a calibration"):
        check_calibration_name(name)


# the file ---------------------------------------------------------------------------------


@pytest.fixture
def stored(shipped: Calibration, tmp_path: Path) -> Path:
    """The table of a stored calibration."""
    local = made(some_people(80, 3, common=0.5), shipped)
    return store_local_calibration(local, SFACE.id, tmp_path)


def test_a_stored_calibration_is_used_by_the_matcher(
    stored: Path, shipped: Calibration, tmp_path: Path
) -> None:
    assert {path.stat().st_mode & 0o777 for path in stored.parent.iterdir()} == {0o600}
    matcher = Matcher(SFACE, calibration="school", data_dir=tmp_path)
    expected = made(some_people(80, 3, common=0.5), shipped)
    assert matcher.threshold_for(photos=3) == expected.threshold_among(1, photos=3)
    face = some_people(1, 1, common=0.5, seed=3).vectors
    assert matcher.shifts(face) == pytest.approx(expected.cohort.shifts(face))
    assert matcher.expectation(photos=3) == str(expected.owner_trials(3))  # not about adults
    decoy = matcher.decoy(bytes(32))
    assert shipped.cohort is not None
    assert (shipped.cohort.vectors @ decoy.vectors[0]).max() > 0.999  # nobody of the school


def test_an_altered_table_cannot_open_a_door(
    stored: Path, shipped: Calibration, tmp_path: Path
) -> None:
    table = json.loads(stored.read_text())
    table["by_photos"]["1"]["similarity"] = [
        value - 0.3 for value in table["by_photos"]["1"]["similarity"]
    ]
    stored.write_text(json.dumps(table))
    local = load_local_calibration(SFACE, shipped, "school", tmp_path)
    assert local.threshold_among(1, photos=1).value >= shipped.threshold_among(1, photos=1).value


def test_a_table_that_others_may_write_is_refused(
    stored: Path, shipped: Calibration, tmp_path: Path
) -> None:
    stored.chmod(0o666)
    with pytest.raises(ModelAltered, match="somebody else may write it"):
        load_local_calibration(SFACE, shipped, "school", tmp_path)


def test_a_cohort_that_was_altered_is_refused(
    stored: Path, shipped: Calibration, tmp_path: Path
) -> None:
    (cohort,) = stored.parent.glob("*.npy")
    cohort.write_bytes(cohort.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelAltered, match="its cohort was altered"):
        load_local_calibration(SFACE, shipped, "school", tmp_path)


def test_a_calibration_of_other_weights_is_refused(
    stored: Path, shipped: Calibration, tmp_path: Path
) -> None:
    other = replace(SFACE, model=replace(SFACE.model, sha256="ab" * 32))
    with pytest.raises(ModelAltered, match="other weights"):
        load_local_calibration(other, shipped, "school", tmp_path)


def test_a_calibration_that_is_not_there_stops_the_decision(tmp_path: Path) -> None:
    matcher = Matcher(SFACE, calibration="school", data_dir=tmp_path)
    with pytest.raises(UsageError, match="there is no calibration school for sface; run: mien"):
        matcher.threshold_for(photos=1)


def test_the_joint_cohort_counts_no_face_as_its_own_neighbour() -> None:
    rng = np.random.default_rng(0)
    shipped = Cohort(unit(rng.standard_normal((50, 128))), 10, 0.1, -1.0)
    joint = join_cohorts(shipped, unit(rng.standard_normal((40, 128))))
    assert joint.joint.typical < 0.3  # with itself each would have one neighbour of 1
