"""Degradations, the fit of the gate and its report, on numbers made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import UsageError
from mien.faces.quality.gate import Gate
from mien.lab.quality.degrade import HARMFUL, HARMLESS
from mien.lab.quality.fit import HARMFUL as HARMFUL_LABEL
from mien.lab.quality.fit import HARMLESS as HARMLESS_LABEL
from mien.lab.quality.fit import MeasuredPhotos, fit_gate, gate_scores, label_samples
from mien.lab.quality.measure import measure_folder
from mien.lab.quality.report import report_lines, scores_held_out
from mien.lab.quality.strangers import Alikeness
from mien.matching.matcher import Matcher
from mien.models import SFACE
from mien.results import Face
from mien.settings import Settings

FACE = Face(
    np.array([30, 20, 90, 100], np.float32),
    np.array([[45, 50], [75, 50], [60, 65], [50, 80], [70, 80]], np.float32),
    0.99,
)


@pytest.mark.parametrize("kind", [*HARMFUL, *HARMLESS])
def test_a_degradation_gives_a_changed_photo_and_the_same_for_a_seed(kind: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    before = image.copy()
    change = HARMFUL.get(kind) or HARMLESS[kind]
    once, again = (change(image, FACE, np.random.default_rng(7)) for _ in range(2))
    assert once.dtype == np.uint8
    assert once.shape[2] == 3
    assert once.shape != image.shape or not np.array_equal(once, image)
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(image, before)


@pytest.fixture(scope="module")
def samples() -> MeasuredPhotos:
    """60 people: clean, harmless, and a kind that gives everybody nearly the same vector."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(["clean", "ok_sharp", "fogged"], 60)
    vectors = rng.standard_normal((180, 128)).astype(np.float32)
    vectors[120:] = vectors[120] + 0.5 * vectors[120:]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = rng.normal(0, 1, (180, 2))
    values[120:, 0] -= 8  # the first measure tells; the second does not
    return MeasuredPhotos(("fog", "other"), values, kinds, np.tile(np.arange(60), 3), vectors)


@pytest.fixture(scope="module")
def alike(samples: MeasuredPhotos) -> Alikeness:
    return Alikeness(samples.vectors, samples.person, samples.is_clean, Matcher(SFACE))


def test_strangers_are_counted_once_each_pair(samples: MeasuredPhotos, alike: Alikeness) -> None:
    clean = alike.of_kind(np.arange(60))
    assert (clean.passes, clean.pairs) == (0, 60 * 59 // 2)
    fogged = alike.of_kind(np.arange(120, 180))
    assert fogged.passes > 0.9 * fogged.pairs
    assert alike.of_kind(np.array([0, 60])).pairs == 0  # one person


def test_a_kind_whose_strangers_are_alike_is_harmful(
    samples: MeasuredPhotos, alike: Alikeness
) -> None:
    labels = label_samples(samples, alike)
    assert (labels[:120] == HARMLESS_LABEL).all()
    assert (labels[120:] == HARMFUL_LABEL).mean() > 0.9


def test_the_fit_weighs_the_measure_that_tells(samples: MeasuredPhotos, alike: Alikeness) -> None:
    table = fit_gate(samples, label_samples(samples, alike), samples.names, np.arange(180))
    assert list(table["measures"]) == ["fog"]
    assert table["measures"]["fog"][2] > 0
    assert Gate.from_json(table).assess({"fog": -8.0}).main_measure == "fog-"
    scores = gate_scores(table, samples)
    assert (scores[:60] > 0).sum() <= 1
    assert (scores[120:] > 0).all()


def test_the_report_is_of_people_whom_the_gate_does_not_know(
    samples: MeasuredPhotos, alike: Alikeness
) -> None:
    lines = report_lines(samples, alike, scores_held_out(samples, alike, samples.names))
    assert [line.split(":")[0] for line in lines] == ["clean", "fogged", "ok_sharp"]
    assert "60 of 60 photos refused; none left" in lines[1]
    assert lines[0].startswith("clean: 0 of 1,770 strangers let in; ")


def test_too_few_people_are_refused(tmp_path: Path, settings: Settings) -> None:
    for name in ("ana", "bob"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "1.png")
    with pytest.raises(UsageError, match="2 people are too few; give 60 or more"):
        measure_folder(tmp_path, 360, settings)
