"""Write an audit as text, tables, a chart and JSON. Shows no photo and no embedding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mien.lab.audit.run import MAX_SIDE_PX, Audit, ModelAudit
from mien.lab.audit.statistics import (
    PERCENTILES,
    ChangeFigures,
    FlipGain,
    Separation,
    Share,
    Spread,
)
from mien.lab.audit.steps import KINDS, MIRROR, STEPS
from mien.lab.plots.robustness import Panel, RobustnessCurve, draw_robustness_chart
from mien.lab.plots.style import signed
from mien.lab.report.html import Picture, ReportSection, Table, write_report
from mien.lab.report.output import make_folder, write_output
from mien.matching.score import Score

JSON_NAME, CHART_NAME = "audit.json", "robustness.png"
NONE = "\N{EN DASH}"

HOW = (
    "Each photo is changed as a whole; then its face is found, cropped and embedded as for "
    "unlocking. found: one face was found. similarity: of the changed photo to the photo as it is, "
    "over the found ones. owner accepted: the changed photo reaches the threshold against the "
    "centre of the person's other photos. strangers accepted: against the centres of the other "
    "people, one trial for each. The threshold is that of unlocking: calibrated for the number of "
    "photos compared with, and moved by cohort score normalisation. The threshold given in words "
    "and in the chart is that for one photo, not moved.\n\n"
    "A photo in which no face, or more than one, is found counts as tried and as refused, for the "
    "owner and for strangers alike; none is dropped."
)
ITSELF = (
    "{single} of the {photos} photos are the only ones of their person. They have no other photo "
    "to be compared with, so they are compared with themselves, and counted apart: that is an "
    "easier test."
)


def write_audit(out: Path, audit: Audit, *, title: str, seed: int) -> Path:
    """Write the report, the chart and `audit.json` into `out`; gives the report's path."""
    make_folder(out)
    chart = draw_robustness_chart(
        panels_of(audit.models),
        [(one.model, one.threshold.value) for one in audit.models],
        out / CHART_NAME,
    )
    sections = [
        ReportSection(
            "Does a mirror image change the embedding?", "\n\n".join(mirror_findings(audit))
        ),
        ReportSection(
            "Flip averaging",
            "The same photos, each embedded once, and once as the direction between it and its "
            "mirror image. d-prime is the distance of the two means in units of their deviation; "
            "higher is better.",
            _gain_table(audit.models),
        ),
        ReportSection(
            "Similarity against strength", _describe_method(audit), pictures=(_picture(chart),)
        ),
    ]
    sections += [
        ReportSection(f"Every change, {one.model}", "", _table(one)) for one in audit.models
    ]
    if audit.left_out:
        words = "No face, or more than one, was found in these photos, so they were left out."
        rows = tuple((name, why.replace("_", " ")) for name, why in audit.left_out)
        sections.append(ReportSection("Left out", words, Table(("photo", "why"), rows)))
    figures = json.dumps(audit_data(audit, seed=seed), indent=1, ensure_ascii=False) + "\n"
    # a file name may hold bytes that are no text
    write_output(out / JSON_NAME, figures.encode("utf-8", "backslashreplace"))
    return write_report(out, title, sections, footer=f"Seed {seed}. Figures: {JSON_NAME}.")


def mirror_findings(audit: Audit) -> list[str]:
    """Whether a mirror image changes the embedding: two paragraphs for each embedder."""
    said = []
    for one in audit.models:
        mirrored = one.steps[STEPS.index(MIRROR)]
        said += [_describe_mirror(audit, one, mirrored), _describe_gain(one)]
    return said


def table_rows(one: ModelAudit) -> list[tuple[str, ...]]:
    """The table's rows, as it is first: change, amount, and then what `HEADER` says."""
    rows = [("unchanged", "", *_cells(one.unchanged))]
    for step, figures in zip(STEPS, one.steps, strict=True):
        rows.append((step.kind.title, step.amount, *_cells(figures)))
    return rows


HEADER = (
    *("change", "amount", "found", "mean", "5 %", "least"),
    *("owner accepted", "against itself", "strangers accepted"),
)


