"""The file of `FaceUnlock.save`: one line with version and SHA-256, then JSON. No pickle.

    mien-face-unlock 1 9f86d081...
    {"model": {...}, "threshold": {...}, "target_fmr": null, "vectors": {...}}

The templates in it are in the clear: whoever reads the file can compare faces with them. The
hash shows damage, not forgery, for whoever writes the file can write its hash. A vault
(`mien.open_vault`) seals its templates and is the way to keep other people's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import UsageError, VaultDamaged, one_line, quote_path
from mien.files import read_regular, write_whole
from mien.results import ModelId, Template, Threshold

MAGIC = "mien-face-unlock"
VERSION = 1
MAX_FILE_BYTES = 16_000_000  # thousands of photos; one takes 700 or 2,800 bytes


@dataclass(frozen=True, slots=True, eq=False)
class UnlockState:
    """What a `FaceUnlock` decides by.

    threshold: the least cosine at the time of saving. set_by_caller: it stays as it is;
    otherwise the model's present calibration gives one for `target_fmr`.
    """

    template: Template
    threshold: Threshold
    set_by_caller: bool
    target_fmr: float | None


def encode_state(state: UnlockState) -> bytes:
    """The content of the file."""
    vectors = np.ascontiguousarray(state.template.vectors, "<f4")
    body = {
        "model": {"name": state.template.model.name, "sha256": state.template.model.sha256},
        "threshold": {
            "value": state.threshold.value,
            "provenance": state.threshold.provenance,
            "set_by_caller": state.set_by_caller,
        },
        "target_fmr": state.target_fmr,
        "vectors": {
            "shape": list(vectors.shape),
            "float32": base64.b64encode(vectors.tobytes()).decode("ascii"),
        },
    }
    text = json.dumps(body).encode("ascii")
    return f"{MAGIC} {VERSION} {hashlib.sha256(text).hexdigest()}\n".encode("ascii") + text


def decode_state(content: bytes, name: str) -> UnlockState:
    """The state in a file's content. name: of the file, for messages.

    Raises VaultDamaged if the content is damaged, of another format or of a later version.
    """
    head, _, text = content.partition(b"\n")
    words = head.split(b" ")
    if len(words) != 3 or words[0] != MAGIC.encode("ascii"):
        raise VaultDamaged(f"{name} is not a file of FaceUnlock.save; save it again")
    if words[1] != str(VERSION).encode("ascii"):
        raise VaultDamaged(f"{name} was saved by a later version of mien; update mien")
    if hashlib.sha256(text).hexdigest().encode("ascii") != words[2]:
        raise VaultDamaged(f"{name} is damaged: its SHA-256 is wrong; save it again")
    try:
        return _parse_state(json.loads(text))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise VaultDamaged(f"{name} does not hold a template; save it again") from error


def write_state(path: str | os.PathLike[str], state: UnlockState) -> None:
    """Write the whole file or none, readable for its owner only. UsageError if that fails."""
    try:
        write_whole(Path(path), encode_state(state), durable=True)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise UsageError(
            f"cannot write {quote_path(path)}: {one_line(error)}; choose another path"
        ) from error


def read_state(path: str | os.PathLike[str]) -> UnlockState:
    """Read a file of `write_state`.

    Raises UsageError if it cannot be read, VaultDamaged as `decode_state`.
    """
    name = quote_path(path)
    try:
        content = read_regular(Path(path), MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {name}: {one_line(error)}; check the path") from error
    if len(content) > MAX_FILE_BYTES:
        raise VaultDamaged(f"{name} is too large to be a file of FaceUnlock.save; save it again")
    return decode_state(content, name)


def _parse_state(body: dict[str, Any]) -> UnlockState:
    """The state of what JSON held. ValueError, TypeError or KeyError for another form."""
    model = ModelId(_text(body["model"]["name"]), _text(body["model"]["sha256"]))
    rows, dims = (int(side) for side in body["vectors"]["shape"])
    raw = base64.b64decode(_text(body["vectors"]["float32"]), validate=True)
    vectors = np.frombuffer(raw, "<f4").astype(np.float32).reshape(rows, dims)
    saved, target = body["threshold"], body["target_fmr"]
    threshold = Threshold(float(saved["value"]), model.name, _text(saved["provenance"]))
    if not isinstance(saved["set_by_caller"], bool):
        raise TypeError("set_by_caller is neither true nor false")
    target_fmr = None if target is None else float(target)
    return UnlockState(Template(vectors, model), threshold, saved["set_by_caller"], target_fmr)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
