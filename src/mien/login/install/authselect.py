"""A profile of authselect, which writes Fedora's system-auth and password-auth: see
authselect-profiles(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.errors import UsageError, quote
from mien.login.install.layout import Layout
from mien.login.install.pam_file import insert_block
from mien.login.install.pam_stack import ServiceFile, place_of_block
from mien.login.install.replace_file import read_system_file
from mien.login.install.steps import RemoveFile, Step

CUSTOM_PROFILE = "custom/mien"
CUSTOM_FOLDER = "/etc/authselect/custom"
CONFIG = "/etc/authselect/authselect.conf"
FOLDERS = ("/usr/share/authselect/vendor", "/usr/share/authselect/default")
TEMPLATES = ("system-auth", "password-auth")
MAX_FILES = 64
_CONDITION = re.compile(r'\{(include|exclude) if "([^"]+)"\}')
_MANUAL = "leave --everywhere out to change the files of single services"


def profile_in_use(layout: Layout) -> tuple[str, ...]:
    """The profile and its features; empty if authselect is not in use."""
    content = read_system_file(layout.at(CONFIG)) or b""
    return tuple(content.decode("utf-8", "replace").split())


def profile_files(
    layout: Layout, base: str, features: Sequence[str], entry: str
) -> Iterator[tuple[Path, bytes]]:
    """Path and content of each file of mien's profile: a copy of `base`, with a line in two.

    Raises UsageError where a face would skip another factor, and if there is no such profile.
    """
    folder = _folder_of(layout, base)
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if not set(TEMPLATES) <= set(names) or len(names) > MAX_FILES:
        raise UsageError(
            f"the authselect profile {quote(base)} is not of the usual form; {_MANUAL}"
        )
    for name in names:
        content = read_system_file(folder / name)
        assert content is not None  # it was listed just now
        if name in TEMPLATES:
            content = _with_line(content, name, features, entry, layout)
        yield layout.at(CUSTOM_FOLDER) / "mien" / name, content


def profile_removal(layout: Layout) -> list[Step]:
    """The steps that remove mien's profile."""
    folder = layout.at(CUSTOM_FOLDER) / "mien"
    if not folder.is_dir():
        return []
    return [RemoveFile(path, layout.shown(path)) for path in sorted(folder.iterdir())]


def _folder_of(layout: Layout, profile: str) -> Path:
    if profile.startswith("custom/"):
        places = [layout.at(CUSTOM_FOLDER) / profile.removeprefix("custom/")]
    else:
        places = [layout.at(folder) / profile for folder in FOLDERS]
    found = next((place for place in places if place.is_dir()), None)
    if found is None or "/" in profile.removeprefix("custom/"):
        raise UsageError(f"there is no authselect profile {quote(profile)}; {_MANUAL}")
    return found


def _with_line(
    template: bytes, name: str, features: Sequence[str], entry: str, layout: Layout
) -> bytes:
    """The template with mien's block, placed by the lines that these features leave."""
    lines = template.splitlines(keepends=True)
    # dropped lines become empty ones, so that the numbers of the others stay
    kept = [line if _is_included(line, features) else b"\n" for line in lines]
    file = ServiceFile(name, Path(name), b"".join(kept), is_vendor=True)
    try:
        place = place_of_block(file, layout)
    except UsageError as error:
        raise UsageError(f"the authselect profile cannot be used: {error}; {_MANUAL}") from error
    return insert_block(template, place, f"auth\t[success=done default=ignore]\t{entry}")


def _is_included(line: bytes, features: Sequence[str]) -> bool:
    found = _CONDITION.search(line.decode("utf-8", "replace"))
    return found is None or (found[2] in features) is (found[1] == "include")