def describe_share(share: Share) -> str:
    """172 of 180 (95.6 %)."""
    if share.value is None:
        return NONE
    return f"{share.accepted:,} of {share.tried:,} ({_percent(share.value)} %)"


def share_cell(share: Share) -> str:
    """172/180 (95.6%): the short form for a table."""
    if share.value is None:
        return NONE
    return f"{share.accepted}/{share.tried} ({_percent(share.value)}%)"


def _percent(share: float) -> str:
    """In percent, with two decimals near 0 and 1."""
    places = 2 if 0 < min(share, 1 - share) < 0.01 else 1
    return f"{share * 100:.{places}f}"


def panels_of(models: Sequence[ModelAudit]) -> list[Panel]:
    """A panel for each kind of change, a curve for each embedder."""
    panels = []
    for kind in KINDS:
        rows = [row for row, step in enumerate(STEPS) if step.kind is kind]
        curves = []
        for one in models:
            figures = [one.steps[row] for row in rows]
            curves.append(
                RobustnessCurve(
                    kind.strengths,
                    tuple(f.similarity.mean for f in figures),
                    tuple(f.similarity.percentiles[PERCENTILES.index(5)] for f in figures),
                    tuple(f.found.value or 0.0 for f in figures),
                )
            )
        panels.append(Panel(kind.title, kind.ends, tuple(curves)))
    return panels


def audit_data(audit: Audit, *, seed: int) -> dict[str, object]:
    """All figures, for programs: no embedding, no name of a person, no path but file names."""
    return {
        "people": audit.people,
        "photos": audit.photos,
        "photos_compared_with_themselves": audit.single,
        "left_out": [{"photo": name, "why": why} for name, why in audit.left_out],
        "seed": seed,
        "models": [_model_data(one) for one in audit.models],
    }


def _describe_mirror(audit: Audit, one: ModelAudit, mirrored: ChangeFigures) -> str:
    alike = mirrored.similarity
    if alike.mean is None or alike.lowest is None:
        return f"{one.model}: no face was found in any of the {audit.photos} mirror images."
    verdict = "yes, but little" if Score(alike.lowest).reaches(one.threshold) else "yes"
    strangers = ""
    if mirrored.impostor.tried:
        strangers = (
            f"; strangers in {describe_share(one.unchanged.impostor)}, "
            f"mirrored in {describe_share(mirrored.impostor)}"
        )
    return (
        f"{one.model}: {verdict}. The mean similarity between a photo and its mirror image is "
        f"{_number(alike.mean)}, the least {_number(alike.lowest)} (photos: {audit.photos}, "
        f"people: {audit.people}); the threshold is {one.threshold.value:.3f}. A single face is "
        f"found in {describe_share(mirrored.found)} mirror images. Of the trials, the owner is "
        f"accepted in {_describe_owner(one.unchanged)}, mirrored in "
        f"{_describe_owner(mirrored)}{strangers}."
    )


def _describe_owner(figures: ChangeFigures) -> str:
    """Against the other photos; against the photo itself only where there is nothing else."""
    if figures.genuine.tried:
        return describe_share(figures.genuine)
    return f"{describe_share(figures.genuine_itself)} against the photo itself"


def _describe_gain(one: ModelAudit) -> str:
    plain, averaged = one.gain.plain, one.gain.averaged
    start = f"{one.model}, flip-averaged: "
    alike = one.gain.similarity.mean
    mirror = (
        "" if alike is None else f"the similarity of photo and mirror image is {_number(alike)}. "
    )
    if plain.genuine_mean is None:
        return (
            f"{start}{mirror}No person has two photos, so the gain cannot be measured; "
            "add a second photo of each."
        )
    words = (
        f"{start}{mirror}The mean genuine similarity goes from {_number(plain.genuine_mean)} to "
        f"{_number(averaged.genuine_mean)}, higher for {describe_share(one.gain.increased)} photos"
    )
    if plain.impostor_mean is None:
        return words + "; there is no other person to compare with."
    return (
        f"{words}, the mean impostor similarity from {_number(plain.impostor_mean)} to "
        f"{_number(averaged.impostor_mean)}, and d-prime from {_number(plain.d_prime, 2)} to "
        f"{_number(averaged.d_prime, 2)}."
    )


