"""A tree of one folder per person, looked at: every face found, cut and embedded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, SeveralFacesFound, UnreadableImage, UsageError, quote_path
from mien.lab.explore import pca, similarity_matrix
from mien.lab.plots import crop_grid, heat_map, pca_map
from mien.lab.report.html import Picture, Section, Table, write_report
from mien.media.image_file import read_image
from mien.media.photo_paths import find_people_photos
from mien.results import ByteArray, FloatArray

Photo = tuple[Path, str]
Walk = Callable[[Sequence[Photo]], Iterable[Photo]]

MAX_IN_PICTURES = 60  # more faces than this are thinned out evenly for the heat map and the grid

HEAT_TEXT = (
    "Cosine of every pair; 1 is the same direction. Faces of one person should glow together."
)
HEAT_ALT = "Heat map of the cosine similarity of every pair of faces"
MAP_TEXT = (
    "The two directions in which these embeddings differ most. Near means alike, but only as far "
    "as two of the many dimensions can show."
)
MAP_ALT = "The faces as points on their first two principal components"


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """The faces of a folder of people; n may be less than its photos.

    crops: n of (side, side, 3) uint8 RGB. vectors: (n, d) float32 unit rows.
    people, photos: n each. left_out: (photo, why) of those without one face;
    why is a line that names the photo.
    """

    crops: tuple[ByteArray, ...] = field(repr=False)
    vectors: FloatArray = field(repr=False)
    people: tuple[str, ...]
    photos: tuple[Path, ...]
    left_out: tuple[tuple[Path, str], ...]

    def rows_of(self, person: str) -> list[int]:
        return [row for row, name in enumerate(self.people) if name == person]


def analyse_photos(
    root: str | os.PathLike[str], pipeline: Pipeline, *, progress: Walk = lambda photos: photos
) -> Gallery:
    """Find the face of every photo under `root`.

    A photo that cannot be read or has no face, or several, is left out and
    listed, never dropped in silence. Raises UsageError for a folder without
    people, and if no face was found at all.
    """
    crops, names, photos, left_out = [], [], [], []
    for path, person in progress(find_people_photos(root)):
        try:
            image = read_image(path)
            crop = pipeline.crop(image, pipeline.door_face(image))
        except UnreadableImage as error:  # names the photo itself
            left_out.append((path, str(error)))
            continue
        except (NoFaceFound, SeveralFacesFound) as error:
            left_out.append((path, f"{quote_path(path)}: {error}"))
            continue
        crops.append(crop)
        names.append(person)
        photos.append(path)
    if not crops:
        raise UsageError(f"no face found in the {len(left_out)} photos; choose another folder")
    return Gallery(
        crops=tuple(crop.pixels for crop in crops),
        vectors=pipeline.embed(crops),
        people=tuple(names),
        photos=tuple(photos),
        left_out=tuple(left_out),
    )


def explore_folder(
    root: Path, out: Path, pipeline: Pipeline, *, progress: Walk = lambda photos: photos
) -> tuple[Gallery, Path]:
    """Look at a folder of people and write the report of it into `out`."""
    gallery = analyse_photos(root, pipeline, progress=progress)
    sections = gallery_sections(gallery, made_folder(out))
    return gallery, write_report(out, f"mien explore {root.resolve().name}", sections)


def made_folder(folder: Path) -> Path:
    """The folder, made if it is not there. UsageError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {quote_path(folder)}: {error.strerror}"
        ) from error
    return folder


def gallery_sections(gallery: Gallery, folder: Path) -> list[Section]:
    """Draw the grid, the heat map and the PCA map into `folder`, as sections of a report."""
    rows = _thinned(len(gallery.crops))
    crops = [gallery.crops[row] for row in rows]
    people = [gallery.people[row] for row in rows]
    vectors = gallery.vectors[rows]
    part = f"{len(rows)} of {len(gallery.crops)} faces" if len(rows) < len(gallery.crops) else ""
    grid = crop_grid(crops, people, folder / "faces.png")
    heat = heat_map(similarity_matrix(vectors), crops, people, folder / "similarity.png")
    found = pca(vectors, 2)
    plane = pca_map(found.coordinates, crops, people, found.explained, folder / "map.png")
    sections = [
        Section(
            "Faces",
            "Each face as it was found, turned upright and cut for the embedder.",
            pictures=(Picture(grid, "The found faces, by person", part),),
        ),
        Section("Similarity", HEAT_TEXT, pictures=(Picture(heat, HEAT_ALT, part),)),
        Section("Map", MAP_TEXT, pictures=(Picture(plane, MAP_ALT, part),)),
    ]
    if gallery.left_out:
        listed = tuple((str(path.name), why) for path, why in gallery.left_out)
        sections.append(
            Section("Left out", "These photos gave no face.", Table(("photo", "why"), listed))
        )
    return sections


def _thinned(count: int) -> Sequence[int]:
    picked = np.linspace(0, count - 1, min(count, MAX_IN_PICTURES))
    return [int(row) for row in np.rint(picked)]
