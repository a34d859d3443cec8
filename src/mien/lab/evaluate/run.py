"""How good is a model on this data? LFW-style pairs, and all pairs of a folder of people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from mien.errors import UsageError
from mien.lab.evaluate.embeddings import Acquisition, FaceChoice, PhotoEmbeddings, embed_photos
from mien.lab.evaluate.error_rates import Accuracy, Figures, accuracy, figures
from mien.lab.evaluate.protocols import Pairs, People, read_pairs, read_people
from mien.lab.evaluate.scoring import (
    AllCompared,
    Block,
    Compared,
    Rows,
    compare_all,
    pair_scores,
)
from mien.matching.cohort import Cohort
from mien.metrics import CrossCounts, GenuineTrials, ImpostorTrials, PairCounts, as_scores
from mien.metrics.scores import CountArray
from mien.results import FloatArray, ModelId
from mien.settings import Settings

PAIR_FMRS = (1e-2, 1e-3)
ALL_FMRS = (1e-3, 1e-4, 1e-5, 1e-6)
SPARE = 4.0  # times as many of the highest scores as the highest FMR lets in: for the bootstrap
KEPT = (100_000, 2_000_000)  # at least and at most so many of them

ALL_PAIRS = "all pairs of the photos"
PROTOCOL = "the pairs of the protocol"

IN_COHORT = 0.98  # cosine to a member of the cohort above which a photo is that member's own

WayName = Literal["plain", "flip-averaged", "normalised"]
"""normalised: cosine less the shift of the model's cohort, which is what the door goes by."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What wraps the two long walks, as with a bar."""

    photos: Callable[[Iterable[Acquisition]], Iterable[Acquisition]] = lambda photos: photos
    blocks: Callable[[Iterable[Block]], Iterable[Block]] = lambda blocks: blocks


@dataclass(frozen=True, slots=True)
class Plan:
    """How to evaluate. cohort: of the model, for the way "normalised". seed: of the bootstrap."""

    model: str
    choice: FaceChoice
    workers: int
    ways: tuple[WayName, ...] = ("plain", "flip-averaged")
    use_cache: bool = True
    seed: int = 0
    cohort: Cohort | None = None

    def __post_init__(self) -> None:
        if "normalised" in self.ways and self.cohort is None:
            raise ValueError("only a model with a cohort has normalised scores")


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way to make and compare embeddings, and what came of it.

    accuracy: None for a folder, which has no folds. figures: the last is that of the
    curves. genuine, highest: comparisons with their photos, rows of `people`. n_cohort:
    photos that were left out because the cohort knows them.
    """

    name: WayName
    accuracy: Accuracy | None
    figures: tuple[Figures, ...]
    genuine: Compared = field(repr=False)
    highest: Compared = field(repr=False)
    n_cohort: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that a report needs, and no embedding. data: the folder's bare name.

    failures: (row of people.photos, why). lost_genuine, lost_impostor: pairs of the
    protocol that could not be compared. computed: photos that were not in the cache, which
    was made anew if cache_was_damaged.
    """

    protocol: str
    data: str
    people: People
    n_pairs: int
    failures: tuple[tuple[int, str], ...]
    lost_genuine: int
    lost_impostor: int
    computed: int
    model: ModelId
    plan: Plan
    engine: str
    cache_was_damaged: bool
    ways: tuple[Way, ...]


def evaluate_pairs(
    pairs_file: Path,
    images: Path,
    plan: Plan,
    *,
    settings: Settings,
    progress: Progress | None = None,
) -> Evaluation:
    """An LFW-style protocol, and all pairs of the photos that it names.

    Raises UsageError for a pairs file that is wrong, or when no face was acquired.
    """
    pairs = read_pairs(pairs_file, images)
    return _evaluate(pairs.people, pairs, images, plan, settings, progress or Progress())


def evaluate_folder(
    root: Path, plan: Plan, *, settings: Settings, progress: Progress | None = None
) -> Evaluation:
    """All pairs of a folder of people. Raises as `evaluate_pairs` does."""
    return _evaluate(read_people(root), None, root, plan, settings, progress or Progress())


def _evaluate(
    people: People,
    pairs: Pairs | None,
    root: Path,
    plan: Plan,
    settings: Settings,
    progress: Progress,
) -> Evaluation:
    embedded = embed_photos(
        people.photos,
        settings=settings,
        model=plan.model,
        choice=plan.choice,
        workers=plan.workers,
        use_cache=plan.use_cache,
        progress=progress.photos,
    )
    if not embedded.acquired.any():
        raise UsageError(f"no face found in the {len(people.photos):,} photos; choose others")
    lost_genuine, lost_impostor = _lost(pairs, embedded.acquired)
    return Evaluation(
        protocol="folder" if pairs is None else "pairs",
        data=root.resolve().name,
        people=people,
        n_pairs=0 if pairs is None else len(pairs.a),
        failures=embedded.failures,
        lost_genuine=lost_genuine,
        lost_impostor=lost_impostor,
        computed=embedded.computed,
        model=embedded.model,
        plan=plan,
        engine=settings.engine,
        cache_was_damaged=embedded.cache_was_damaged,
        ways=tuple(_way(name, embedded, people, pairs, plan, progress) for name in plan.ways),
    )


