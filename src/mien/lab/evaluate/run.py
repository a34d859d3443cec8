"""Evaluate a model on an LFW-style protocol, or on all pairs of a folder of people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from mien.errors import UsageError
from mien.lab.evaluate.embeddings import Acquisition, FaceChoice, PhotoEmbeddings, embed_photos
from mien.lab.evaluate.error_rates import Accuracy, ErrorFigures, measure_accuracy, measure_errors
from mien.lab.evaluate.protocols import Pairs, PeoplePhotos, read_pairs, read_people
from mien.lab.evaluate.quality_bands import BandArray, BandErrors, errors_by_band
from mien.lab.evaluate.scoring import (
    AllPairs,
    Block,
    ComparedPairs,
    Rows,
    compare_all,
    pair_scores,
)
from mien.matching.cohort import Cohort
from mien.metrics import CrossCounts, GenuineTrials, ImpostorTrials, PairCounts, as_scores
from mien.metrics.scores import CountArray
from mien.results import FloatArray, ModelId
from mien.settings import Settings
from mien.vectors import unit_rows

PAIR_FMRS = (1e-2, 1e-3)
ALL_FMRS = (1e-3, 1e-4, 1e-5, 1e-6)
# how many of the highest impostor scores are kept for the bootstrap: this times as many as
# the highest FMR lets in, within the limits
SPARE = 4.0
KEPT = (100_000, 2_000_000)

ALL_PAIRS = "all pairs of the photos"
PROTOCOL = "the pairs of the protocol"

SAME_PHOTO_COSINE = (
    0.98  # cosine to a member of the cohort above which a photo is that member's own
)

MIN_CENTRING_PEOPLE = 30  # the mean of fewer is no mean of strangers (docs/thresholds.md)

Method = Literal["plain", "flip-averaged", "normalised", "centred"]
"""How scores are made. normalised: by cohort score normalisation, as unlocking does.

centred: from the embeddings less the mean embedding of the cohort's people.
"""
WITH_COHORT: tuple[Method, ...] = ("normalised", "centred")


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """What wraps the photos and the blocks of comparisons as they get done, such as a bar."""

    photos: Callable[[Iterable[Acquisition]], Iterable[Acquisition]] = lambda photos: photos
    blocks: Callable[[Iterable[Block]], Iterable[Block]] = lambda blocks: blocks


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How to evaluate.

    choice: which face of a photo counts. workers: processes. cohort: of the model, for the
    methods `WITH_COHORT`. seed: of the bootstrap. threshold: of an unlock with one enrolled photo,
    for the errors by quality; None for none.
    """

    model: str
    choice: FaceChoice
    workers: int
    methods: tuple[Method, ...] = ("plain", "flip-averaged")
    use_cache: bool = True
    seed: int = 0
    cohort: Cohort | None = None
    threshold: float | None = None

    @property
    def unlock_method(self) -> Method:
        """How an unlock makes scores."""
        return "plain" if self.cohort is None else "normalised"

    def __post_init__(self) -> None:
        if set(WITH_COHORT) & set(self.methods) and self.cohort is None:
            raise ValueError("only a model with a cohort has normalised or centred scores")
        people = 0 if self.cohort is None else len(self.cohort.vectors)
        if "centred" in self.methods and people < MIN_CENTRING_PEOPLE:
            raise UsageError(
                f"centring needs the mean embedding of at least {MIN_CENTRING_PEOPLE} people, the "
                f"cohort has {people}; leave out --centre"
            )


