"""Write an evaluation into a folder: report.html, evaluation.json, and the pictures.

The JSON holds figures, counts and their provenance: no embedding, no path, no name of a
person. The pictures of the hardest pairs show faces: only their owner can read them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from mien import __version__
from mien.lab.evaluate.error_rates import ErrorFigures, TargetPoint
from mien.lab.evaluate.hard_pairs import HardPair, crop_faces, highest_impostors, lowest_genuine
from mien.lab.evaluate.json_data import evaluation_data
from mien.lab.evaluate.run import Evaluation, MethodResult
from mien.lab.plots import (
    Curve,
    FacePair,
    draw_det,
    draw_pair_grid,
    draw_roc,
    draw_score_histogram,
)
from mien.lab.report.html import Picture, ReportSection, Table, write_report
from mien.lab.report.output import write_output
from mien.metrics import ErrorRate, det
from mien.metrics.evidence import format_percent, format_rate
from mien.results import Crop

JSON_NAME = "evaluation.json"
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
    text = json.dumps(
        evaluation_data(evaluation, now), indent=2, ensure_ascii=False, allow_nan=False
    )
    write_output(out / JSON_NAME, (text + "\n").encode())
    sections = [
        ReportSection("How to read this", READ),
        *_set_sections(evaluation),
        *_quality_sections(evaluation),
        *_curve_sections(evaluation, out),
        *_hard_pair_sections(evaluation, out, cut),
        *_failure_section(evaluation),
    ]
    title = f"mien evaluate {evaluation.protocol}: {evaluation.data}"
    footer = (
        f"mien {__version__}, {evaluation.model.name} {evaluation.model.sha256[:12]}, "
        f"{evaluation.engine}, seed {evaluation.plan.seed}, {now:%Y-%m-%d %H:%M} UTC"
    )
    return write_report(out, title, sections, note=_note(evaluation), footer=footer)


def summary_lines(evaluation: Evaluation) -> list[str]:
    """The figures in a few lines for a terminal."""
    lines = [_note(evaluation)]
    for method in evaluation.methods:
        lines.append(f"{method.name}{_describe_left_out(method)}:")
        if method.accuracy is not None:
            lines.append(f"  accuracy {_describe_accuracy(method)}")
        for figures in method.figures:
            lines.append(f"  {_describe_set(figures)}")
            lines += [
                f"    FNMR at FMR {format_rate(at.fmr)}: {_describe_fnmr(at)}" for at in figures.at
            ]
        lines += [
            f"  quality {one.band}, {one.photos:,} photos: strangers accepted "
            f"{_describe_rate(one.impostor)}; owners refused {_describe_rate(one.genuine)}"
            for one in method.by_quality
        ]
    return lines


def _note(evaluation: Evaluation) -> str:
    n, failed = len(evaluation.people.photos), len(evaluation.failures)
    return (
        f"{n:,} photos of {len(evaluation.people.names):,} people, "
        f"no face in {failed:,} of them ({format_percent(failed / n)} failure to acquire)"
    )


def _set_sections(evaluation: Evaluation) -> list[ReportSection]:
    """One section for each set of comparisons, with the figures of all methods."""
    sections = []
    for at, figures in enumerate(evaluation.methods[0].figures):
        rows = [
            (
                method.name + _describe_left_out(method),
                format_rate(point.fmr),
                "" if point.threshold is None else f"{point.threshold:.4f}",
                _describe_fnmr(point),
                "" if point.frr is None else format_percent(point.frr),
            )
            for method in evaluation.methods
            for point in method.figures[at].at
        ]
        words = [
            f"{figures.genuine.n:,} genuine and {figures.impostor.n:,} impostor comparisons, "
            f"of {figures.n_person_pairs:,} pairs of people.",
            _of_methods(
                "EER", [(w.name, _describe_eer(w.figures[at])) for w in evaluation.methods]
            ),
            _of_methods(
                "Accuracy by the rule of LFW",
                [
                    (w.name, _describe_accuracy(w))
                    for w in evaluation.methods
                    if w.accuracy and not at
                ],
            ),
        ]
        header = ("embeddings", "FMR", "similarity", "FNMR", "FRR")
        caption = f"FNMR at a false match rate, {figures.name}"
        heading = figures.name[0].upper() + figures.name[1:]
        table = Table(header, tuple(rows), caption)
        sections.append(ReportSection(heading, "\n\n".join(words), table))
    return sections


def _of_methods(what: str, figures: list[tuple[str, str]]) -> str:
    if not figures:
        return ""
    return f"{what}: " + "; ".join(f"{name} {words}" for name, words in figures) + "."


def _describe_left_out(method: MethodResult) -> str:
    return f", without {method.n_in_cohort:,} photos of the cohort" if method.n_in_cohort else ""


def _describe_eer(figures: ErrorFigures) -> str:
    return "none, without both kinds" if figures.eer is None else format_percent(figures.eer.rate)


def _quality_sections(evaluation: Evaluation) -> list[ReportSection]:
    """The errors by the quality of the photos, of the method that an unlock uses."""
    bands = [one for method in evaluation.methods for one in method.by_quality]
    if not bands:
        return []
    words = (
        "At the threshold of an unlock with one enrolled photo, by the worse photo of each pair. "
        "No odds are told for the last kind, and it is refused at enrollment. The intervals are "
        "those of independent comparisons, which these are not: they are too narrow."
    )
    rows = tuple(
        (one.band, f"{one.photos:,}", _describe_rate(one.impostor), _describe_rate(one.genuine))
        for one in bands
    )
    header = ("quality", "photos", "strangers accepted", "owners refused")
    return [ReportSection("By the quality of the photos", words, Table(header, rows))]


def _describe_rate(rate: ErrorRate | None) -> str:
    if rate is None:
        return "no pair"
    high = format_rate(rate.interval.high)
    return f"{rate.errors:,} of {rate.trials:,}: {format_rate(rate.value)}, at most {high}"


def _curve_sections(evaluation: Evaluation, out: Path) -> list[ReportSection]:
    drawn = [method for method in evaluation.methods if method.figures[-1].eer is not None]
    if not drawn:
        return []
    curves = [_curve(method) for method in drawn]
    roc = Picture(draw_roc(curves, out / "roc.png"), "ROC curve of all pairs of the photos")
    det_picture = Picture(
        draw_det(curves, out / "det.png"), "DET curve of all pairs, on normal-deviate axes"
    )
    method = drawn[-1]
    figures = method.figures[-1]
    marks = [
        (f"FMR {format_rate(at.fmr)}", at.threshold)
        for at in figures.at
        if at.threshold is not None
    ]
    histogram = draw_score_histogram(figures.genuine, figures.impostor, marks, out / "scores.png")
    words = "All pairs of the photos. Dots are the rows of the table."
    return [
        ReportSection("Curves", words, pictures=(roc, det_picture)),
        ReportSection(
            "Scores",
            f"All pairs of the photos, {method.name}. The scale is logarithmic: errors are rare.",
            pictures=(Picture(histogram, "Histogram of genuine and impostor scores"),),
        ),
    ]


def _curve(method: MethodResult) -> Curve:
    figures = method.figures[-1]
    marks = tuple((at.fmr, at.fnmr.value) for at in figures.at if at.fnmr is not None)
    curve = det(figures.genuine, figures.impostor)
    return Curve(method.name, curve, figures.impostor.n, figures.genuine.n, marks)


def _hard_pair_sections(
    evaluation: Evaluation, out: Path, cut: Callable[[Path], Crop]
) -> list[ReportSection]:
    method = evaluation.methods[-1]
    kinds = (
        (
            "Genuine pairs with the lowest similarity",
            "false_non_matches.png",
            lowest_genuine(method.genuine),
        ),
        (
            "Impostor pairs with the highest similarity",
            "false_matches.png",
            highest_impostors(method.highest),
        ),
    )
    crops = crop_faces([pair for _, _, pairs in kinds for pair in pairs], evaluation.people, cut)
    pictures = [
        Picture(
            draw_pair_grid(
                [_face_pair(pair, evaluation, crops) for pair in pairs], title, out / name
            ),
            title,
        )
        for title, name, pairs in kinds
        if pairs
    ]
    if not pictures:
        return []
    words = f"Among all pairs of the photos, {method.name}. {HARD_NOTE}"
    return [ReportSection("The hardest pairs", words, pictures=tuple(pictures))]


def _face_pair(pair: HardPair, evaluation: Evaluation, crops: dict[int, Crop]) -> FacePair:
    photos = evaluation.people.photos
    return FacePair(
        crops[pair.a].pixels,
        crops[pair.b].pixels,
        photos[pair.a].stem if evaluation.protocol == "pairs" else _photo_name(evaluation, pair.a),
        photos[pair.b].stem if evaluation.protocol == "pairs" else _photo_name(evaluation, pair.b),
        pair.score,
    )


def _photo_name(evaluation: Evaluation, row: int) -> str:
    """Person and file: a file's name alone may not say whose photo it is."""
    return f"{evaluation.people.name_of(row)}: {evaluation.people.photos[row].name}"


