"""Folders that photos are read from and shards are written to: of this machine, or of fsspec.

A file is there whole or not at all: written beside its place and renamed, or by one PUT.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from mien.errors import (
    MissingExtra,
    UnreadableImage,
    UsageError,
    missing_extra,
    one_line,
    quote,
    quote_path,
)
from mien.files import exclusive_lock, read_regular, write_whole
from mien.media.file_bytes import MAX_FILE_BYTES as MAX_PHOTO_BYTES
from mien.media.file_bytes import check_byte_count
from mien.media.photo_paths import find_tree_photos, is_photo_name

MAX_FILE_BYTES = 1 << 30  # of a plan or a shard
WRITES_WHOLE = ("abfs", "abfss", "az", "gcs", "gs", "memory", "s3", "s3a")
"""Where a file that is being written has no name until it is complete."""
LOCAL = ("file", "local")
LOCK_NAME = ".run.lock"


class Folder(Protocol):
    """A folder. Names in it are relative, with forward slashes."""

    place: str
    """A path or a URL without a password, for messages."""

    def identity(self) -> object:
        """Which folder it is. UsageError where there is none, or nothing in it: a file system that
        was unmounted leaves an empty folder, and that is no fault of the photos."""
        ...

    def photo_names(self) -> Sequence[str]:
        """Of all photos in it and in its sub-folders, sorted by folder and name."""
        ...

    def photo(self, name: str) -> str | bytes:
        """A whole path for whoever can read it, or else the content. Raises UnreadableImage."""
        ...

    def names(self) -> set[str]:
        """Of the files directly in it; empty where there is no such folder."""
        ...

    def read(self, name: str) -> bytes:
        """UsageError for a file that cannot be read."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write the whole file, over an earlier one. UsageError where it cannot be."""
        ...

    def planning(self) -> AbstractContextManager[None]:
        """Where the folder can be locked, one process at a time runs such a block.

        UsageError where another one takes too long, or nothing can be written.
        """
        ...


def open_folder(place: str) -> Folder:
    """The folder at a path, or at a URL that fsspec knows, such as s3://bucket/photos.

    Raises UsageError for a scheme that is not known, and MissingExtra.
    """
    scheme, separator, rest = place.partition("://")
    if not separator:
        return LocalFolder(Path(place))
    if scheme in LOCAL:
        return LocalFolder(Path(rest))
    return RemoteFolder(place)


