"""The small demo's strangers, refused photos and held-up pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.app.enroll import enroll_photos
from mien.app.pipeline import Pipeline
from mien.errors import EnrollmentRefused
from mien.lab.demo.exhibits import POOR, gate_section, liveness_section, stranger_section
from mien.lab.demo.exhibits import _turned as turned
from mien.results import ByteArray, Face

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")


def test_the_strangers_are_the_cohort_and_stay_under_the_threshold(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    template = enroll_photos(shots, pipeline).template
    section = stranger_section(template, pipeline, tmp_path)
    assert section is not None
    assert section.text.startswith("The similarity of 400 strangers")
    assert section.pictures[0].path == tmp_path / "strangers.png"
    strangers = pipeline.matcher.stranger_similarities(template.vectors[0])
    assert strangers is not None
    assert strangers.shape == (400,)
    closest = pipeline.matcher.closest_stranger(template.vectors[0])
    assert closest is not None
    assert float(strangers.max()) == pytest.approx(closest.cosine, abs=1e-6)


def test_each_poor_photo_is_refused_by_the_gate_and_says_why(
    pipeline: Pipeline, astronaut: ByteArray, tmp_path: Path
) -> None:
    section = gate_section(astronaut, pipeline, tmp_path)
    assert section.table is not None
    said = dict(section.table.rows)
    assert set(said) == set(POOR)
    assert "cut off" in said["too tight, the chin cut off"]
    assert said["out of focus"].startswith("blurred")
    for make in POOR.values():
        with pytest.raises(EnrollmentRefused, match="outside the quality"):
            enroll_photos([make(astronaut, pipeline)], pipeline)


def test_a_turned_photo_keeps_the_axis_of_the_face_in_its_place_and_narrows(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    face = pipeline.door_face(astronaut)
    x, y = ((face.box_xyxy[:2] + face.box_xyxy[2:]) / 2).round().astype(int)
    seen = turned(astronaut, pipeline)
    assert seen.shape == astronaut.shape
    before, after = astronaut[y - 3 : y + 3, x - 1 : x + 1], seen[y - 3 : y + 3, x - 1 : x + 1]
    assert float(np.abs(before.astype(float) - after).mean()) < 12
    assert (seen[:, 0] == 0).all()  # nothing of the sheet is seen at that side any more


def test_held_up_pictures_are_judged_only_where_the_models_are(
    pipeline: Pipeline, astronaut: ByteArray, tmp_path: Path
) -> None:
    def answers(score: float | None) -> set[str]:
        def score_face(image: ByteArray, face: Face) -> float:
            assert score is not None
            return score

        section = liveness_section(
            astronaut,
            pipeline,
            None if score is None else score_face,
            np.random.default_rng(1),
            tmp_path,
        )
        assert len(section.pictures) == 3
        assert section.table is not None
        return {answer for _, answer in section.table.rows}

    assert answers(None) == {"not checked: the models are not there; run: mien models add liveness"}
    assert answers(-4.0) == {"refused, score -4.0"}
    assert answers(4.0) == {"passes, score 4.0"}
