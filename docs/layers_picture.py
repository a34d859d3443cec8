"""Draw the picture of the layers in docs/architecture.md from the layers in pyproject.toml.

python docs/layers_picture.py
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "images" / "layers.svg"

HOLDS = {
    "cli": "commands: arguments, output",
    "web": "the page and the HTTP API",
    "login": "PAM and its daemon",
    "lab": "demo, audit, evaluation, charts",
    "train": "training of a network",
    "compat": "MTCNN, FaceUnlock, facenet-pytorch",
    "bulk": "many photos: workers, shards, clusters",
    "app": "use cases: enroll, verify, identify",
    "vault": "encrypted templates, attempts, log",
    "liveness": "living person or picture",
    "faces": "find, align and embed faces",
    "matching": "scores, thresholds, decisions",
    "nets": "torch networks",
    "models": "table, files and engines of models",
    "media": "photos, cameras, videos",
    "metrics": "error rates",
    "settings": "what the user set",
    "vectors": "unit rows, centres",
    "results": "records: Face, Decision",
    "files": "safe reading and writing",
    "system": "what differs between systems",
    "errors": "errors, outcomes, exit codes",
    "records": "data classes without generated code",
}
"""What each package or module holds, in a few words."""

WIDTH, ROW, GAP, MARGIN = 860, 54, 10, 20
STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1b1f24 }
  .name { font-weight: 600 }
  .holds { font-size: 12px; fill: #57606a }
  rect { fill: #eef3f8; stroke: #8c9bab }
  .arrow { stroke: #57606a; fill: none }
"""


def main() -> None:
    TARGET.write_text(draw(layers(ROOT / "pyproject.toml")), encoding="utf-8")


def layers(pyproject: Path) -> list[list[str]]:
    """The layers, high to low; each a list of packages that may not import one another."""
    table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    contracts = table["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["type"] == "layers"]
    return [
        [name.strip(" ()").removeprefix("mien.") for name in layer.replace(":", "|").split("|")]
        for layer in contract["layers"]
    ]


def draw(rows: list[list[str]]) -> str:
    """An SVG: a row for each layer; a layer imports only what is below it."""
    height = 2 * MARGIN + len(rows) * (ROW + GAP) - GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' role="img" aria-label="The layers of mien, high to low">',
        f"<style>{STYLE}</style>",
        f'<rect x="0" y="0" width="{WIDTH}" height="{height}" style="fill:#fff;stroke:none"/>',
        f'<path class="arrow" d="M{MARGIN} {MARGIN} V{height - MARGIN} m-5 -8 l5 8 l5 -8"/>',
    ]
    for number, row in enumerate(rows):
        lines += _boxes(row, MARGIN + number * (ROW + GAP))
    return "\n".join([*lines, "</svg>", ""])


def _boxes(row: list[str], top: int) -> list[str]:
    left = 2 * MARGIN
    width = (WIDTH - left - MARGIN - GAP * (len(row) - 1)) / len(row)
    lines = []
    for number, name in enumerate(row):
        x = left + number * (width + GAP)
        middle = x + width / 2
        lines += [
            f'<rect x="{x:g}" y="{top}" width="{width:g}" height="{ROW}" rx="4"/>',
            f'<text class="name" x="{middle:g}" y="{top + 23}" text-anchor="middle">{name}</text>',
            f'<text class="holds" x="{middle:g}" y="{top + 41}" text-anchor="middle">'
            f"{escape(HOLDS[name])}</text>",
        ]
    return lines


if __name__ == "__main__":
    main()
