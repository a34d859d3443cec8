"""An evaluation as a folder: report.html, evaluation.json, and the pictures.

The JSON holds figures, counts and where they come from: no embedding, no path, no name
of a person. The pictures of the hardest pairs show faces: the folder is its owner's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from mien import __version__
from mien.lab.evaluate.error_rates import AtFmr, Figures
from mien.lab.evaluate.hard_pairs import HardPair, cut_faces, highest_impostors, lowest_genuine
from mien.lab.evaluate.run import Evaluation, Way
from mien.lab.labels import clean_text
from mien.lab.plots import (
    Curve,
    FacePair,
    draw_det,
    draw_pair_grid,
    draw_roc,
    draw_score_histogram,
)
from mien.lab.report.html import Picture, Section, Table, write_report
from mien.lab.report.output import write_output
from mien.metrics import Interval, det
from mien.metrics.evidence import format_percent, format_rate
from mien.results import Crop

JSON_NAME = "evaluation.json"
FORMAT = 2  # one more when a reader of the JSON would have to change
MAX_FAILURES = 200  # listed in the report; all of them are counted

READ = (
    "FMR is the share of strangers let in, FNMR the share of true pairs refused, both of the "
    "comparisons that were made. FRR counts a true pair of which a face was not found as refused. "
    "LFW's accuracy decides each fold with the threshold that is best on the others, and takes a "
    "pair that could not be compared as told to be different."
    "\n\nIntervals are at 95 % and draw people again, not comparisons, so they hold for other "
    "people of the same kind. A figure that the data cannot support is refused in words."
)
HARD_NOTE = (
    "Of pairs that share a photo, only the hardest is shown. Look for wrong labels first: they "
    "count as errors of the model."
)


def write_evaluation(
    evaluation: Evaluation, out: Path, *, cut: Callable[[Path], Crop], now: datetime
) -> Path:
    """Write the folder and give the path of report.html.

    cut: the aligned face of a photo, for the hardest pairs. now: the date to print.
    UsageError if the folder cannot be written.
    """
    text = json.dumps(as_data(evaluation, now), indent=2, ensure_ascii=False, allow_nan=False)
    write_output(out / JSON_NAME, (text + "\n").encode())
    sections = [
        Section("How to read this", READ),
        *_set_sections(evaluation),
        *_curve_sections(evaluation, out),
        *_hard_sections(evaluation, out, cut),
        *_failure_section(evaluation),
    ]
    title = f"mien evaluate {evaluation.protocol}: {evaluation.data}"
    footer = (
        f"mien {__version__}, {evaluation.model.name} {evaluation.model.sha256[:12]}, "
        f"{evaluation.engine}, seed {evaluation.plan.seed}, {now:%Y-%m-%d %H:%M} UTC"
    )
    return write_report(out, title, sections, note=_note(evaluation), footer=footer)


def as_data(evaluation: Evaluation, now: datetime) -> dict[str, Any]:
    """The figures for programs; rates are 0..1."""
    n, failed = len(evaluation.people.photos), len(evaluation.failures)
    return {
        "format": FORMAT,
        "mien": __version__,
        "date": now.isoformat(timespec="seconds"),
        "protocol": evaluation.protocol,
        "data": clean_text(evaluation.data),
        "photos": n,
        "people": len(evaluation.people.names),
        "pairs": evaluation.n_pairs,
        "failures_to_acquire": failed,
        "failure_to_acquire_rate": failed / n,
        "pairs_not_compared": {
            "genuine": evaluation.lost_genuine,
            "impostor": evaluation.lost_impostor,
        },
        "model": evaluation.model.name,
        "model_sha256": evaluation.model.sha256,
        "engine": evaluation.engine,
        "face": evaluation.plan.choice,
        "seed": evaluation.plan.seed,
        "ways": [_way_data(way) for way in evaluation.ways],
    }


def figure_lines(evaluation: Evaluation) -> list[str]:
    """The same figures in a few lines for a terminal."""
    lines = [_note(evaluation)]
    for way in evaluation.ways:
        lines.append(f"{way.name}{_left_out_words(way)}:")
        if way.accuracy is not None:
            lines.append(f"  accuracy {_accuracy_words(way)}")
        for figures in way.figures:
            lines.append(f"  {_set_words(figures)}")
            lines += [
                f"    FNMR at FMR {format_rate(at.fmr)}: {_fnmr_words(at)}" for at in figures.at
            ]
    return lines


def _note(evaluation: Evaluation) -> str:
    n, failed = len(evaluation.people.photos), len(evaluation.failures)
    return (
        f"{n:,} photos of {len(evaluation.people.names):,} people, "
        f"no face in {failed:,} of them ({format_percent(failed / n)} failure to acquire)"
    )


def _set_sections(evaluation: Evaluation) -> list[Section]:
    """One for each set of comparisons, all ways in it."""
    sections = []
    for at, figures in enumerate(evaluation.ways[0].figures):
        rows = [
            (
                way.name + _left_out_words(way),
                format_rate(point.fmr),
                "" if point.threshold is None else f"{point.threshold:.4f}",
                _fnmr_words(point),
                "" if point.frr is None else format_percent(point.frr),
            )
            for way in evaluation.ways
            for point in way.figures[at].at
        ]
        words = [
            f"{figures.genuine.n:,} genuine and {figures.impostor.n:,} impostor comparisons, "
            f"of {figures.n_person_pairs:,} pairs of people.",
            _of_ways("EER", [(w.name, _eer_words(w.figures[at])) for w in evaluation.ways]),
            _of_ways(
                "Accuracy by the rule of LFW",
                [(w.name, _accuracy_words(w)) for w in evaluation.ways if w.accuracy and not at],
            ),
        ]
        header = ("embeddings", "FMR", "similarity", "FNMR", "FRR")
        caption = f"FNMR at a false match rate, {figures.name}"
        heading = figures.name[0].upper() + figures.name[1:]
        table = Table(header, tuple(rows), caption)
        sections.append(Section(heading, "\n\n".join(words), table))
    return sections


def _of_ways(what: str, figures: list[tuple[str, str]]) -> str:
    if not figures:
        return ""
    return f"{what}: " + "; ".join(f"{name} {words}" for name, words in figures) + "."


def _left_out_words(way: Way) -> str:
    return f", without {way.n_cohort:,} photos of the cohort" if way.n_cohort else ""


def _eer_words(figures: Figures) -> str:
    return "none, without both kinds" if figures.eer is None else format_percent(figures.eer.rate)


def _curve_sections(evaluation: Evaluation, out: Path) -> list[Section]:
    drawn = [way for way in evaluation.ways if way.figures[-1].eer is not None]
    if not drawn:
        return []
    curves = [_curve(way) for way in drawn]
    roc = Picture(draw_roc(curves, out / "roc.png"), "ROC curve of all pairs of the photos")
    det_picture = Picture(
        draw_det(curves, out / "det.png"), "DET curve of all pairs, on normal-deviate axes"
    )
    way = drawn[-1]
    figures = way.figures[-1]
    marks = [
        (f"FMR {format_rate(at.fmr)}", at.threshold)
        for at in figures.at
        if at.threshold is not None
    ]
    histogram = draw_score_histogram(figures.genuine, figures.impostor, marks, out / "scores.png")
    words = "Every photo against every other. Dots are the rows of the table."
    return [
        Section("Curves", words, pictures=(roc, det_picture)),
        Section(
            "Scores",
            f"All pairs of the photos, {way.name}. The scale is logarithmic: errors are rare.",
            pictures=(Picture(histogram, "Histogram of genuine and impostor scores"),),
        ),
    ]


def _curve(way: Way) -> Curve:
    figures = way.figures[-1]
    marks = tuple((at.fmr, at.fnmr.value) for at in figures.at if at.fnmr is not None)
    curve = det(figures.genuine, figures.impostor)
    return Curve(way.name, curve, figures.impostor.n, figures.genuine.n, marks)


def _hard_sections(evaluation: Evaluation, out: Path, cut: Callable[[Path], Crop]) -> list[Section]:
    way = evaluation.ways[-1]
    kinds = (
        ("True pairs least alike", "false_non_matches.png", lowest_genuine(way.genuine)),
        ("Strangers most alike", "false_matches.png", highest_impostors(way.highest)),
    )
    crops = cut_faces([pair for _, _, pairs in kinds for pair in pairs], evaluation.people, cut)
    pictures = [
        Picture(
            draw_pair_grid([_shown(pair, evaluation, crops) for pair in pairs], title, out / name),
            title,
        )
        for title, name, pairs in kinds
        if pairs
    ]
    if not pictures:
        return []
    words = f"Among all pairs of the photos, {way.name}. {HARD_NOTE}"
    return [Section("The hardest pairs", words, pictures=tuple(pictures))]


def _shown(pair: HardPair, evaluation: Evaluation, crops: dict[int, Crop]) -> FacePair:
    photos = evaluation.people.photos
    return FacePair(
        crops[pair.a].pixels,
        crops[pair.b].pixels,
        photos[pair.a].stem if evaluation.protocol == "pairs" else _name(evaluation, pair.a),
        photos[pair.b].stem if evaluation.protocol == "pairs" else _name(evaluation, pair.b),
        pair.score,
    )


def _name(evaluation: Evaluation, row: int) -> str:
    """Person and file: a file's name alone may say nothing."""
    return f"{evaluation.people.name_of(row)}: {evaluation.people.photos[row].name}"


