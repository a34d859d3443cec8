"""The report of attacks, on scores made by hand: rates, pictures, and what cannot be said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from tests.lab.evaluate.test_attack_rates import clips

from mien.lab.evaluate.attack_rates import rate_over_subjects
from mien.lab.evaluate.attack_report import DET_NAME, RATES_NAME, write_attack_report
from mien.lab.evaluate.attack_scoring import ClipScore
from mien.lab.evaluate.attacks import measure

ENOUGH = clips(*[2.0] * 30) + clips(*[-2.0] * 24 + [1.0] * 6, species="print")


def written(scores: list[ClipScore], folder: Path) -> str:
    return write_attack_report(measure(scores), folder, title="Attacks of x").read_text()


def test_rates_of_every_way_and_two_pictures_are_in_the_report(tmp_path: Path) -> None:
    text = written(ENOUGH, tmp_path)
    assert "APCER of print" in text
    assert "passive, threshold 0" in text
    assert "6 of 30" in text
    assert text.count("<img") == 2
    for name in (RATES_NAME, DET_NAME):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 600


@pytest.mark.parametrize("scores", [clips(1.0), clips(1.0, species="print")])
def test_without_both_kinds_of_clips_there_is_a_report_without_a_curve(
    scores: list[ClipScore], tmp_path: Path
) -> None:
    text = written(scores, tmp_path)
    assert "<img" not in text
    assert "What the data cannot say" in text
    assert not (tmp_path / DET_NAME).exists()


def test_iapar_is_stated_where_it_was_measured(tmp_path: Path) -> None:
    iapar = rate_over_subjects([("anna", True), ("ben", False)])
    evaluation = replace(measure(ENOUGH), iapar=iapar)
    report = write_attack_report(evaluation, tmp_path, title="Attacks of x")
    assert '<th scope="row">IAPAR</th>' in report.read_text()