@dataclass(frozen=True, slots=True, eq=False)
class MethodResult:
    """The figures of one method to make scores.

    accuracy: None for a folder, which has no folds. figures: of each set of comparisons,
    the set of the curves last. genuine, highest: comparisons, with rows of `people.photos`.
    n_in_cohort: photos left out because their person is in the cohort. by_quality: of the
    method by which an unlock makes scores; empty for the others.
    """

    name: Method
    accuracy: Accuracy | None
    figures: tuple[ErrorFigures, ...]
    genuine: ComparedPairs = field(repr=False)
    highest: ComparedPairs = field(repr=False)
    n_in_cohort: int = 0
    by_quality: tuple[BandErrors, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that a report needs, and no embedding. data: the folder's name without its path.

    failures: (row of people.photos, why). lost_genuine, lost_impostor: pairs of the
    protocol that could not be compared. computed: photos that were not in the cache, which
    was created again if cache_was_damaged.
    """

    protocol: str
    data: str
    people: PeoplePhotos
    n_pairs: int
    failures: tuple[tuple[int, str], ...]
    lost_genuine: int
    lost_impostor: int
    computed: int
    model: ModelId
    plan: EvaluationPlan
    engine: str
    cache_was_damaged: bool
    methods: tuple[MethodResult, ...]


def evaluate_pairs(
    pairs_file: Path,
    images: Path,
    plan: EvaluationPlan,
    *,
    settings: Settings,
    progress: EvaluationProgress | None = None,
) -> Evaluation:
    """An LFW-style protocol, and all pairs of the photos that it names.

    Raises UsageError for a pairs file that is wrong, or when no face was acquired.
    """
    pairs = read_pairs(pairs_file, images)
    return _evaluate(pairs.people, pairs, images, plan, settings, progress or EvaluationProgress())


def evaluate_folder(
    root: Path,
    plan: EvaluationPlan,
    *,
    settings: Settings,
    progress: EvaluationProgress | None = None,
) -> Evaluation:
    """All pairs of a folder of people. Raises as `evaluate_pairs` does."""
    return _evaluate(
        read_people(root), None, root, plan, settings, progress or EvaluationProgress()
    )


def _evaluate(
    people: PeoplePhotos,
    pairs: Pairs | None,
    root: Path,
    plan: EvaluationPlan,
    settings: Settings,
    progress: EvaluationProgress,
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
        methods=tuple(
            _evaluate_method(name, embedded, people, pairs, plan, progress) for name in plan.methods
        ),
    )


def _evaluate_method(
    name: Method,
    embedded: PhotoEmbeddings,
    people: PeoplePhotos,
    pairs: Pairs | None,
    plan: EvaluationPlan,
    progress: EvaluationProgress,
) -> MethodResult:
    cohort = plan.cohort if name in WITH_COHORT else None
    known = _photos_of_cohort(cohort, embedded, people)
    rows = np.flatnonzero(embedded.acquired & ~known)
    if not len(rows):
        raise UsageError("all these people are in the model's cohort; choose other photos")
    vectors = embedded.vectors(rows, flip_average=name == "flip-averaged")
    if cohort is not None and name == "centred":
        vectors = unit_rows(vectors - cohort.vectors.mean(axis=0))
    shifts = None if cohort is None or name == "centred" else cohort.shifts(vectors)
    person = people.person[rows]
    compared = compare_all(
        vectors,
        person,
        keep=_scores_to_keep(CrossCounts(np.bincount(person)).total),
        shifts=shifts,
        progress=progress.blocks,
    )
    sets, folds = [_all_figures(compared, people, rows, ~known, plan.seed)], None
    if pairs is not None:
        pairs = pairs.without(known)
        scores = _protocol_scores(pairs, vectors, rows, shifts)
        folds = measure_accuracy(scores, pairs.same, pairs.fold)
        sets.insert(0, _pair_figures(scores, pairs, plan.seed))
    return MethodResult(
        name,
        folds,
        tuple(sets),
        _with_photo_rows(compared.genuine, rows),
        _with_photo_rows(compared.highest, rows),
        int(known.sum()),
        _by_quality(name, compared, embedded.bands[rows], person, plan),
    )


def _by_quality(
    name: Method, compared: AllPairs, bands: BandArray, person: CountArray, plan: EvaluationPlan
) -> tuple[BandErrors, ...]:
    if plan.threshold is None or name != plan.unlock_method:
        return ()
    return errors_by_band(bands, person, compared.genuine, compared.highest, plan.threshold)


def _photos_of_cohort(
    cohort: Cohort | None, embedded: PhotoEmbeddings, people: PeoplePhotos
) -> npt.NDArray[np.bool_]:
    """(n,) bool: the photos of people who are in the cohort; none without a cohort."""
    if cohort is None:
        return np.zeros(len(people.photos), np.bool_)
    acquired = embedded.acquired
    known = people_in_cohort(cohort, embedded.plain[acquired], people.person[acquired])
    return np.isin(people.person, known)


def people_in_cohort(cohort: Cohort, vectors: FloatArray, person: CountArray) -> CountArray:
    """Who of the people of these photos is in the cohort; a test on them would be biased.

    vectors: (n, d) plain unit rows; person: (n,) who is on each.
    """
    highest = np.array([(cohort.vectors @ vector).max() for vector in vectors])
    return np.unique(person[highest > SAME_PHOTO_COSINE])


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


def _pair_figures(scores: FloatArray, pairs: Pairs, seed: int) -> ErrorFigures:
    person, made = pairs.people.person, np.isfinite(scores)
    ours, theirs = made & pairs.same, made & ~pairs.same
    a, b = person[pairs.a[theirs]], person[pairs.b[theirs]]
    impostor = ImpostorTrials(scores[theirs], a, b, PairCounts.of(a, b, len(pairs.people.names)))
    return measure_errors(
        PROTOCOL,
        GenuineTrials(scores[ours], person[pairs.a[ours]]),
        impostor,
        as_scores(scores[theirs]),
        PAIR_FMRS,
        n_lost=int(np.sum(pairs.same & ~made)),
        seed=seed,
    )


def _all_figures(
    compared: AllPairs, people: PeoplePhotos, rows: Rows, tested: npt.NDArray[np.bool_], seed: int
) -> ErrorFigures:
    """rows: the photos that were acquired, which `compared` numbers from 0. tested: (n,) of all."""
    person, n = people.person[rows], len(people.names)
    high = compared.highest
    trials = CrossCounts(np.bincount(person, minlength=n))
    return measure_errors(
        ALL_PAIRS,
        GenuineTrials(compared.genuine.scores, person[compared.genuine.a]),
        ImpostorTrials(high.scores, person[high.a], person[high.b], trials),
        compared.impostor,
        ALL_FMRS,
        n_lost=_genuine_pairs(people.person[tested]) - len(compared.genuine.scores),
        seed=seed,
    )


def _genuine_pairs(person: CountArray) -> int:
    photos = np.bincount(person)
    return int((photos * (photos - 1) // 2).sum())


def _scores_to_keep(n_impostor: int) -> int:
    return int(np.clip(SPARE * max(ALL_FMRS) * n_impostor, *KEPT))


def _lost(pairs: Pairs | None, acquired: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Genuine and impostor pairs of the protocol of which a photo was not acquired."""
    if pairs is None:
        return 0, 0
    lost = ~(acquired[pairs.a] & acquired[pairs.b])
    return int(np.sum(lost & pairs.same)), int(np.sum(lost & ~pairs.same))


def _with_photo_rows(compared: ComparedPairs, rows: Rows) -> ComparedPairs:
    """The same comparisons with the rows of all photos, not of the acquired ones."""
    return ComparedPairs(compared.scores, rows[compared.a], rows[compared.b])
