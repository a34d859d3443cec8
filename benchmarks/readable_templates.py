"""Measure what whoever reads rotated centroids can do with them, as pgvector's table shows them.

    python benchmarks/readable_templates.py PEOPLE_DIR [--known 64,128,197] [--rounds 5] [--json]

The centroids of all people are rotated by one secret, which the attacker wants to undo: there are
other photos of some people whose rows are known, such as the attacker's colleagues, and the
rotation that fits these pairs best (orthogonal Procrustes problem, Schönemann 1966) is tried on a
photo of each of the other people. `recognised_pct` says how many of those are nearest to their own
row, among all rows: with no known person one in the number of people. Each round draws other known
people. PEOPLE_DIR has a folder for each person; whoever has two photos with one face counts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

import numpy as np

from figures import Figures, add_json_option
from mien import embed_photos
from mien.media.photo_paths import find_tree_photos
from mien.vault.crypto.template_rotation import TemplateRotation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=Path)
    parser.add_argument("--known", default="64,128,197")
    parser.add_argument("--rounds", type=int, default=5)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    stored, seen = two_embeddings_each(args.people)
    stored = TemplateRotation(bytes(range(32)), stored.shape[1]).protect(stored)
    report.add("people", people=len(stored))
    for known in map(int, args.known.split(",")):
        shares = [recognised(stored, seen, known, seed) for seed in range(args.rounds)]
        report.add(f"{known} people known", recognised_pct=100 * median(shares))
    report.end()


def two_embeddings_each(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) float32 each: of one photo of each person, and of another one."""
    photos: dict[Path, list[Path]] = {}
    for path in find_tree_photos(folder):
        photos.setdefault(path.parent, []).append(path)
    pairs = [found[:2] for found in photos.values() if len(found) > 1]
    vectors = [one.vector for one in embed_photos([path for pair in pairs for path in pair])]
    both = [
        pair
        for pair in zip(vectors[::2], vectors[1::2], strict=True)
        if all(v is not None for v in pair)
    ]
    return np.array([one for one, _ in both]), np.array([other for _, other in both])


def recognised(stored: np.ndarray, seen: np.ndarray, known: int, seed: int) -> float:
    """The share of the other people whose photo is nearest to their own row, 0 to 1."""
    order = np.random.default_rng(seed).permutation(len(stored))
    pairs, others = order[:known], order[known:]
    left, _, right = np.linalg.svd(seen[pairs].T @ stored[pairs])
    cosines = (seen[others] @ (left @ right)) @ stored.T
    return float(np.mean(np.argmax(cosines, axis=1) == others))


if __name__ == "__main__":
    main()
