"""Simulated prints and screens: a regression of the passive check, and no figure of real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.app.pipeline import Pipeline
from mien.lab.audit.simulated_attacks import SPECIES, Present, measure_simulated
from mien.liveness.passive import open_scorer
from mien.media.image_file import read_image
from mien.results import ByteArray
from mien.settings import Settings

PHOTOS = 24
MOST_THAT_PASS = 2  # of 24; 1 of 41 passed when this was written


@pytest.mark.parametrize("present", SPECIES.values(), ids=SPECIES)
def test_a_scene_has_the_size_of_a_camera_and_its_seed_repeats_it(
    present: Present, astronaut: ByteArray
) -> None:
    scene = present(astronaut, np.random.default_rng(1))
    assert (scene.shape, scene.dtype) == ((480, 640, 3), np.uint8)
    np.testing.assert_array_equal(scene, present(astronaut, np.random.default_rng(1)))
    assert not np.array_equal(scene, present(astronaut, np.random.default_rng(2)))


def test_the_passive_check_refuses_simulated_attacks(
    pipeline: Pipeline, with_liveness: Settings, shared_lfw: Path
) -> None:
    paths = sorted((shared_lfw / "images").glob("*/*_0001.jpg"))[::80][:PHOTOS]
    photos = [read_image(path) for path in paths]
    scorer = open_scorer(with_liveness)
    found = measure_simulated(photos, pipeline, scorer, np.random.default_rng(0))
    assert list(found) == list(SPECIES)
    for rate in found.values():
        assert rate.trials >= PHOTOS * 2 // 3
        assert rate.errors <= MOST_THAT_PASS


def test_passes_and_refusals_are_counted_and_photos_without_a_face_are_not(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    photos = [astronaut, np.zeros((200, 200, 3), np.uint8), astronaut]
    scores = iter([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    found = measure_simulated(
        photos, pipeline, lambda image, face: next(scores), np.random.default_rng(0)
    )
    assert {name: (rate.errors, rate.trials) for name, rate in found.items()} == {
        "simulated print": (2, 2),
        "simulated bent print": (0, 2),
        "simulated screen": (1, 2),
    }
    blank = [np.zeros((200, 200, 3), np.uint8)]
    assert measure_simulated(blank, pipeline, lambda *_: 1.0, np.random.default_rng(0)) == {}
