"""Read which photos to compare, from a pairs file in the format of LFW or a folder per person.

The format of the pairs files of Labeled Faces in the Wild (LFW):

    FOLDS   PAIRS                    or PAIRS alone, which is one fold
    NAME    2       7                PAIRS genuine lines: NAME_0002.jpg and NAME_0007.jpg
    NAME    2       OTHER   1        then PAIRS impostor lines; and so on for each fold

Images are at DIR/NAME/NAME_0002.jpg. The file is untrusted: no name in it can refer to a
file outside DIR.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from mien.errors import UsageError, one_line, quote_path
from mien.media.photo_paths import find_people_photos
from mien.metrics.scores import CountArray

MAX_FILE_BYTES = 50_000_000  # LFW's has 150,000
MAX_LINE = 1000
NUMBER = re.compile("[0-9]{1,6}")
COLUMNS = {3: "genuine (NAME N M)", 4: "impostor (NAME N OTHER M)"}


@dataclass(frozen=True, slots=True, eq=False)
class PeoplePhotos:
    """Photos, and the person in each.

    photos: n different paths. names: of the people. person: (n,) int64, index into names.
    """

    photos: tuple[Path, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    person: CountArray = field(repr=False)

    def __post_init__(self) -> None:
        if self.person.shape != (len(self.photos),):
            raise ValueError(f"person must be ({len(self.photos)},), got {self.person.shape}")

    def name_of(self, row: int) -> str:
        """The name of the person in the photo of this row."""
        return self.names[int(self.person[row])]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Photos, and the pairs of them to compare, by fold.

    a, b: (m,) rows of people.photos. same: (m,) bool, genuine or impostor pair.
    fold: (m,) int64 from 1.
    """

    people: PeoplePhotos
    a: npt.NDArray[np.intp] = field(repr=False)
    b: npt.NDArray[np.intp] = field(repr=False)
    same: npt.NDArray[np.bool_] = field(repr=False)
    fold: CountArray = field(repr=False)

    def without(self, photos: npt.NDArray[np.bool_]) -> Pairs:
        """The pairs that contain none of these photos, (n,) bool. `people` is unchanged."""
        kept = ~(photos[self.a] | photos[self.b])
        return Pairs(self.people, self.a[kept], self.b[kept], self.same[kept], self.fold[kept])


def read_people(root: Path) -> PeoplePhotos:
    """Read a folder with one sub-folder per person. UsageError for fewer than two people."""
    found = find_people_photos(root)
    rows = {name: row for row, name in enumerate(dict.fromkeys(name for _, name in found))}
    if len(rows) < 2:
        raise UsageError(
            f"only one person in {quote_path(root)}; add a sub-folder with photos of another person"
        )
    person = np.array([rows[name] for _, name in found], np.int64)
    return PeoplePhotos(tuple(path for path, _ in found), tuple(rows), person)


def read_pairs(pairs_file: Path, images: Path) -> Pairs:
    """Read a pairs file and find its images. UsageError with the number of the first wrong line."""
    return _Reader(pairs_file, images).read()


class _Reader:
    """Reads the lines once, and numbers the photos in the order in which they appear."""

    def __init__(self, pairs_file: Path, images: Path) -> None:
        self._file, self._images = pairs_file, images
        self._rows: dict[tuple[str, int], int] = {}
        self._photos: list[Path] = []
        self._line = 0

    def read(self) -> Pairs:
        lines = self._lines()
        folds, per_fold = self._header(lines[0] if lines else "")
        if len(lines) - 1 != 2 * folds * per_fold:
            self._line = len(lines)
            self._refuse(f"has {len(lines) - 1:,} pairs, its header says {2 * folds * per_fold:,}")
        at = np.arange(len(lines) - 1)
        same = at % (2 * per_fold) < per_fold
        rows = [
            self._pair(number, line, bool(genuine))
            for (number, line), genuine in zip(enumerate(lines[1:], 2), same, strict=True)
        ]
        a, b = np.array(rows, np.intp).T
        return Pairs(self._people(), a, b, same, at // (2 * per_fold) + 1)

    def _lines(self) -> list[str]:
        """The lines, without empty ones at the end."""
        try:
            if not self._file.is_file():
                raise UsageError(f"there is no pairs file {quote_path(self._file)}; check --pairs")
            with open(self._file, "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"cannot read {quote_path(self._file)}: {one_line(error)}; check --pairs"
            ) from error
        if len(data) > MAX_FILE_BYTES:
            raise UsageError(
                f"{quote_path(self._file)} is too large for a pairs file; check --pairs"
            )
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self._line = data[: error.start].count(b"\n") + 1
            self._refuse("is not UTF-8 text; is this a pairs file?")
        # not splitlines(): a name may contain other characters that it takes for line ends
        return [line.rstrip("\r") for line in text.rstrip().split("\n")] if text.strip() else []

    def _header(self, line: str) -> tuple[int, int]:
        self._line = 1
        words = line.split()
        if not 1 <= len(words) <= 2 or not all(NUMBER.fullmatch(word) for word in words):
            self._refuse("is not a header; expected 'FOLDS PAIRS', as in '10 300'")
        folds, per_fold = (1, *map(int, words))[-2:]
        if folds < 1 or per_fold < 1:
            self._refuse("has a zero; expected 'FOLDS PAIRS', as in '10 300'")
        return folds, per_fold

    def _pair(self, number: int, line: str, genuine: bool) -> tuple[int, int]:
        self._line = number
        if len(line) > MAX_LINE:
            self._refuse(f"has over {MAX_LINE} characters; is this a pairs file?")
        words = line.split("\t") if "\t" in line else line.split()
        expected = 3 if genuine else 4
        if len(words) != expected:
            self._refuse(f"has {len(words)} columns, expected {expected}: {COLUMNS[expected]}")
        name, other = words[0], words[0] if genuine else words[2]
        first, second = self._photo(name, words[1]), self._photo(other, words[-1])
        if first == second:
            self._refuse("compares an image with itself")
        if not genuine and name == other:
            self._refuse("is an impostor pair of one person")
        return first, second

    def _photo(self, name: str, number: str) -> int:
        """The row of the photo. UsageError if the file does not exist."""
        bad = not name or ".." in name or name.startswith(".") or any(c in name for c in "/\\:")
        if bad or not name.isprintable():
            self._refuse(f"has the name {quote_path(name[:60])}, which is not allowed for a folder")
        if not NUMBER.fullmatch(number):
            self._refuse(f"has the image number {quote_path(number[:20])}, expected 1 to 6 digits")
        key = (name, int(number))
        if key not in self._rows:
            photo = self._images / name / f"{name}_{key[1]:04d}.jpg"
            if not os.path.isfile(photo):
                where = quote_path(os.path.join(name, photo.name))
                self._refuse(f"names {where}, which is not in {quote_path(self._images)}")
            self._rows[key] = len(self._photos)
            self._photos.append(photo)
        return self._rows[key]

    def _people(self) -> PeoplePhotos:
        names = {name: row for row, name in enumerate(dict.fromkeys(n for n, _ in self._rows))}
        person = np.array([names[name] for name, _ in self._rows], np.int64)
        return PeoplePhotos(tuple(self._photos), tuple(names), person)

    def _refuse(self, what: str) -> NoReturn:
        raise UsageError(f"{quote_path(self._file)}, line {max(self._line, 1)}: {what}")
