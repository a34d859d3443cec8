"""The report of an evaluation of attacks: rates of each way to decide, and two pictures."""

from __future__ import annotations

from pathlib import Path

from mien.errors import NotEnoughEvidence
from mien.lab.evaluate.attack_rates import AttackRates
from mien.lab.evaluate.attacks import AttackEvaluation
from mien.lab.plots import Curve, draw_det
from mien.lab.plots.attacks import draw_attacks
from mien.lab.report.html import Picture, ReportSection, Table, write_report
from mien.metrics import ErrorRate, det

RATES_NAME, DET_NAME = "attacks.png", "det.png"
READ = (
    "APCER is the share of attacks of one kind that were taken for a living person, BPCER the "
    "share of living people who were refused (ISO/IEC 30107-3). Rates are of the clips of the "
    "split test in which a face was found; intervals are at 95 %. IAPAR is the share of attacks on "
    "enrolled people that also match them, as at the door."
)


def write_attack_report(evaluation: AttackEvaluation, folder: Path, *, title: str) -> Path:
    """Write report.html and the pictures that can be drawn; gives the path of the report."""
    rates = evaluation.rates
    species = list(dict.fromkeys(name for way in rates for name in way.apcer))
    header = ("decided by", "BPCER", *(f"APCER of {name}" for name in species), "all attacks")
    table = Table(header, tuple(_row(way, species) for way in rates))
    others = [(name, str(rate)) for name, rate in evaluation.non_response.items()]
    if evaluation.iapar is not None:
        others.append(("IAPAR", str(evaluation.iapar)))
    sections = [
        ReportSection("How to read this", READ),
        ReportSection("Rates", table=table, pictures=tuple(_pictures(evaluation, folder))),
    ]
    if others:
        table = Table(("", "rate"), tuple(others))
        sections.append(ReportSection("Clips without a face, and the whole system", table=table))
    if evaluation.refusals:
        sections.append(ReportSection("What the data cannot say", "\n\n".join(evaluation.refusals)))
    return write_report(folder, title, sections)


def _row(way: AttackRates, species: list[str]) -> tuple[str, ...]:
    apcer = [_text(way.apcer.get(name)) for name in species]
    return (way.name, _text(way.bpcer), *apcer, _text(way.overall))


def _text(rate: ErrorRate | None) -> str:
    return "not stated" if rate is None else str(rate)


def _pictures(evaluation: AttackEvaluation, folder: Path) -> list[Picture]:
    found = []
    ways = {rates.name: rates.apcer for rates in evaluation.rates if rates.apcer}
    if ways:
        path = draw_attacks(ways, folder / RATES_NAME)
        found.append(Picture(path, "Attacks that pass, by kind, with intervals"))
    scored = [one for one in evaluation.scores if one.clip.split == "test" and one.is_response]
    living = [one.score for one in scored if not one.clip.is_attack]
    attacks = [one.score for one in scored if one.clip.is_attack]
    try:
        curve = Curve("passive score", det(living, attacks), len(attacks), len(living))
    except NotEnoughEvidence:  # clips of one of the two are missing
        return found
    path = draw_det(
        [curve],
        folder / DET_NAME,
        x_title="APCER (attacks of every kind that pass)",
        y_title="BPCER (living people refused)",
    )
    found.append(Picture(path, "APCER against BPCER at every threshold of the passive score"))
    return found