def _way(
    name: WayName,
    embedded: PhotoEmbeddings,
    people: People,
    pairs: Pairs | None,
    plan: Plan,
    progress: Progress,
) -> Way:
    known = np.zeros(len(people.photos), bool)
    cohort = plan.cohort if name == "normalised" else None
    if cohort is not None:
        seen = embedded.acquired
        met = people_in(cohort, embedded.plain[seen], people.person[seen])
        known = np.isin(people.person, met)
        pairs = None if pairs is None else pairs.without(known)
    rows = np.flatnonzero(embedded.acquired & ~known)
    if not len(rows):
        raise UsageError("everybody in these photos is in the model's cohort; choose others")
    vectors = embedded.vectors(rows, flip_average=name == "flip-averaged")
    shifts = None if cohort is None else cohort.shifts(vectors)
    person = people.person[rows]
    found = compare_all(
        vectors,
        person,
        keep=_kept(CrossCounts(np.bincount(person)).total),
        shifts=shifts,
        progress=progress.blocks,
    )
    sets = [_all_figures(found, people, rows, ~known, plan.seed)]
    folds = None
    if pairs is not None:
        scores = _protocol_scores(pairs, vectors, rows, shifts)
        folds = accuracy(scores, pairs.same, pairs.fold)
        sets.insert(0, _pair_figures(scores, pairs, plan.seed))
    return Way(
        name,
        folds,
        tuple(sets),
        _of_photos(found.genuine, rows),
        _of_photos(found.highest, rows),
        int(known.sum()),
    )


def people_in(cohort: Cohort, vectors: FloatArray, person: CountArray) -> CountArray:
    """Who is in the cohort, of the people of these photos: a test on them proves nothing.

    vectors: (n, d) plain unit rows; person: (n,) who is on each.
    """
    highest = np.array([(cohort.vectors @ vector).max() for vector in vectors])
    return np.unique(person[highest > IN_COHORT])


def _protocol_scores(
    pairs: Pairs, vectors: FloatArray, rows: Rows, shifts: FloatArray | None
) -> FloatArray:
    """Scores (m,) of the protocol's pairs, -inf for one that could not be compared."""
    place = np.full(len(pairs.people.photos), -1, np.intp)
    place[rows] = np.arange(len(rows))
    a, b = place[pairs.a], place[pairs.b]
    both = (a >= 0) & (b >= 0)
    scores = np.full(len(a), -np.inf, np.float32)
    scores[both] = pair_scores(vectors, a[both], b[both], shifts=shifts)
    return scores


def _pair_figures(scores: FloatArray, pairs: Pairs, seed: int) -> Figures:
    person, made = pairs.people.person, np.isfinite(scores)
    ours, theirs = made & pairs.same, made & ~pairs.same
    a, b = person[pairs.a[theirs]], person[pairs.b[theirs]]
    impostor = ImpostorTrials(scores[theirs], a, b, PairCounts.of(a, b, len(pairs.people.names)))
    return figures(
        PROTOCOL,
        GenuineTrials(scores[ours], person[pairs.a[ours]]),
        impostor,
        as_scores(scores[theirs]),
        PAIR_FMRS,
        n_lost=int(np.sum(pairs.same & ~made)),
        seed=seed,
    )


def _all_figures(
    found: AllCompared, people: People, rows: Rows, tested: npt.NDArray[np.bool_], seed: int
) -> Figures:
    """rows: the photos that were acquired, which `found` numbers from 0. tested: (n,) of all."""
    person, n = people.person[rows], len(people.names)
    high = found.highest
    trials = CrossCounts(np.bincount(person, minlength=n))
    return figures(
        ALL_PAIRS,
        GenuineTrials(found.genuine.scores, person[found.genuine.a]),
        ImpostorTrials(high.scores, person[high.a], person[high.b], trials),
        found.impostor,
        ALL_FMRS,
        n_lost=_genuine_pairs(people.person[tested]) - len(found.genuine.scores),
        seed=seed,
    )


def _genuine_pairs(person: CountArray) -> int:
    photos = np.bincount(person)
    return int((photos * (photos - 1) // 2).sum())


def _kept(n_impostor: int) -> int:
    return int(np.clip(SPARE * max(ALL_FMRS) * n_impostor, *KEPT))


def _lost(pairs: Pairs | None, acquired: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Genuine and impostor pairs of the protocol of which a photo was not acquired."""
    if pairs is None:
        return 0, 0
    lost = ~(acquired[pairs.a] & acquired[pairs.b])
    return int(np.sum(lost & pairs.same)), int(np.sum(lost & ~pairs.same))


def _of_photos(compared: Compared, rows: Rows) -> Compared:
    """The same comparisons with the rows of all photos, not of the acquired ones."""
    return Compared(compared.scores, rows[compared.a], rows[compared.b])
