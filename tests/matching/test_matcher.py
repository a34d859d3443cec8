"""Scores, thresholds and sentences of one embedder, with a calibration and without."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from mien.errors import NotEnoughEvidence
from mien.matching.calibration import load_calibration
from mien.matching.matcher import Matcher
from mien.matching.score import Score
from mien.models import EMBEDDERS
from mien.models.table import ModelId
from mien.results import Template, Threshold
from mien.vectors import unit_rows

SFACE = EMBEDDERS["sface"]
# a model that nobody measured: no calibration is shipped for its name
MODEL = replace(SFACE.model, name="unmeasured", sha256="0" * 64)
OWN_THRESHOLD = Threshold(0.5, ModelId("unmeasured", "0" * 64), "its author")
UNMEASURED = replace(SFACE, model=MODEL, threshold=OWN_THRESHOLD)


@pytest.fixture(scope="module")
def shipped() -> Matcher:
    return Matcher(SFACE)


@pytest.fixture(scope="module")
def unmeasured() -> Matcher:
    return Matcher(UNMEASURED)


def axis(index: int) -> np.ndarray:
    return np.eye(128, dtype=np.float32)[index]


def one_photo_apart(matcher: Matcher, photos: int, *, normalised: float) -> np.ndarray:
    """Equal photos and one whose score against them is as wanted: unit rows (photos, 128)."""
    for cosine in np.linspace(0.1, 0.9, 4001, dtype=np.float32):
        other = cosine * axis(0) + np.sqrt(1 - cosine**2) * axis(1)
        if matcher.score(axis(0), other).normalised >= normalised:
            return np.stack([axis(0)] * (photos - 1) + [other])
    raise AssertionError("no such photo")


class TestWithoutCalibration:
    def test_the_threshold_is_the_models_own_for_any_number_of_photos_and_people(self, unmeasured):
        assert unmeasured.threshold_for(photos=3) == OWN_THRESHOLD
        assert unmeasured.threshold_among(1000, photos=1) == OWN_THRESHOLD

    def test_a_target_fmr_is_refused_and_the_model_named(self, unmeasured):
        with pytest.raises(NotEnoughEvidence, match="unmeasured was never calibrated"):
            unmeasured.threshold_for(photos=3, target_fmr=1e-4)

    def test_a_score_has_no_shift(self, unmeasured):
        assert unmeasured.score(axis(0), (axis(0) + axis(1)) / np.float32(2**0.5)).shift == 0.0
        assert unmeasured.shifts(np.stack([axis(0), axis(1)])).tolist() == [0.0, 0.0]

    def test_there_are_no_strangers_no_odds_and_no_expectation(self, unmeasured):
        assert unmeasured.strangers == 0
        assert unmeasured.closest_stranger(axis(0)) is None
        assert unmeasured.odds(Score(0.9, 0.0), photos=3) == ""
        assert unmeasured.expectation(photos=3) == ""

    def test_the_decoy_is_a_direction_drawn_from_the_seed(self, unmeasured):
        seed = bytes(range(32))
        drawn = np.frombuffer(hashlib.shake_256(seed).digest(512), "<u4") - 2.0**31
        decoy = unmeasured.decoy(seed)
        assert decoy.vectors.shape == (3, 128)
        np.testing.assert_allclose(decoy.vectors, unit_rows(np.stack([drawn] * 3)), atol=1e-6)
        assert decoy.model == UNMEASURED.id


class TestScore:
    def test_it_is_the_cosine_of_two_unit_vectors(self, unmeasured):
        probe = 0.6 * axis(0) + 0.8 * axis(1)
        assert unmeasured.score(axis(0), probe).cosine == pytest.approx(0.6)

    def test_rounding_never_makes_a_cosine_beyond_one(self, unmeasured):
        too_long = axis(0) * np.float32(1.001)
        assert unmeasured.score(axis(0), too_long).cosine == 1.0
        assert unmeasured.score(axis(0), -too_long).cosine == -1.0

    def test_a_template_is_compared_by_its_centre(self, unmeasured):
        template = Template(np.stack([axis(0), axis(1)]), UNMEASURED.id)
        assert unmeasured.score_template(template, axis(0)).cosine == pytest.approx(0.5**0.5)

    def test_its_shift_is_that_of_both_faces(self, shipped):
        one, other = shipped.decoy(bytes(32)).vectors[0], axis(0)
        of_both = shipped.shifts(np.stack([one, other])).sum()
        assert shipped.score(one, other).shift == pytest.approx(of_both, abs=1e-6)
        template = Template(one[np.newaxis], SFACE.id)
        assert shipped.score_template(template, other).shift == pytest.approx(of_both, abs=1e-6)


class TestShippedCalibration:
    def test_the_threshold_is_that_of_the_calibration(self, shipped):
        calibration = load_calibration(SFACE)
        assert shipped.threshold_for(photos=3) == calibration.threshold_among(1, photos=3)
        assert shipped.threshold_among(100, photos=3) == calibration.threshold_among(100, photos=3)
        strict = shipped.threshold_for(photos=3, target_fmr=1e-5)
        assert strict == calibration.threshold(1e-5, photos=3)
        assert strict.value > shipped.threshold_for(photos=3).value

    def test_the_closest_stranger_of_a_stranger_is_that_stranger(self, shipped):
        stranger = shipped.decoy(bytes(32)).vectors[0]
        assert shipped.strangers == 400
        assert shipped.closest_stranger(stranger).cosine == pytest.approx(1.0, abs=1e-5)

    def test_the_decoy_of_a_seed_is_one_stranger(self, shipped):
        cohort = load_calibration(SFACE).cohort.vectors
        seed = (401).to_bytes(32, "big")  # the second of 400
        assert (shipped.decoy(seed).vectors == cohort[1]).all()

    @pytest.mark.parametrize("photos", [2, 3])
    def test_a_photo_must_match_the_others_at_the_threshold_of_so_many(self, shipped, photos):
        """Of k photos each is compared with k - 1. More photos have a higher threshold."""
        wanted = shipped.threshold_for(photos=photos - 1).value
        higher = shipped.threshold_for(photos=photos).value
        assert wanted < higher
        enough = one_photo_apart(shipped, photos, normalised=(wanted + higher) / 2)
        assert shipped.check_consistency(enough).strangers == ()
        too_little = one_photo_apart(shipped, photos, normalised=wanted - 0.002)
        assert photos - 1 in shipped.check_consistency(too_little).strangers

    def test_a_single_photo_is_consistent(self, shipped):
        assert shipped.check_consistency(axis(0)[np.newaxis]).strangers == ()

    def test_odds_are_told_for_a_finite_score_alone(self, shipped):
        assert shipped.odds(Score(0.9, 0.0), photos=3)
        assert shipped.odds(Score(float("nan"), 0.0), photos=3) == ""
        assert shipped.odds(Score(0.9, float("inf")), photos=3) == ""

    def test_more_people_make_the_odds_of_a_score_larger(self, shipped):
        score = Score(0.45, 0.0)
        assert shipped.odds(score, photos=3) == shipped.odds(score, photos=3, among=1)
        assert shipped.odds(score, photos=3) != shipped.odds(score, photos=3, among=100)

    def test_the_expectation_says_on_whom_it_was_measured(self, shipped):
        trials = load_calibration(SFACE).owner_trials(3)
        assert shipped.expectation(photos=3) == f"{trials}; measured on adults, not on children"
        assert shipped.expectation(photos=0) == ""  # of no photos nothing was measured