def _failure_section(evaluation: Evaluation) -> list[Section]:
    if not evaluation.failures:
        return []
    rows = tuple((_name(evaluation, row), why) for row, why in evaluation.failures[:MAX_FAILURES])
    lost = f"{evaluation.lost_genuine:,} genuine and {evaluation.lost_impostor:,} impostor pairs"
    words = f"{len(evaluation.failures):,} photos gave no face; the first are listed."
    if evaluation.n_pairs:
        words += f" {lost} of the protocol could not be compared."
    return [Section("Failures to acquire", words, Table(("photo", "why"), rows))]


def _accuracy_words(way: Way) -> str:
    if way.accuracy is None:
        return ""
    folds = way.accuracy.folds
    if folds is None:
        return f"refused: {way.accuracy.refusal}"
    error = f"{folds.standard_error * 100:.2f}"
    return f"{folds.mean * 100:.2f} % \N{PLUS-MINUS SIGN} {error} ({len(folds.folds)} folds)"


def _set_words(figures: Figures) -> str:
    equal = "" if figures.eer is None else f", EER {format_percent(figures.eer.rate)}"
    return f"{figures.name}: {figures.genuine.n:,} genuine, {figures.impostor.n:,} impostor{equal}"


def _fnmr_words(at: AtFmr) -> str:
    if at.fnmr is None:
        seen = ""
        if at.observed_fnmr is not None:
            seen = (
                f" (on these very pairs {format_percent(at.observed_fnmr)}, which proves nothing)"
            )
        return f"refused: {at.refusal}{seen}"
    span = at.fnmr.interval
    note = "; fewer than 30 false matches: an order of magnitude" if at.coarse else ""
    low, high = format_percent(span.low), format_percent(span.high)
    return (
        f"{format_percent(at.fnmr.value)} ({low} to {high}, "
        f"{at.fnmr.errors:,} of {at.fnmr.trials:,}{note})"
    )


