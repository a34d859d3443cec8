"""Find photos: those that arguments name, and those in a tree of one folder per person."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mien.errors import UnreadableImage, UsageError, one_line, quote_path

SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".jpeg"),
    *(".jpg", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
OTHER_SUFFIXES = (
    *(".arw", ".cr2", ".cr3", ".dng", ".j2k", ".jp2", ".jpx", ".jxl", ".nef", ".orf", ".psd"),
    *(".raf", ".rw2", ".svg", ".tga"),
)
"""Pictures that mien does not read. They are found in a folder of photos to be named there."""


def find_photos(arguments: Sequence[str]) -> list[Path]:
    """The photos named by files, folders and glob patterns, each once, in the order given.

    A folder gives the pictures directly in it, not those in its sub-folders, which may
    show other people. A folder or pattern gives files with a picture's suffix, in natural
    order (2 before 10), also of kinds that mien does not read: whoever reads them says so. A
    file that is named is taken whatever its suffix.

    Raises UsageError if an argument matches nothing, UnreadableImage for a
    missing file.
    """
    if not arguments:
        raise UsageError("no photo given; name files, a folder, or a glob in quotes")
    found: dict[Path, None] = {}
    for argument in arguments:
        found.update(dict.fromkeys(_expand(argument)))
    return list(found)


def named_files(arguments: Sequence[str]) -> frozenset[Path]:
    """The arguments of `find_photos` that are files, and no folders or patterns."""
    return frozenset(
        Path(one) for one in arguments if os.path.lexists(one) and not os.path.isdir(one)
    )


def find_people_photos(root: str | os.PathLike[str]) -> list[tuple[Path, str]]:
    """(photo, person) for a tree of one folder per person, ordered as by torchvision's ImageFolder.

    Hidden files and folders are left out, and so are files without a picture's
    suffix and photos directly in `root`. Raises UsageError if that leaves none.
    """
    try:
        with os.scandir(root) as entries:
            visible = (e.name for e in entries if not e.name.startswith("."))
            # not e.is_dir(), which raises for a link to itself
            people = sorted(name for name in visible if os.path.isdir(Path(root, name)))
        top = os.stat(root)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot list the folder {quote_path(root)}: {one_line(error)}; check the path"
        ) from error
    pairs = []
    for person in people:
        seen = {(top.st_dev, top.st_ino)}
        pairs += [(photo, person) for photo in _find_in_tree(Path(root, person), seen)]
    if not pairs:
        raise UsageError(
            f"no photo of a person in {quote_path(root)}; make one sub-folder per person, "
            "named after them, and put their photos in it"
        )
    return pairs


def find_tree_photos(root: str | os.PathLike[str]) -> list[Path]:
    """All photos in a folder and below it, sorted by folder and name; as `find_people_photos` does.

    UsageError for a folder that cannot be listed.
    """
    if not os.path.isdir(root):
        raise UsageError(f"{quote_path(root)} is no folder; name one with photos in it or below it")
    return _find_in_tree(Path(root), set())


def _expand(argument: str) -> list[Path]:
    if not argument:
        raise UsageError("the name of a photo is empty; name a file, a folder, or a glob in quotes")
    if os.path.isdir(argument):
        photos = [Path(argument, name) for name in _names_in(argument) if _is_picture(name)]
        photos = [photo for photo in photos if not photo.is_dir()]
        return sorted(photos, key=_natural_key) or _no_photo(
            argument, "no picture is directly in it"
        )
    if os.path.lexists(argument):
        return [Path(argument)]
    import glob

    if not glob.has_magic(argument):
        raise UnreadableImage(f"there is no file {quote_path(argument)}; check the path")
    try:
        found = [Path(name) for name in glob.glob(argument)]
    except (OSError, ValueError, re.error):  # a NUL or a broken range in the pattern
        found = []
    photos = [path for path in found if _is_picture(path.name) and not path.is_dir()]
    return sorted(photos, key=_natural_key) or _no_photo(argument, "no picture has such a name")


def _no_photo(argument: str, why: str) -> list[Path]:
    raise UsageError(f"{quote_path(argument)} gives no photo: {why}; check it, or name the files")


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise UsageError(
            f"cannot list the folder {quote_path(folder)}: {one_line(error)}; check its permissions"
        ) from error


def is_photo_name(name: str) -> bool:
    """Whether a file of a folder is taken for a photo, by its suffix."""
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith((*SUFFIXES, *OTHER_SUFFIXES))


def _natural_key(path: Path) -> tuple[list[str | int], str]:
    """Sorts digits as numbers: photo2 before photo10."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [int(part) if part.isdecimal() else part for part in parts], str(path)


def _find_in_tree(folder: Path, seen: set[tuple[int, int]]) -> list[Path]:
    """All photos below; links are followed, but no folder of `seen` and none twice."""
    photos = []
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_raise_not_listed):
        found = os.stat(place)
        if (found.st_dev, found.st_ino) in seen:
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        photos += [(place, name) for name in names if is_photo_name(name)]
    return [Path(place, name) for place, name in sorted(photos)]


def _raise_not_listed(error: OSError) -> None:
    raise UsageError(
        f"cannot list the folder {quote_path(error.filename)}: {one_line(error)};"
        " check its permissions"
    ) from error
