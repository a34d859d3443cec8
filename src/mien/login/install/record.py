"""What was installed: the hashes of mien's own files, and the originals of changed ones.

It lies in a folder of root, and a hash is noted before the file is written. So a kill between the
two leaves nothing that a later install or uninstall would take for somebody else's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mien.errors import UsageError
from mien.files import exclusive_lock
from mien.login.install.replace_file import read_system_file, replace_file

NAME = "record.json"
LOCK = "lock"
VERSION = 1


@dataclass(frozen=True, slots=True)
class InstallRecord:
    """files: by absolute path, the SHA-256 of every content that mien wrote there.

    copied: by path of a PAM file that mien copied to /etc/pam.d, the SHA-256 of that copy without
    mien's block. source: the SHA-256 of the C code that the module was compiled from. profile: of
    authselect, and its features, before mien's. folders: those that were made for files.
    """

    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    copied: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    profile: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def with_file(self, path: str, content: bytes) -> InstallRecord:
        """The record that knows this content of a file of mien's own, too."""
        known = self.files.get(path, ())
        hashes = tuple(dict.fromkeys((*known, sha256_of(content))))
        return replace(self, files={**self.files, path: hashes})

    def with_copied(self, path: str, content: bytes) -> InstallRecord:
        """The record that knows that this PAM file is a copy."""
        return replace(self, copied={**self.copied, path: sha256_of(content)})

    def with_source(self, source: str) -> InstallRecord:
        """The record that knows what the module was compiled from."""
        return replace(self, source=source)

    def with_profile(self, profile: tuple[str, ...]) -> InstallRecord:
        """The record that knows which profile of authselect to go back to."""
        return replace(self, profile=profile)

    def with_folders(self, folders: Sequence[str]) -> InstallRecord:
        """The record that knows that mien makes these folders, too."""
        return replace(self, folders=tuple(dict.fromkeys((*self.folders, *folders))))

    def wrote(self, path: str, content: bytes) -> bool:
        """Whether mien wrote this content there."""
        return sha256_of(content) in self.files.get(path, ())

    def to_json(self) -> bytes:
        """The text of the file."""
        values = {
            "version": VERSION,
            "files": self.files,
            "copied": self.copied,
            "source": self.source,
            "profile": self.profile,
            "folders": self.folders,
        }
        return json.dumps(values, indent=1, sort_keys=True).encode() + b"\n"


def read_record(folder: Path) -> InstallRecord:
    """The record of a folder; an empty one if there is none. Raises UsageError if it is damaged."""
    content = read_system_file(folder / NAME)
    if content is None:
        return InstallRecord()
    try:
        values = json.loads(content)
        if values["version"] != VERSION:
            raise ValueError("made by another version")
        files = {str(path): tuple(map(str, hashes)) for path, hashes in values["files"].items()}
        copied = {str(path): str(one) for path, one in values["copied"].items()}
        profile = tuple(map(str, values["profile"]))
        folders = tuple(map(str, values["folders"]))
        return InstallRecord(files, copied, str(values["source"]), profile, folders)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{folder / NAME} is damaged ({error}); delete it, and remove by hand what"
            " mien login status then calls changed"
        ) from error


def write_record(folder: Path, record: InstallRecord) -> None:
    """Write the record if it changed. Raises UsageError."""
    content, before = record.to_json(), read_system_file(folder / NAME)
    if content != before:
        replace_file(folder / NAME, content, expected=before)


def keep_original(folder: Path, path: str, content: bytes) -> None:
    """Keep the content of a file before its first change, under its hash. Raises UsageError."""
    kept = folder / "backup" / f"{path.strip('/').replace('/', '_')}.{sha256_of(content)}"
    if read_system_file(kept) is None:
        replace_file(kept, content, expected=None, mode=0o600)


def lock_installation(folder: Path) -> AbstractContextManager[None]:
    """Keep other installs and uninstalls out for a block."""

    def refused(reason: str) -> UsageError:
        return UsageError(f"another mien login install or uninstall may run: {reason}")

    return exclusive_lock(folder / LOCK, refused)


def sha256_of(content: bytes) -> str:
    """The hash in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