def _describe_method(audit: Audit) -> str:
    words = f"{HOW} Photos are shrunk to {MAX_SIDE_PX} px on the longer side first."
    if audit.single:
        words += "\n\n" + ITSELF.format(single=audit.single, photos=audit.photos)
    return words


def _picture(chart: Path) -> Picture:
    titles = ", ".join(kind.title.lower() for kind in KINDS)
    return Picture(chart, f"Similarity against strength in {len(KINDS)} panels: {titles}")


def _table(one: ModelAudit) -> Table:
    """Without the columns in which nothing was tried."""
    rows = table_rows(one)
    kept = [at for at in range(len(HEADER)) if any(row[at] != NONE for row in rows)]
    return Table(
        tuple(HEADER[at] for at in kept),
        tuple(tuple(row[at] for at in kept) for row in rows),
        f"{one.model}, threshold {one.threshold.value:.3f}; mean, 5 % and least are similarities",
    )


def _cells(figures: ChangeFigures) -> tuple[str, ...]:
    alike = figures.similarity
    return (
        share_cell(figures.found),
        _number(alike.mean),
        _number(alike.percentiles[PERCENTILES.index(5)]),
        _number(alike.lowest),
        share_cell(figures.genuine),
        share_cell(figures.genuine_itself),
        share_cell(figures.impostor),
    )


def _gain_table(models: Sequence[ModelAudit]) -> Table:
    means = ("genuine mean", "impostor mean", "d-prime")
    header = ("embedding", *means, "owner accepted", "strangers accepted")
    rows = []
    for one in models:
        sides = (("", one.gain.plain), (", flip-averaged", one.gain.averaged))
        for words, side in sides:
            rows.append((one.model + words, *_separation_cells(side)))
    return Table(header, tuple(rows))


def _separation_cells(side: Separation) -> tuple[str, ...]:
    return (
        _number(side.genuine_mean),
        _number(side.impostor_mean),
        _number(side.d_prime, 2),
        share_cell(side.genuine),
        share_cell(side.impostor),
    )


def _number(value: float | None, places: int = 3) -> str:
    return NONE if value is None else signed(value, places)


def _model_data(one: ModelAudit) -> dict[str, object]:
    steps = [
        {
            "change": step.kind.change,
            "strength": step.strength,
            "amount": step.amount,
            **_figures_data(figures),
        }
        for step, figures in zip(STEPS, one.steps, strict=True)
    ]
    return {
        "model": one.model,
        "threshold": one.threshold.value,
        "unchanged": _figures_data(one.unchanged),
        "changes": steps,
        "flip_average": _gain_data(one.gain),
    }


def _figures_data(figures: ChangeFigures) -> dict[str, object]:
    return {
        "found": _share_data(figures.found),
        "similarity": _spread_data(figures.similarity),
        "genuine": _share_data(figures.genuine),
        "genuine_against_itself": _share_data(figures.genuine_itself),
        "impostor": _share_data(figures.impostor),
    }


def _gain_data(gain: FlipGain) -> dict[str, object]:
    return {
        "plain": _separation_data(gain.plain),
        "averaged": _separation_data(gain.averaged),
        "genuine_rose": _share_data(gain.increased),
        "similarity_to_mirror": _spread_data(gain.similarity),
    }


def _separation_data(side: Separation) -> dict[str, object]:
    return {
        "genuine_mean": _rounded(side.genuine_mean),
        "impostor_mean": _rounded(side.impostor_mean),
        "d_prime": _rounded(side.d_prime),
        "genuine": _share_data(side.genuine),
        "impostor": _share_data(side.impostor),
    }


def _share_data(share: Share) -> dict[str, object]:
    return {"accepted": share.accepted, "tried": share.tried, "share": _rounded(share.value)}


def _spread_data(spread: Spread) -> dict[str, object]:
    levels = zip(PERCENTILES, spread.percentiles, strict=True)
    return {
        "n": spread.n,
        "mean": _rounded(spread.mean),
        "least": _rounded(spread.lowest),
        "percentiles": {str(level): _rounded(value) for level, value in levels},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