def _way_data(way: Way) -> dict[str, Any]:
    data: dict[str, Any] = {
        "way": way.name,
        "photos_known_to_cohort": way.n_cohort,
        "accuracy": None,
    }
    if way.accuracy is not None:
        folds = way.accuracy.folds
        data["accuracy"] = (
            {"refused": way.accuracy.refusal}
            if folds is None
            else {
                "mean": folds.mean,
                "standard_error": folds.standard_error,
                "folds": list(folds.accuracies),
            }
        )
    data["comparisons"] = [_figures_data(figures) for figures in way.figures]
    return data


def _figures_data(figures: Figures) -> dict[str, Any]:
    return {
        "name": figures.name,
        "genuine": figures.genuine.n,
        "impostor": figures.impostor.n,
        "genuine_not_compared": figures.n_lost,
        "pairs_of_people": figures.n_person_pairs,
        "eer": None if figures.eer is None else figures.eer.rate,
        "at_fmr": [_at_data(at) for at in figures.at],
    }


def _at_data(at: AtFmr) -> dict[str, Any]:
    if at.fnmr is None:
        return {"fmr": at.fmr, "refused": at.refusal, "observed_fnmr": at.observed_fnmr}
    return {
        "fmr": at.fmr,
        "threshold": at.threshold,
        "threshold_interval": _span(at.threshold_interval),
        "fnmr": at.fnmr.value,
        "fnmr_interval": _span(at.fnmr.interval),
        "false_non_matches": at.fnmr.errors,
        "frr": at.frr,
        "order_of_magnitude_only": at.coarse,
    }


def _span(interval: Interval | None) -> dict[str, object] | None:
    if interval is None:
        return None
    low, high, level, basis = interval.low, interval.high, interval.level, interval.basis
    return {"low": _finite(low), "high": _finite(high), "level": level, "basis": basis}


def _finite(value: float) -> float | None:
    """JSON has no infinity; a threshold that accepts everything is none."""
    return value if abs(value) < float("inf") else None
