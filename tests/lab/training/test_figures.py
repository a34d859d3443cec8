"""What a net is worth: methods compared on made-up embeddings, changes on made-up crops."""

from __future__ import annotations

import numpy as np
import pytest

from mien.lab.training.figures import (
    MAX_CHANGED,
    MIN_COHORT,
    NetEmbeddings,
    changed_similarities,
    compare_methods,
    fnmr_change,
)
from mien.results import ByteArray, FloatArray
from mien.vectors import unit_rows

PEOPLE, DIMS = 60, 32
PERSON = np.repeat(np.arange(PEOPLE), 2)


def embeddings(noise: float, *, common: float = 0.0, strangers: int = 60) -> NetEmbeddings:
    """Two photos of each person; all share a direction of length `common`."""
    rng = np.random.default_rng(7)
    shared = np.zeros(DIMS)
    shared[0] = common

    def photos(centres: FloatArray) -> FloatArray:
        made = centres + noise * rng.standard_normal(centres.shape) + shared
        return unit_rows(made.astype(np.float32))

    centres = rng.standard_normal((PEOPLE, DIMS))[PERSON]
    others = rng.standard_normal((strangers, DIMS))
    return NetEmbeddings(photos(centres), photos(centres), photos(others))


def test_mirror_is_the_mean_similarity_of_rows() -> None:
    plain = np.array([[1, 0], [0, 1]], np.float32)
    mirrored = np.array([[1, 0], [0.6, 0.8]], np.float32)
    assert NetEmbeddings(plain, mirrored, plain).mirror == pytest.approx(0.9)


def test_four_methods_are_compared_and_two_without_enough_strangers() -> None:
    names = [one.method for one in compare_methods(embeddings(0.5), PERSON, seed=0)]
    assert names == ["plain", "flip-averaged", "centred", "cohort of 60"]
    few = embeddings(0.5, strangers=MIN_COHORT - 1)
    assert [one.method for one in compare_methods(few, PERSON, seed=0)] == names[:2]


def test_every_photo_is_compared_with_every_other() -> None:
    plain = compare_methods(embeddings(0.5), PERSON, seed=0)[0].figures
    assert plain.genuine.n == PEOPLE
    assert plain.impostor.n == 120 * 119 // 2 - PEOPLE


def test_flip_averaging_halves_the_noise_and_centring_takes_away_what_all_share() -> None:
    found = {one.method: one for one in compare_methods(embeddings(1.2), PERSON, seed=0)}
    eer = {name: one.figures.eer.rate for name, one in found.items() if one.figures.eer}
    assert eer["flip-averaged"] < eer["plain"]
    common = compare_methods(embeddings(0.7, common=20.0), PERSON, seed=0)
    rate = {one.method: one.figures.eer.rate for one in common if one.figures.eer}
    assert rate["centred"] < rate["plain"]


def test_a_noisier_net_refuses_more_true_pairs_at_the_same_fmr() -> None:
    before, after = (compare_methods(embeddings(n), PERSON, seed=0)[0] for n in (0.4, 1.5))
    assert fnmr_change(before, after, seed=0).share_worse > 0.95
    assert fnmr_change(before, before, seed=0).rise == 0.0


def test_the_strongest_steps_of_the_audit_are_applied_to_at_most_24_crops() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3)).astype(np.uint8)
    seen: list[int] = []

    def embed(some: ByteArray) -> tuple[FloatArray, FloatArray]:
        seen.append(len(some))
        vectors = unit_rows(some.reshape(len(some), -1).astype(np.float32) + 1)
        return vectors, vectors

    found = changed_similarities(crops, embed, seed=0)
    assert set(seen) == {MAX_CHANGED}
    assert len(found) == len(seen) - 1  # the originals are embedded once
    assert all(0 < similarity < 1 for _, _, similarity in found)
    assert found == changed_similarities(crops, embed, seed=0)
