"""Add a custom ONNX embedder to the models that can be chosen by name."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from mien.errors import ModelAltered, UsageError, quote, quote_path
from mien.files import read_regular
from mien.models.added import (
    CUSTOM_NAME,
    RECIPES,
    AddedRecord,
    CustomEmbedder,
    custom_row,
    store_added,
)
from mien.models.onnx_checks import InputRecipe
from mien.models.table import EMBEDDERS, LIVENESS_ROWS, MODEL_ROWS
from mien.settings import GPU_ENGINES, Settings

MAX_ONNX_BYTES = 600_000_000  # ResNet-100 has 260 MB
TIMEOUT_S = 600.0
COLOURS = ("rgb", "bgr")
PIXEL_RANGES = {"arcface112": (127.5, 127.5), "margin160": (127.5, 128.0)}
"""By recipe: mean and std with which such nets were trained, where the user names none."""


@dataclass(frozen=True, slots=True)
class CustomAdded:
    """What was stored. difference: by engine, of a batch from single crops, in unit embeddings.

    refused: by engine that is installed and does not run it, why.
    """

    record: AddedRecord
    difference: dict[str, float]
    refused: dict[str, str]


def add_custom(
    name: str,
    file: Path,
    *,
    recipe: str,
    colour: str,
    mean: float | None,
    std: float | None,
    licence: str,
    settings: Settings,
    today: date,
) -> CustomAdded:
    """Check an ONNX file, try it in a process with limits, and keep it under `name`.

    recipe: a key of `RECIPES`. colour: one of `COLOURS`. mean, std: of (pixel - mean) / std
    on pixels of 0..255; None for what is usual with the recipe. An embedder that was added
    under this name before is replaced. Raises UsageError, and ModelAltered if the file is
    not an embedder that can be used; then nothing is stored.
    """
    _check_name(name)
    wanted = _input_recipe(recipe, colour, mean, std)
    content = _read(file)
    graph, found = _try(content, wanted)
    _expect_engine(found, settings.engine)
    try:
        custom = CustomEmbedder(recipe, found["dims"], licence)
    except ValueError as error:
        raise UsageError(f"{error}; give --licence TEXT") from error
    source = hashlib.sha256(content).hexdigest()
    # other colours or scales make other embeddings of the same file: another model
    identity = hashlib.sha256(json.dumps([source, asdict(wanted)]).encode()).hexdigest()
    record = store_added(
        custom_row(name, identity, custom, settings.data_dir).model,
        source_sha256=source,
        graphs=dict.fromkeys(found["difference"], graph),
        today=today,
        data_dir=settings.data_dir,
        custom=custom,
    )
    return CustomAdded(record, found["difference"], found["refused"])


def _expect_engine(found: dict[str, Any], engine: str) -> None:
    """ModelAltered unless the engine in use runs the graph; a GPU was not asked."""
    if engine not in GPU_ENGINES and engine not in found["difference"]:
        reason = found["refused"].get(engine, f"{engine} is not installed")
        raise ModelAltered(f"the ONNX file cannot be used: {reason}; set MIEN_ENGINE to another")


def _input_recipe(recipe: str, colour: str, mean: float | None, std: float | None) -> InputRecipe:
    usual_mean, usual_std = PIXEL_RANGES[recipe]
    made = InputRecipe(
        side=RECIPES[recipe][1],
        colour=colour,
        mean=usual_mean if mean is None else mean,
        std=usual_std if std is None else std,
    )
    if not (math.isfinite(made.mean) and math.isfinite(made.std) and made.std > 0):
        raise UsageError("--mean and --std are finite numbers, --std above 0; give both again")
    return made


def _check_name(name: str) -> None:
    liveness = ("liveness", *(row.name for row in LIVENESS_ROWS))
    if name in EMBEDDERS or name in MODEL_ROWS or name in liveness:
        raise UsageError(f"{name} is the name of a model of mien; choose another name for --onnx")
    if not CUSTOM_NAME.fullmatch(name):
        raise UsageError(
            f"a model cannot be named {quote(name)}; use up to 40 small letters, digits, dots "
            "and hyphens"
        )


def _read(file: Path) -> bytes:
    if not os.path.isfile(file):
        raise UsageError(f"{quote_path(file)} is not a file; pass --onnx the path of an ONNX file")
    try:
        content = read_regular(file, MAX_ONNX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"cannot read {quote_path(file)}: {error.strerror}; change its permissions"
        ) from error
    if len(content) > MAX_ONNX_BYTES:
        raise ModelAltered(
            f"{quote_path(file)} has more than {MAX_ONNX_BYTES:,} bytes; give a smaller embedder"
        )
    return content


def _try(content: bytes, recipe: InputRecipe) -> tuple[bytes, dict[str, Any]]:
    """The prepared graph and what `mien.models.onnx_trial` found. ModelAltered."""
    with tempfile.TemporaryDirectory(prefix="mien-onnx-") as name:
        folder = Path(name)
        given, made = folder / "given.onnx", folder / "made.onnx"
        given.write_bytes(content)
        command = [sys.executable, "-m", "mien.models.onnx_trial", str(given), str(made)]
        try:
            # not in the user's folder: `python -m` would import modules that lie there
            ran = subprocess.run(
                command,
                cwd=folder,
                input=json.dumps(asdict(recipe)).encode(),
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            found: dict[str, Any] = json.loads(ran.stdout[:100_000])
        except subprocess.TimeoutExpired as error:
            raise ModelAltered(
                f"the trial run of the ONNX file took longer than {TIMEOUT_S:g} s; it was not added"
            ) from error
        except ValueError as error:
            raise ModelAltered(
                f"the trial run of the ONNX file ended with status {ran.returncode}: it needs "
                "more memory or time than an embedder may, or makes the engine fail; it was not "
                "added"
            ) from error
        if "error" in found:
            raise ModelAltered(f"{found['error']}; it was not added")
        return read_regular(made, MAX_ONNX_BYTES + 1_000_000), found
