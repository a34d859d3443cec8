"""The folder of people that commands are given: the article's layout, and mixed-up folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.errors import quote
from mien.matching.matcher import Matcher
from mien.results import FloatArray

FACES, PROBES = "faces", "faces_test"
"""The article has a folder of people, and one of photos to try, whoever is on them."""
MIXED_SHARE = 0.5  # of a folder's pairs under the threshold; of one person's, 2 % are (docs)
MAX_NAMED = 5


def people_root(folder: Path) -> tuple[Path, list[str]]:
    """The folder that has a sub-folder for each person, and a line if it is not the one given.

    In the article's layout that is `faces`; `faces_test` beside it has photos to try.
    """
    inner = folder / FACES
    try:
        is_article = bool(_folders_in(inner)) and _folders_in(folder) <= {FACES, PROBES}
    except (OSError, ValueError):  # whoever lists the folder says what is wrong with it
        return folder, []
    if not is_article:
        return folder, []
    left = f"; {PROBES} is left out" if (folder / PROBES).is_dir() else ""
    return inner, [f"the people are the sub-folders of {FACES}, as in the article{left}"]


def _folders_in(folder: Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {one.name for one in entries if one.is_dir() and not one.name.startswith(".")}


def warn_of_mixed(people: Sequence[str], vectors: FloatArray, matcher: Matcher) -> list[str]:
    """A warning for each folder that may hold several people.

    people: (n,) the folder of each face. vectors: (n, d) plain unit rows.
    """
    scores, pair_people = [], []
    shifts = matcher.shifts(vectors)
    names = np.asarray(people, dtype=object)
    for person in dict.fromkeys(people):
        rows = np.flatnonzero(names == person)[:100]  # 4,950 pairs say enough
        a, b = np.triu_indices(len(rows), 1)
        pair = rows[a], rows[b]
        cosines = np.einsum("ij,ij->i", vectors[pair[0]], vectors[pair[1]])
        scores.append(cosines - shifts[pair[0]] - shifts[pair[1]])
        pair_people += [person] * len(a)
    if not pair_people:
        return []
    threshold = matcher.threshold_for(photos=1).value
    return describe_mixed(pair_people, np.concatenate(scores) >= threshold)


def describe_mixed(people: Sequence[str], matched: npt.NDArray[np.bool_]) -> list[str]:
    """The same of pairs that were compared: (m,) their folder, and whether they match."""
    tried: dict[str, list[int]] = {}
    for person, match in zip(people, matched, strict=True):
        counts = tried.setdefault(person, [0, 0])
        counts[0] += not match
        counts[1] += 1
    mixed = [
        (who, *counts) for who, counts in tried.items() if counts[0] >= MIXED_SHARE * counts[1]
    ]
    lines = [
        f"warning: the folder {quote(who)} may hold several people: {apart} of its {pairs} pairs"
        " of photos do not match; put each person into a folder of their own"
        for who, apart, pairs in mixed[:MAX_NAMED]
    ]
    more = len(mixed) - MAX_NAMED
    return lines + ([f"warning: and so may {more} more folders"] if more > 0 else [])