class LocalFolder:
    """A folder of this machine. What is written has mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser().absolute()
        self.place = str(self._path)

    def identity(self) -> object:
        try:
            status = os.stat(self._path)
            with os.scandir(self._path) as entries:
                if next(entries, None) is None:
                    raise FileNotFoundError(errno.ENOENT, "it is empty")
        except OSError as error:
            raise self._failed("find the photos of", error) from error
        return status.st_dev, status.st_ino

    def photo_names(self) -> Sequence[str]:
        return [photo.relative_to(self._path).as_posix() for photo in find_tree_photos(self._path)]

    def photo(self, name: str) -> str | bytes:
        return str(self._path / name)

    def names(self) -> set[str]:
        try:
            return set(os.listdir(self._path))
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise self._failed("list", error) from error

    def read(self, name: str) -> bytes:
        try:
            return read_regular(self._path / name, MAX_FILE_BYTES)
        except (OSError, ValueError) as error:
            raise self._failed(f"read {name} in", error) from error

    def write(self, name: str, content: bytes) -> None:
        try:
            write_whole(self._path / name, content, durable=True)
        except (OSError, ValueError) as error:
            raise self._failed(f"write {name} in", error) from error

    def planning(self) -> AbstractContextManager[None]:
        def refused(why: str) -> UsageError:
            return UsageError(f"cannot plan a run in {quote_path(self._path)}: {why}")

        return exclusive_lock(self._path / LOCK_NAME, refused)

    def _failed(self, what: str, error: Exception) -> UsageError:
        return UsageError(
            f"cannot {what} {quote_path(self._path)}: {one_line(error)};"
            " check path, permissions and space"
        )


class RemoteFolder:
    """A folder of a file system of fsspec, with the credentials of this process."""

    def __init__(self, url: str) -> None:
        self.place = _without_password(url)
        self._scheme = url.partition("://")[0]
        self._files, root = _open_file_system(url, self._scheme, self.place)
        self._root = root.rstrip("/")

    def identity(self) -> object:
        return self.place  # an outage is an error at every photo

    def photo_names(self) -> Sequence[str]:
        with _io_errors("list", self.place):
            found = self._files.find(self._root)
        names = (str(path)[len(self._root) :].lstrip("/") for path in found)
        photos = [
            name
            for name in names
            if is_photo_name(name.rpartition("/")[2]) and "/." not in f"/{name}"
        ]
        return sorted(photos, key=lambda name: name.split("/"))

    def photo(self, name: str) -> str | bytes:
        try:
            # an outage is no fault of the photo: it ends the run, which can go on with --resume
            with (
                _io_errors(f"read {name} in", self.place),
                self._files.open(f"{self._root}/{name}", "rb") as file,
            ):
                content = bytes(file.read(MAX_PHOTO_BYTES + 1))
        except UsageError as error:
            if not isinstance(error.__cause__, (FileNotFoundError, PermissionError)):
                raise
            raise UnreadableImage(str(error)) from error
        check_byte_count(len(content), quote_path(name))
        return content

    def names(self) -> set[str]:
        with _io_errors("list", self.place):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._root, detail=False)
            except FileNotFoundError:
                return set()
        return {str(path).rpartition("/")[2] for path in found}

    def read(self, name: str) -> bytes:
        with _io_errors(f"read {name} in", self.place):
            return bytes(self._files.cat_file(f"{self._root}/{name}", end=MAX_FILE_BYTES))

    def write(self, name: str, content: bytes) -> None:
        path = f"{self._root}/{name}"
        with _io_errors(f"write {name} in", self.place):
            if self._scheme in WRITES_WHOLE:
                self._files.pipe_file(path, content)
                return
            self._files.makedirs(self._root, exist_ok=True)
            temporary = f"{self._root}/.{name}.{os.urandom(6).hex()}.tmp"
            self._files.pipe_file(temporary, content)
            self._files.mv(temporary, path)

    def planning(self) -> AbstractContextManager[None]:
        return nullcontext()  # object stores have no locks


IO_ERRORS = (OSError, asyncio.TimeoutError, NotImplementedError)
"""What file systems of fsspec raise, the last where one only reads, such as http://. s3fs turns
what a server answers into OSError. Other errors are mien's own, and end the program as such."""
_LIBRARIES = ("botocore", "aiobotocore", "aiohttp")


class _io_errors:
    """Turns what a file system raises into UsageError. what: such as "list"."""

    def __init__(self, what: str, place: str) -> None:
        self._what, self._place = what, place

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if _is_io_error(error):
            assert error is not None
            raise _failed(self._what, self._place, error) from error


def _is_io_error(error: BaseException | None) -> bool:
    """The libraries' errors have bases of their own, and the libraries are not always installed."""
    return isinstance(error, IO_ERRORS) or type(error).__module__.partition(".")[0] in _LIBRARIES


def _failed(what: str, place: str, error: BaseException) -> UsageError:
    return UsageError(
        f"cannot {what} {quote(place)}: {one_line(error)}; check the address and your credentials"
    )


def _open_file_system(url: str, scheme: str, place: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise missing_extra(f"{quote(place)} needs fsspec", "cluster") from error
    # a cached listing missed shards that other workers had written
    options = {"use_listings_cache": False} if scheme in ("s3", "s3a") else {}
    try:
        files, root = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise _missing_package(scheme, error) from error
    except (*IO_ERRORS, ValueError) as error:  # the last for a scheme or URL that cannot be
        raise UsageError(
            f"cannot use {quote(place)}: {one_line(error)}; give a folder or a URL such as"
            " s3://bucket/folder"
        ) from error
    if scheme in ("s3", "s3a") and not root:
        raise UsageError(f"{quote(place)} names no bucket; give a URL such as s3://bucket/folder")
    return files, str(root)


def _missing_package(scheme: str, error: ImportError) -> MissingExtra:
    if scheme in ("s3", "s3a"):
        return missing_extra("s3:// needs s3fs", "cluster")
    return MissingExtra(f"{scheme}:// needs another package: {one_line(error)}")


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