def _failure_section(evaluation: Evaluation) -> list[ReportSection]:
    if not evaluation.failures:
        return []
    rows = tuple(
        (_photo_name(evaluation, row), why) for row, why in evaluation.failures[:MAX_FAILURES]
    )
    lost = f"{evaluation.lost_genuine:,} genuine and {evaluation.lost_impostor:,} impostor pairs"
    words = f"{len(evaluation.failures):,} photos gave no face; the first are listed."
    if evaluation.n_pairs:
        words += f" {lost} of the protocol could not be compared."
    return [ReportSection("Failures to acquire", words, Table(("photo", "why"), rows))]


def _describe_accuracy(method: MethodResult) -> str:
    if method.accuracy is None:
        return ""
    folds = method.accuracy.folds
    if folds is None:
        return f"refused: {method.accuracy.refusal}"
    error = f"{folds.standard_error * 100:.2f}"
    return f"{folds.mean * 100:.2f} % \N{PLUS-MINUS SIGN} {error} ({len(folds.folds)} folds)"


def _describe_set(figures: ErrorFigures) -> str:
    equal = "" if figures.eer is None else f", EER {format_percent(figures.eer.rate)}"
    return f"{figures.name}: {figures.genuine.n:,} genuine, {figures.impostor.n:,} impostor{equal}"


def _describe_fnmr(at: TargetPoint) -> str:
    if at.fnmr is None:
        seen = ""
        if at.observed_fnmr is not None:
            observed = format_percent(at.observed_fnmr)
            seen = f" (on these pairs {observed}, which is not enough evidence)"
        return f"refused: {at.refusal}{seen}"
    span = at.fnmr.interval
    note = "; fewer than 30 false matches: an order of magnitude" if at.coarse else ""
    low, high = format_percent(span.low), format_percent(span.high)
    return (
        f"{format_percent(at.fnmr.value)} ({low} to {high}, "
        f"{at.fnmr.errors:,} of {at.fnmr.trials:,}{note})"
    )
