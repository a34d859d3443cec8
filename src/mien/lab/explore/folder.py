"""The faces of a folder with one subfolder per person: found, cropped and embedded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, SeveralFacesFound, UnreadableImage, UsageError, quote_path
from mien.media.image_file import read_image
from mien.media.photo_paths import find_people_photos
from mien.results import ByteArray, FloatArray

NamedPhoto = tuple[Path, str]
PhotoProgress = Callable[[Sequence[NamedPhoto]], Iterable[NamedPhoto]]


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedFolder:
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
        """The rows of this person's faces."""
        return [row for row, name in enumerate(self.people) if name == person]


def analyse_folder(
    root: str | os.PathLike[str],
    pipeline: Pipeline,
    *,
    progress: PhotoProgress = lambda photos: photos,
) -> AnalysedFolder:
    """Find, crop and embed the face of every photo under `root`.

    progress: wraps the photos as they are read. A photo that cannot be read or has no
    face, or several, is left out and listed. Raises UsageError for a folder without
    people, and if no face was found at all.
    """
    crops, names, photos, left_out = [], [], [], []
    for path, person in progress(find_people_photos(root)):
        try:
            crop = pipeline.crop_found(read_image(path))
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
    return AnalysedFolder(
        crops=tuple(crop.pixels for crop in crops),
        vectors=pipeline.embed(crops),
        people=tuple(names),
        photos=tuple(photos),
        left_out=tuple(left_out),
    )
