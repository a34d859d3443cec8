"""Compare kinds of templates and of cohort normalisation by their FNMR at FMR 1e-4.

    python benchmarks/templates_and_cohort.py ../shared/lfw/images [--json]

Each number of enrolled photos gets five random draws. Every photo that is not enrolled is a
probe. The 400 people of the cohort are neither enrolled nor probes. The results are in
docs/thresholds.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from figures import Figures, add_json_option
from photos_of_people import embed_people

PHOTOS = (1, 2, 3, 5)
DRAWS = 5
COHORT, NEAREST = 400, 100
FMR = 1e-4

Array = np.ndarray
Method = tuple[Callable[[Array, Array], Array], Array]
"""A function (rows of the enrolled photos (e, k), probes (n, d)) -> scores (e, n); the probes."""


def unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def score_by_centre(vectors: Array) -> Callable[[Array, Array], Array]:
    return lambda rows, probes: unit(vectors[rows].mean(1)) @ probes.T


def template_methods(plain: Array, mirror: Array) -> dict[str, Method]:
    flip = unit(plain + mirror)
    quality = np.clip((plain * mirror).sum(1), 0.01, 1) ** 8

    def highest(rows: Array, probes: Array) -> Array:
        return np.max([plain[column] @ probes.T for column in rows.T], axis=0)

    def weighted(rows: Array, probes: Array) -> Array:
        return unit((plain[rows] * quality[rows][..., None]).mean(1)) @ probes.T

    return {
        "centre": (score_by_centre(plain), plain),
        "max": (highest, plain),
        "quality-weighted": (weighted, plain),
        "flip, photos": (score_by_centre(flip), plain),
        "flip, both": (score_by_centre(flip), flip),
    }


def cohort_methods(plain: Array, cohort: Array) -> dict[str, Method]:
    def nearest(vectors: Array) -> Array:
        return np.sort(vectors @ cohort.T, axis=1)[:, -NEAREST:]

    def minus_mean(rows: Array, probes: Array) -> Array:
        template = unit(plain[rows].mean(1))
        means = nearest(template).mean(1)[:, None] + nearest(probes).mean(1)[None]
        return template @ probes.T - means / 2

    def minus_probe_mean(rows: Array, probes: Array) -> Array:
        return unit(plain[rows].mean(1)) @ probes.T - nearest(probes).mean(1)[None]

    def s_norm(rows: Array, probes: Array) -> Array:
        template = unit(plain[rows].mean(1))
        scores, ours, theirs = template @ probes.T, nearest(template), nearest(probes)
        a = (scores - ours.mean(1)[:, None]) / ours.std(1)[:, None]
        b = (scores - theirs.mean(1)[None]) / theirs.std(1)[None]
        return (a + b) / 2

    return {
        "plain": (score_by_centre(plain), plain),
        "minus cohort mean": (minus_mean, plain),
        "minus probe mean": (minus_probe_mean, plain),
        "adaptive s-norm": (s_norm, plain),
    }


def measure_fnmr(
    methods: dict[str, Method], person: Array, pool: Array, photos: int, rng: np.random.Generator
) -> dict[str, float]:
    """Enroll everybody in the pool with enough photos; all other photos of the pool are probes."""
    rows_of = {who: np.flatnonzero(person == who) for who in pool}
    enrolled = [
        (who, rng.permutation(rows)) for who, rows in rows_of.items() if len(rows) >= photos
    ]
    chosen = np.stack([rows[:photos] for _, rows in enrolled])
    probes = np.flatnonzero(np.isin(person, pool))
    same = person[probes][None] == np.array([who for who, _ in enrolled])[:, None]
    used = (probes[None, :, None] == chosen[:, None, :]).any(2)
    found = {}
    for name, (score, vectors) in methods.items():
        scores = score(chosen, vectors[probes])
        strangers = np.sort(scores[~same])[::-1]
        threshold = strangers[int(FMR * len(strangers))]
        found[name] = float(np.mean(scores[same & ~used] <= threshold)) * 100
    return found


def add_rates(report: Figures, title: str, draws: list[dict[str, float]]) -> None:
    """The FNMR of each method in percent, and its standard deviation over the draws."""
    for name in draws[0]:
        rates = np.array([draw[name] for draw in draws])
        deviation = float(rates.std(ddof=1))
        report.add(
            f"{title}, {name}", fnmr_percent=float(rates.mean()), deviation_percent=deviation
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=Path)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    plain, mirror, person = embed_people(args.people)
    everybody = np.unique(person)
    for photos in PHOTOS:
        draws = []
        for seed in range(DRAWS):
            rng = np.random.default_rng(seed)
            methods = template_methods(plain, mirror)
            draws.append(measure_fnmr(methods, person, everybody, photos, rng))
        add_rates(report, f"templates of {photos}", draws)
    for photos in PHOTOS:
        draws = []
        for seed in range(DRAWS):
            rng = np.random.default_rng(100 + seed)
            shuffled = rng.permutation(everybody)
            cohort = [rng.choice(np.flatnonzero(person == who)) for who in shuffled[:COHORT]]
            methods = cohort_methods(plain, plain[cohort])
            draws.append(measure_fnmr(methods, person, shuffled[COHORT:], photos, rng))
        add_rates(report, f"{COHORT} strangers as cohort, templates of {photos}", draws)
    report.end()


if __name__ == "__main__":
    main()
