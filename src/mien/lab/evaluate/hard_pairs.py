"""The comparisons that went most wrong, with the faces cropped again from the photos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.lab.evaluate.protocols import PeoplePhotos
from mien.lab.evaluate.scoring import ComparedPairs
from mien.results import Crop

N_SHOWN = 12


@dataclass(frozen=True, slots=True)
class HardPair:
    """Rows of the two photos, and their score."""

    a: int
    b: int
    score: float


def lowest_genuine(genuine: ComparedPairs, count: int = N_SHOWN) -> list[HardPair]:
    """The genuine pairs least alike; of pairs that share a photo, the hardest alone."""
    return _hardest_first(genuine, np.argsort(genuine.scores, kind="stable"), count)


def highest_impostors(highest: ComparedPairs, count: int = N_SHOWN) -> list[HardPair]:
    """The strangers most alike; of pairs that share a photo, the hardest alone."""
    return _hardest_first(highest, np.argsort(-highest.scores, kind="stable"), count)


def crop_faces(
    pairs: list[HardPair], people: PeoplePhotos, cut: Callable[[Path], Crop]
) -> dict[int, Crop]:
    """The crop of every photo in the pairs, by its row."""
    rows = dict.fromkeys(row for pair in pairs for row in (pair.a, pair.b))
    return {row: cut(people.photos[row]) for row in rows}


def _hardest_first(
    compared: ComparedPairs, order: np.typing.NDArray[np.intp], count: int
) -> list[HardPair]:
    """One wrong label spoils every pair of its photo; shown once, it leaves room for others."""
    taken: set[int] = set()
    pairs: list[HardPair] = []
    for at in order:
        a, b = int(compared.a[at]), int(compared.b[at])
        if a in taken or b in taken:
            continue
        taken |= {a, b}
        pairs.append(HardPair(a, b, float(compared.scores[at])))
        if len(pairs) == count:
            break
    return pairs
