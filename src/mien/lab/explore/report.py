"""The report of `mien explore`: the faces, their similarities, and a map of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.app.pipeline import Pipeline
from mien.lab.explore.folder import AnalysedFolder, PhotoProgress, analyse_folder
from mien.lab.explore.similarity import pca, similarity_matrix
from mien.lab.plots import draw_crop_grid, draw_heat_map, draw_pca_map
from mien.lab.report.html import Picture, ReportSection, Table, write_report
from mien.lab.report.output import make_folder

MAX_FACES_DRAWN = 60  # of more, so many are drawn, evenly spaced

HEAT_TEXT = "Cosine of every pair; 1 is the same direction. Faces of one person should be bright."
HEAT_ALT = "Heat map of the cosine similarity of every pair of faces"
MAP_TEXT = (
    "The two directions in which these embeddings differ most. Points that are near are similar, "
    "but only in these two of the many dimensions."
)
MAP_ALT = "The faces as points on their first two principal components"


def explore_folder(
    root: Path, out: Path, pipeline: Pipeline, *, progress: PhotoProgress = lambda photos: photos
) -> tuple[AnalysedFolder, Path]:
    """Analyse a folder of people and write `report.html` into `out`; gives the report's path."""
    analysed = analyse_folder(root, pipeline, progress=progress)
    sections = draw_sections(analysed, make_folder(out))
    return analysed, write_report(out, f"mien explore {root.resolve().name}", sections)


def draw_sections(analysed: AnalysedFolder, folder: Path) -> list[ReportSection]:
    """Draw the grid, the heat map and the PCA map into `folder`, as sections of a report."""
    rows = _evenly_spaced(len(analysed.crops))
    crops = [analysed.crops[row] for row in rows]
    people = [analysed.people[row] for row in rows]
    vectors = analysed.vectors[rows]
    part = f"{len(rows)} of {len(analysed.crops)} faces" if len(rows) < len(analysed.crops) else ""
    grid = draw_crop_grid(crops, people, folder / "faces.png")
    heat = draw_heat_map(similarity_matrix(vectors), crops, people, folder / "similarity.png")
    components = pca(vectors, 2)
    pca_map = draw_pca_map(
        components.coordinates, crops, people, components.explained, folder / "map.png"
    )
    sections = [
        ReportSection(
            "Faces",
            "Each face as it was found, turned upright and cropped for the embedder.",
            pictures=(Picture(grid, "The found faces, by person", part),),
        ),
        ReportSection("Similarity", HEAT_TEXT, pictures=(Picture(heat, HEAT_ALT, part),)),
        ReportSection("Map", MAP_TEXT, pictures=(Picture(pca_map, MAP_ALT, part),)),
    ]
    if analysed.left_out:
        listed = tuple((str(path.name), why) for path, why in analysed.left_out)
        sections.append(
            ReportSection("Left out", "These photos gave no face.", Table(("photo", "why"), listed))
        )
    return sections


def _evenly_spaced(count: int) -> list[int]:
    """At most `MAX_FACES_DRAWN` of so many rows."""
    picked = np.linspace(0, count - 1, min(count, MAX_FACES_DRAWN))
    return [int(row) for row in np.rint(picked)]
