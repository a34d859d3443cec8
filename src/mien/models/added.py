"""Models that the user added: each has a graph, named by its hash, and a record.

    DATA/models/facenet-vggface2.json     the record: hashes of weights and graph
    DATA/models/9f86d081....onnx          the graph; its name is its SHA-256
    DATA/models/60303ae2....npz           the weights as published, for programs that use torch
    DATA/models/calibrated/NAME.json      what `mien calibrate` measured, if anything

For a row that pip installs the model table has the hash of the graph; for an added row the
record has it. A graph is opened only if it has that hash. The record of a row of the table is
valid only if it has the hash of the weights in the table. The record of a custom embedder
(`mien.models.custom`) describes its whole row.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from mien.errors import ModelAltered, ModelMissing, UsageError, install_hint, quote, quote_path
from mien.files import read_regular, write_whole
from mien.models.table import (
    ADDED_ROWS,
    EMBEDDERS,
    LIVENESS_ROWS,
    MODEL_ROWS,
    EmbedderRow,
    ModelRow,
)
from mien.models.weights import read_checked
from mien.records import asdict, dataclass, replace
from mien.results import Threshold

SHA256 = re.compile("[0-9a-f]{64}")
CUSTOM_NAME = re.compile("[a-z0-9][a-z0-9.-]{0,39}")
RECIPES = {"arcface112": ("warp112", 112), "margin160": ("margin160+18", 160)}
"""By the name in the user interface: the recipe of the crop in `mien.faces.align`, its side."""
MAX_RECORD_BYTES = 10_000  # a record has about 600
MAX_DIMS = 4096
MAX_LICENCE = 200
UNCALIBRATED = 0.85  # above the article's 0.8, which is a strict threshold for its own net


@dataclass(frozen=True, slots=True)
class CustomEmbedder:
    """What the user states about a custom embedder.

    recipe: a key of `RECIPES`. dims: length of an embedding.
    """

    recipe: str
    dims: int
    licence: str

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise ValueError(f"unknown recipe {quote(self.recipe)}")
        if not 2 <= self.dims <= MAX_DIMS:
            raise ValueError(f"an embedding must have 2 to {MAX_DIMS} numbers, got {self.dims}")
        if not (0 < len(self.licence) <= MAX_LICENCE and self.licence.isprintable()):
            raise ValueError("the licence must be one line of 1 to 200 characters")


@dataclass(frozen=True, slots=True)
class AddedRecord:
    """The record of an added model. graph_sha256: by engine. added: the day, YYYY-MM-DD.

    weights_sha256: identifies the weights, as in the model table. source_sha256: of the file
    that they were read from. state_sha256: of the file with the weights for torch; empty if
    they were not kept. custom: None for a row of the model table.
    """

    name: str
    weights_sha256: str
    source_sha256: str
    graph_sha256: Mapping[str, str]
    added: str
    state_sha256: str = ""
    custom: CustomEmbedder | None = None


def find_embedder(name: str, data_dir: Path) -> EmbedderRow:
    """The row of an embedder, with the hashes of its record if it was added.

    Raises UsageError for an unknown name, ModelMissing for a row of the table that was not
    added yet, ModelAltered for a damaged record.
    """
    if name in EMBEDDERS:
        row = EMBEDDERS[name]
        return read_added_embedder(row, data_dir) if row.model.is_added else row
    if name not in custom_names(data_dir):
        known = ", ".join(known_embedders(data_dir))
        raise UsageError(f"unknown model {quote(name)}; choose one of {known}")
    record = _read(record_path(name, data_dir), name, f"mien models add {name} --onnx FILE ...")
    if record.custom is None:
        raise ModelAltered(
            f"{quote_path(record_path(name, data_dir))} describes no embedder; delete it and "
            f"run: mien models add {name} --onnx FILE ..."
        )
    return _custom_row(record, record.custom, data_dir)


def known_embedders(data_dir: Path) -> tuple[str, ...]:
    """The names that `find_embedder` accepts: those of the table, then the custom ones."""
    return (*EMBEDDERS, *custom_names(data_dir))


def custom_names(data_dir: Path) -> tuple[str, ...]:
    """Names of the custom embedders, sorted."""
    try:
        names = [entry.removesuffix(".json") for entry in os.listdir(data_dir / "models")
                 if entry.endswith(".json")]  # fmt: skip
    except OSError:
        return ()
    taken = EMBEDDERS.keys() | MODEL_ROWS.keys()
    return tuple(sorted(n for n in names if CUSTOM_NAME.fullmatch(n) and n not in taken))


def read_added_embedder(row: EmbedderRow, data_dir: Path) -> EmbedderRow:
    """The row of the table with the hashes of its record. Raises as `read_record` does."""
    record = read_record(row.model, data_dir)
    model = replace(row.model, graph_sha256=dict(record.graph_sha256))
    return replace(row, model=model, calibration_dir=calibration_dir(data_dir))


def read_added_graph(row: ModelRow, engine: str, data_dir: Path) -> bytes:
    """Read and check the graph of a row of `LIVENESS_ROWS` or from `find_embedder`.

    Raises ModelMissing or ModelAltered, both with the command that adds it again.
    """
    expected = row.graph_hash(engine)
    if expected is None:
        raise ModelMissing(
            f"model {row.name} was not added for {engine}; run: {command_to_add(row)}"
        )
    path = added_graph_path(expected, data_dir)
    if not os.path.isfile(path):
        why = "it was not added yet" if row in LIVENESS_ROWS else "its graph was deleted"
        raise _missing(row, why)
    try:
        return read_checked(path, expected, what=row.name)
    except ModelMissing as error:
        raise _missing(row, f"{quote_path(path)} cannot be read") from error
    except ModelAltered as error:
        raise ModelAltered(
            f"the graph of {row.name} at {quote_path(path)} was altered; run: {command_to_add(row)}"
        ) from error


def state_of_added(row: ModelRow, data_dir: Path) -> bytes:
    """Read and check the weights of an added model, as packed by `mien.models.state_dict`.

    Raises ModelMissing or ModelAltered, both with the command that adds them again.
    """
    expected = read_record(row, data_dir).state_sha256
    path = state_path(expected, data_dir)
    if not expected or not os.path.isfile(path):
        raise _missing(row, "its weights for torch were not kept")
    try:
        return read_checked(path, expected, what=row.name)
    except ModelMissing as error:
        raise _missing(row, f"{quote_path(path)} cannot be read") from error
    except ModelAltered as error:
        raise ModelAltered(
            f"the weights of {row.name} at {quote_path(path)} were altered;"
            f" run: {command_to_add(row)}"
        ) from error


def read_record(row: ModelRow, data_dir: Path) -> AddedRecord:
    """Read the record of a row of the table.

    Raises ModelMissing if the model was not added, ModelAltered if the record is damaged or has
    other weights than the model table.
    """
    path = record_path(row.name, data_dir)
    if not os.path.isfile(path):
        raise _missing(row, "it was not added yet")
    try:
        record = _read(path, row.name, command_to_add(row))
    except OSError as error:
        raise _missing(row, f"{quote_path(path)} cannot be read") from error
    if record.weights_sha256 != row.sha256:
        raise ModelAltered(
            f"{quote_path(path)} is a record of other weights; run: {command_to_add(row)}"
        )
    return record


def store_added(
    row: ModelRow,
    *,
    source_sha256: str,
    graphs: Mapping[str, bytes],
    today: date,
    data_dir: Path,
    state: bytes = b"",
    custom: CustomEmbedder | None = None,
) -> AddedRecord:
    """Store the graphs, by engine, and then the record, so that every file in a record exists.

    state: the weights for torch, from `pack_state`; empty to keep none.
    UsageError if the folder cannot be written.
    """
    sums = {engine: hashlib.sha256(graph).hexdigest() for engine, graph in graphs.items()}
    state_sha256 = hashlib.sha256(state).hexdigest() if state else ""
    record = AddedRecord(
        row.name, row.sha256, source_sha256, sums, today.isoformat(), state_sha256, custom
    )
    files = {added_graph_path(sums[engine], data_dir): graph for engine, graph in graphs.items()}
    if state:
        files[state_path(state_sha256, data_dir)] = state
    try:
        for path, content in files.items():
            write_whole(path, content)
            read_checked(path, path.stem, what=row.name)  # a full disk may not cause an error
        text = json.dumps(asdict(record), indent=2) + "\n"
        write_whole(record_path(row.name, data_dir), text.encode("ascii"))
    except OSError as error:
        raise UsageError(
            f"cannot write into {quote_path(data_dir / 'models')}: {error.strerror}; "
            "free disk space or change its permissions"
        ) from error
    return record


def command_to_add(row: ModelRow) -> str:
    """The command that adds this row; for a custom embedder, its first words."""
    if row in LIVENESS_ROWS:
        return "mien models add liveness"
    custom = "" if row.name in ADDED_ROWS else " --onnx FILE ..."
    return f"mien models add {row.name}{custom}"


def record_path(name: str, data_dir: Path) -> Path:
    """Path of the record of a model."""
    return data_dir / "models" / f"{name}.json"


def liveness_is_added(engine: str, data_dir: Path) -> bool:
    """Whether the store has every model of the liveness checks for this engine."""
    hashes = [row.graph_hash(engine) for row in LIVENESS_ROWS]
    return all(one is not None and added_graph_path(one, data_dir).is_file() for one in hashes)


def added_graph_path(sha256: str, data_dir: Path) -> Path:
    """Path of the graph with this SHA-256."""
    return data_dir / "models" / f"{sha256}.onnx"


def state_path(sha256: str, data_dir: Path) -> Path:
    """Path of the weights for torch with this SHA-256."""
    return data_dir / "models" / f"{sha256}.npz"


def calibration_dir(data_dir: Path) -> Path:
    """Folder of the tables that `mien calibrate` writes."""
    return data_dir / "models" / "calibrated"


def custom_row(name: str, sha256: str, custom: CustomEmbedder, data_dir: Path) -> EmbedderRow:
    """The row of a custom embedder. sha256: of the file that the user gave."""
    recipe, side = RECIPES[custom.recipe]
    return EmbedderRow(
        model=ModelRow(
            name=name,
            purpose=f"embed a face, {custom.dims} numbers, added by you",
            licence=custom.licence,
            file_name=f"{name}.onnx",
            sha256=sha256,
            package="",
            package_path="",
            builder="",
            graph_sha256={},
        ),
        recipe=recipe,
        side=side,
        dims=custom.dims,
        threshold=Threshold(
            UNCALIBRATED, name, f"not calibrated; run: mien calibrate FOLDER --model {name}"
        ),
        calibration_dir=calibration_dir(data_dir),
    )


def _custom_row(record: AddedRecord, custom: CustomEmbedder, data_dir: Path) -> EmbedderRow:
    row = custom_row(record.name, record.weights_sha256, custom, data_dir)
    return replace(row, model=replace(row.model, graph_sha256=dict(record.graph_sha256)))


def _missing(row: ModelRow, why: str) -> ModelMissing:
    from importlib.util import find_spec

    # torch reads a .pt file; without it the user has to install it first
    needs_torch = bool(row.url) and row not in LIVENESS_ROWS and not find_spec("torch")
    run = f"{install_hint('torch')} &&" if needs_torch else "run:"
    return ModelMissing(f"model {row.name} is missing: {why}; {run} {command_to_add(row)}")


def _read(path: Path, name: str, again: str) -> AddedRecord:
    """The record at `path`. OSError if it cannot be read, ModelAltered if it is damaged."""
    text = read_regular(path, MAX_RECORD_BYTES)
    try:
        record = _record(json.loads(text))
        if record.name != name:
            raise ValueError("it is the record of another model")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelAltered(
            f"{quote_path(path)} is not a valid record of a model; run: {again}"
        ) from error
    return record


def _record(data: dict[str, Any]) -> AddedRecord:
    """Parse the JSON of a record. ValueError, TypeError or KeyError if it is malformed."""
    graphs = data["graph_sha256"]
    if not isinstance(graphs, dict):
        raise TypeError("graph_sha256 is not a table")
    sums = {str(engine): str(value) for engine, value in graphs.items()}
    weights = str(data["weights_sha256"])
    # records of earlier versions have neither of the two
    source, state = str(data.get("source_sha256", weights)), str(data.get("state_sha256", ""))
    # a hash is used as a file name, so nothing else is accepted
    named = (weights, source, *sums.values(), *([state] if state else []))
    if not all(SHA256.fullmatch(text) for text in named):
        raise ValueError("not a SHA-256")
    given = data.get("custom")
    custom = None if given is None else CustomEmbedder(**given)
    return AddedRecord(str(data["name"]), weights, source, sums, str(data["added"]), state, custom)
