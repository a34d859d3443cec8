"""The report of a training: before and after, what is free, changes, curves, maps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.lab.explore.similarity import pca
from mien.lab.plots import (
    Curve,
    draw_det,
    draw_pca_map,
    draw_roc,
    draw_training,
)
from mien.lab.report.html import Picture, ReportSection, Table, write_report
from mien.lab.report.output import make_folder, write_output
from mien.lab.training.figures import FMR, Compared, NetEmbeddings
from mien.metrics import FnmrChange, det
from mien.metrics.evidence import format_percent, format_rate
from mien.results import ByteArray, FloatArray

JSON_NAME = "training.json"
MAP_PEOPLE, MAP_FACES = 8, 48
READ = (
    "Two views of each face were made alike by BYOL, without a name of anybody. The figures are of "
    "other people, every photo against every other. EER is where strangers let in and true pairs "
    f"refused are equally many; FNMR is the share of true pairs refused at FMR {FMR:g}. Intervals "
    "are at 95 % and draw people again."
    "\n\nCentring subtracts the mean embedding of the training photos' people; the cohort is drawn "
    "from them; flip averaging embeds the mirror image too. The rows before training with these "
    "cost no training: training has to beat them."
)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingFindings:
    """All that the report shows.

    title, footer: texts. verdict: whether the net was kept, and why not. steps: (step, loss,
    spread). before, after: each method. changes: (title, amount, before, after) similarities.
    crops, names: of the evaluation, for the maps.
    """

    title: str
    footer: str
    verdict: str
    steps: Sequence[tuple[int, float, float]] = field(repr=False)
    embeddings: tuple[NetEmbeddings, NetEmbeddings] = field(repr=False)
    before: tuple[Compared, ...] = field(repr=False)
    after: tuple[Compared, ...] = field(repr=False)
    change: FnmrChange
    changes: tuple[tuple[str, str, float, float], ...]
    crops: ByteArray = field(repr=False)
    names: Sequence[str] = field(repr=False)


def write_training(found: TrainingFindings, out: Path) -> Path:
    """Write report.html, training.json and the pictures; gives the path of report.html."""
    make_folder(out)
    write_output(out / JSON_NAME, (json.dumps(training_data(found), indent=2) + "\n").encode())
    sections = [
        ReportSection("How to read this", READ),
        _before_and_after(found),
        _curves(found, out),
        ReportSection(
            "Changed photos",
            "Mean similarity of a face crop and the same crop changed, as in mien audit; here the "
            "crop is changed, not the photo.",
            Table(
                ("change", "amount", "before", "after"),
                tuple((t, a, f"{b:.3f}", f"{c:.3f}") for t, a, b, c in found.changes),
            ),
        ),
        *_training_section(found, out),
        _maps(found, out),
    ]
    return write_report(out, found.title, sections, note=found.verdict, footer=found.footer)


def training_data(found: TrainingFindings) -> dict[str, object]:
    """The figures for programs: no embedding, no path, no name."""
    change = found.change
    sides = zip(("before", "after"), found.embeddings, (found.before, found.after), strict=True)
    return {
        "format": 1,
        "verdict": found.verdict,
        "fmr": FMR,
        "fnmr_change": {
            "before": change.before,
            "after": change.after,
            "interval": [change.interval.low, change.interval.high],
            "share_worse": change.share_worse,
        },
        **{
            side: {"mirror": embeddings.mirror, "methods": [_method_data(one) for one in methods]}
            for side, embeddings, methods in sides
        },
        "changes": [
            {"change": t, "amount": a, "before": b, "after": c} for t, a, b, c in found.changes
        ],
    }


def summary_lines(found: TrainingFindings) -> list[str]:
    """The figures in a few lines for a terminal."""
    lines = [
        f"{side}, {one.method}: EER {_eer(one)}, FNMR at FMR {FMR:g} {_fnmr(one)}"
        for side, methods in (("before", found.before), ("after", found.after))
        for one in methods
    ]
    was, now = (one.mirror for one in found.embeddings)
    interval = found.change.interval
    lines.append(f"similarity of a face and its mirror image: {was:.3f} before, {now:.3f} after")
    lines.append(
        f"FNMR changes by {found.change.rise * 100:+.2f} points "
        f"({interval.low * 100:+.2f} to {interval.high * 100:+.2f}, paired over people)"
    )
    return lines


def _method_data(one: Compared) -> dict[str, object]:
    fnmr, equal = one.at_fmr.fnmr, one.figures.eer
    return {
        "method": one.method,
        "eer": None if equal is None else equal.rate,
        "genuine": one.figures.genuine.n,
        "impostor": one.figures.impostor.n,
        "fnmr": None if fnmr is None else fnmr.value,
        "fnmr_interval": None if fnmr is None else [fnmr.interval.low, fnmr.interval.high],
        "threshold": one.at_fmr.threshold,
    }


def _before_and_after(found: TrainingFindings) -> ReportSection:
    rows = [
        (f"{side}, {one.method}", _eer(one), _fnmr(one), f"{embeddings.mirror:.3f}")
        for side, embeddings, methods in zip(
            ("before", "after"), found.embeddings, (found.before, found.after), strict=True
        )
        for one in methods
    ]
    first = found.before[0].figures
    words = (
        f"{found.verdict}\n\n{first.genuine.n:,} genuine and {first.impostor.n:,} impostor "
        f"comparisons of {len(set(found.names)):,} people. FNMR changes by "
        f"{found.change.rise * 100:+.2f} points ({found.change.interval.low * 100:+.2f} to "
        f"{found.change.interval.high * 100:+.2f}, {found.change.interval.basis}); it rises in "
        f"{found.change.share_worse:.0%} of the draws."
    )
    header = ("embeddings", "EER", f"FNMR at FMR {format_rate(FMR)}", "mirror similarity")
    return ReportSection("Before and after", words, Table(header, tuple(rows)))


def _curves(found: TrainingFindings, out: Path) -> ReportSection:
    curves = [
        Curve(
            f"{side}, {one.method}",
            det(one.figures.genuine, one.figures.impostor),
            one.figures.impostor.n,
            one.figures.genuine.n,
        )
        for side, one in (
            ("before", found.before[0]),
            ("after", found.after[0]),
            # the best that costs nothing
            ("before", min(found.before[1:], key=lambda one: one.at_fmr.observed_fnmr or 0.0)),
        )
    ]
    pictures = (
        Picture(draw_roc(curves, out / "roc.png"), "ROC curves before and after training"),
        Picture(draw_det(curves, out / "det.png"), "DET curves before and after training"),
    )
    return ReportSection("Curves", "Every photo against every other.", pictures=pictures)


def _training_section(found: TrainingFindings, out: Path) -> list[ReportSection]:
    if not found.steps:
        return []
    steps, loss, spread = zip(*found.steps, strict=True)
    path = draw_training(steps, loss, spread, out / "training.png")
    return [ReportSection("Training", pictures=(Picture(path, "Loss and spread of each step"),))]


def _maps(found: TrainingFindings, out: Path) -> ReportSection:
    """Some people's faces by the two main directions of the embeddings, before and after."""
    names, counts = np.unique(found.names, return_counts=True)
    most = names[np.argsort(-counts, kind="stable")[:MAP_PEOPLE]]
    rows = np.flatnonzero(np.isin(found.names, most))[:MAP_FACES]
    pictures = tuple(
        Picture(
            _draw_map(one.plain[rows], rows, found, out / f"map-{side}.png"),
            f"Faces by the two main directions of their embeddings, {side} training",
            side,
        )
        for side, one in zip(("before", "after"), found.embeddings, strict=True)
    )
    return ReportSection("Maps", "The people with the most photos.", pictures=pictures)


def _draw_map(vectors: FloatArray, rows: np.ndarray, found: TrainingFindings, path: Path) -> Path:
    components = pca(vectors, 2)
    crops = [found.crops[row] for row in rows]
    names = [found.names[row] for row in rows]
    return draw_pca_map(components.coordinates, crops, names, components.explained, path)


def _eer(one: Compared) -> str:
    return "-" if one.figures.eer is None else format_percent(one.figures.eer.rate)


def _fnmr(one: Compared) -> str:
    fnmr = one.at_fmr.fnmr
    if fnmr is None:
        return f"refused: {one.at_fmr.refusal}"
    low, high = format_percent(fnmr.interval.low), format_percent(fnmr.interval.high)
    return f"{format_percent(fnmr.value)} ({low} to {high}, {fnmr.errors:,} of {fnmr.trials:,})"
