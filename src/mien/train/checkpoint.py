"""A training's state in one file, written whole, from which it goes on bit for bit."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mien.errors import UsageError, one_line, quote_path
from mien.files import read_regular, write_whole

NAME = "checkpoint.pt"
MAX_BYTES = 2_000_000_000  # with Adam's moments and the target, InceptionResnetV1 has 0.5 GB
FORMAT = 1


def save_checkpoint(path: Path, step: int, identity: str, state: Mapping[str, Any]) -> None:
    """Write the state before `step`. identity: of settings and crops. UsageError if it cannot."""
    stream = io.BytesIO()
    torch.save({"format": FORMAT, "step": step, "identity": identity, "state": state}, stream)
    try:
        write_whole(path, stream.getvalue(), durable=True)
    except OSError as error:
        raise UsageError(
            f"cannot write {quote_path(path)}: {one_line(error)}; make room or choose another --out"
        ) from error


def load_checkpoint(path: Path, identity: str) -> tuple[int, dict[str, Any]]:
    """The next step and the state. UsageError if there is none, or if it is of another run."""
    try:
        content = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise UsageError(
            f"cannot resume from {quote_path(path)}: {one_line(error)}; leave out --resume"
        ) from error
    try:
        # weights_only: tensors and plain containers are read, nothing in the file is run
        stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        found, step, state = stored["identity"], int(stored["step"]), dict(stored["state"])
    except Exception as error:  # torch's errors for a damaged file have no base in common
        raise UsageError(
            f"{quote_path(path)} is no checkpoint ({type(error).__name__}); leave out --resume"
        ) from error
    if found != identity or stored["format"] != FORMAT:
        raise UsageError(
            f"{quote_path(path)} is of a run with other options or photos; give those again, or "
            "leave out --resume"
        )
    return step, state
