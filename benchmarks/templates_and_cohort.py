"""Templates and a cohort, tried on a folder of people: FNMR at FMR 1e-4, centre against probe.

    python benchmarks/templates_and_cohort.py ../shared/lfw/images

Five random draws for each number of enrolled photos. Every photo of everybody that is
not enrolled is a probe. The cohort is 400 people of whom no photo is enrolled or tried.
docs/thresholds.md has what came out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from photos_of_people import embedded_people

PHOTOS = (1, 2, 3, 5)
DRAWS = 5
COHORT, NEAREST = 400, 100
FMR = 1e-4

Array = np.ndarray
Way = tuple[Callable[[Array, Array], Array], Array]
"""(rows of the enrolled photos (e, k), probes (n, d)) -> scores (e, n); whose probes."""


def unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def centre(of: Array) -> Callable[[Array, Array], Array]:
    return lambda rows, probes: unit(of[rows].mean(1)) @ probes.T


def template_ways(plain: Array, mirror: Array) -> dict[str, Way]:
    flip = unit(plain + mirror)
    quality = np.clip((plain * mirror).sum(1), 0.01, 1) ** 8

    def highest(rows: Array, probes: Array) -> Array:
        return np.max([plain[column] @ probes.T for column in rows.T], axis=0)

    def weighted(rows: Array, probes: Array) -> Array:
        return unit((plain[rows] * quality[rows][..., None]).mean(1)) @ probes.T

    return {
        "centre": (centre(plain), plain),
        "max": (highest, plain),
        "quality-weighted": (weighted, plain),
        "flip, photos": (centre(flip), plain),
        "flip, both": (centre(flip), flip),
    }


def cohort_ways(plain: Array, cohort: Array) -> dict[str, Way]:
    def nearest(vectors: Array) -> Array:
        return np.sort(vectors @ cohort.T, axis=1)[:, -NEAREST:]

    def less_mean(rows: Array, probes: Array) -> Array:
        template = unit(plain[rows].mean(1))
        means = nearest(template).mean(1)[:, None] + nearest(probes).mean(1)[None]
        return template @ probes.T - means / 2

    def less_probe_mean(rows: Array, probes: Array) -> Array:
        return unit(plain[rows].mean(1)) @ probes.T - nearest(probes).mean(1)[None]

    def s_norm(rows: Array, probes: Array) -> Array:
        template = unit(plain[rows].mean(1))
        scores, ours, theirs = template @ probes.T, nearest(template), nearest(probes)
        a = (scores - ours.mean(1)[:, None]) / ours.std(1)[:, None]
        b = (scores - theirs.mean(1)[None]) / theirs.std(1)[None]
        return (a + b) / 2

    return {
        "plain": (centre(plain), plain),
        "less cohort mean": (less_mean, plain),
        "less the probe's": (less_probe_mean, plain),
        "adaptive s-norm": (s_norm, plain),
    }


def fnmr_of(
    ways: dict[str, Way], person: Array, pool: Array, photos: int, rng: np.random.Generator
) -> dict[str, float]:
    """Enroll everybody of the pool who has so many photos, and try all of the pool's photos."""
    of = {who: np.flatnonzero(person == who) for who in pool}
    enrolled = [(who, rng.permutation(rows)) for who, rows in of.items() if len(rows) >= photos]
    chosen = np.stack([rows[:photos] for _, rows in enrolled])
    probes = np.flatnonzero(np.isin(person, pool))
    same = person[probes][None] == np.array([who for who, _ in enrolled])[:, None]
    used = (probes[None, :, None] == chosen[:, None, :]).any(2)
    found = {}
    for name, (score, whose) in ways.items():
        scores = score(chosen, whose[probes])
        strangers = np.sort(scores[~same])[::-1]
        threshold = strangers[int(FMR * len(strangers))]
        found[name] = float(np.mean(scores[same & ~used] <= threshold)) * 100
    return found


def show(title: str, draws: list[dict[str, float]]) -> None:
    print(title)
    for name in draws[0]:
        figures = np.array([draw[name] for draw in draws])
        print(f"  {name:18} {figures.mean():5.2f} +- {figures.std(ddof=1):4.2f} %")


def main(folder: Path) -> None:
    plain, mirror, person = embedded_people(folder)
    everybody = np.unique(person)
    for photos in PHOTOS:
        draws = []
        for seed in range(DRAWS):
            rng = np.random.default_rng(seed)
            ways = template_ways(plain, mirror)
            draws.append(fnmr_of(ways, person, everybody, photos, rng))
        show(f"templates of {photos}", draws)
    for photos in PHOTOS:
        draws = []
        for seed in range(DRAWS):
            rng = np.random.default_rng(100 + seed)
            shuffled = rng.permutation(everybody)
            cohort = [rng.choice(np.flatnonzero(person == who)) for who in shuffled[:COHORT]]
            ways = cohort_ways(plain, plain[cohort])
            draws.append(fnmr_of(ways, person, shuffled[COHORT:], photos, rng))
        show(f"{COHORT} strangers as cohort, templates of {photos}", draws)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
