"""Models that the user added: a graph under its own hash, and a record that names it.

    DATA/models/facenet-vggface2.json     the record: of which weights, which graph
    DATA/models/9f86d081....onnx          the graph; its name is its SHA-256
    DATA/models/60303ae2....npz           the weights as published, for programs that use torch

The record takes the place of the hashes that the model table holds for the rows
that pip brings. A graph is opened only if its bytes hash to what the record says,
and a record is believed only if it names the weights that the table names.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from mien.errors import ModelAltered, ModelMissing, UsageError, install_command
from mien.files import write_whole
from mien.models.table import EmbedderRow, ModelRow
from mien.models.weights import read_checked

SHA256 = re.compile("[0-9a-f]{64}")
MAX_RECORD_BYTES = 10_000  # a record has about 400


@dataclass(frozen=True, slots=True)
class AddedRecord:
    """What was added. graph_sha256: by engine. added: the day, YYYY-MM-DD.

    state_sha256: of the file with the weights for torch; empty if they were not kept.
    """

    name: str
    weights_sha256: str
    graph_sha256: Mapping[str, str]
    added: str
    state_sha256: str = ""


def read_added_embedder(row: EmbedderRow, data_dir: Path) -> EmbedderRow:
    """The row with the hashes that its record names. Raises as `read_record` does."""
    record = read_record(row.model, data_dir)
    model = replace(row.model, sha256=record.weights_sha256, graph_sha256=dict(record.graph_sha256))
    return replace(row, model=model)


def read_added_graph(row: ModelRow, engine: str, data_dir: Path) -> bytes:
    """The graph of a row that came from `read_added_embedder`, hashed now.

    Raises ModelMissing or ModelAltered, both with the command that adds it again.
    """
    expected = row.graph_sha256.get(engine)
    if expected is None:
        raise ModelMissing(f"model {row.name} was not added for {engine}; run: {add_command(row)}")
    path = added_graph_path(expected, data_dir)
    if not os.path.isfile(path):
        raise _missing(row, "its graph is gone")
    try:
        return read_checked(path, expected, what=row.name)
    except ModelMissing as error:
        raise _missing(row, f"{str(path)!r} cannot be read") from error
    except ModelAltered as error:
        raise ModelAltered(
            f"the graph of {row.name} at {str(path)!r} was altered; run: {add_command(row)}"
        ) from error


def state_of_added(row: ModelRow, data_dir: Path) -> bytes:
    """The kept weights of an added model, as `mien.models.state_dict` packs them, hashed now.

    Raises ModelMissing or ModelAltered, both with the command that adds them again.
    """
    expected = read_record(row, data_dir).state_sha256
    path = state_path(expected, data_dir)
    if not expected or not os.path.isfile(path):
        raise _missing(row, "its weights for torch were not kept")
    try:
        return read_checked(path, expected, what=row.name)
    except ModelMissing as error:
        raise _missing(row, f"{str(path)!r} cannot be read") from error
    except ModelAltered as error:
        raise ModelAltered(
            f"the weights of {row.name} at {str(path)!r} were altered; run: {add_command(row)}"
        ) from error


def read_record(row: ModelRow, data_dir: Path) -> AddedRecord:
    """What was added under this row's name.

    ModelMissing if nothing was, ModelAltered if the record is none, or if it is of
    other weights than the model table names.
    """
    path = record_path(row, data_dir)
    if not os.path.isfile(path):
        raise _missing(row, "it was not added yet")
    try:
        text = path.read_bytes()[:MAX_RECORD_BYTES]
    except OSError as error:
        raise _missing(row, f"{str(path)!r} cannot be read") from error
    try:
        record = _record(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelAltered(f"{str(path)!r} is no record; run: {add_command(row)}") from error
    if record.name != row.name or row.sha256 not in ("", record.weights_sha256):
        raise ModelAltered(f"{str(path)!r} is the record of other weights; run: {add_command(row)}")
    return record


def store_added(
    row: ModelRow,
    *,
    weights_sha256: str,
    graphs: Mapping[str, bytes],
    today: date,
    data_dir: Path,
    state: bytes = b"",
) -> AddedRecord:
    """Keep the graphs, by engine, and then the record: what a record names is there.

    state: the weights for torch, from `pack_state`; empty to keep none.
    UsageError if the folder cannot be written.
    """
    sums = {engine: hashlib.sha256(graph).hexdigest() for engine, graph in graphs.items()}
    state_sha256 = hashlib.sha256(state).hexdigest() if state else ""
    record = AddedRecord(row.name, weights_sha256, sums, today.isoformat(), state_sha256)
    files = {added_graph_path(sums[engine], data_dir): graph for engine, graph in graphs.items()}
    if state:
        files[state_path(state_sha256, data_dir)] = state
    try:
        for path, content in files.items():
            write_whole(path, content)
            read_checked(path, path.stem, what=row.name)  # a full disk may not say so
        text = json.dumps(asdict(record), indent=2) + "\n"
        write_whole(record_path(row, data_dir), text.encode("ascii"))
    except OSError as error:
        raise UsageError(
            f"cannot write into {str(data_dir / 'models')!r}: {error.strerror}; "
            "make room or mend its mode"
        ) from error
    return record


def add_command(row: ModelRow) -> str:
    """The command that adds this row, ready to be pasted."""
    return f"mien models add {row.name}" + ("" if row.url else f" --file {row.file_name}")


def record_path(row: ModelRow, data_dir: Path) -> Path:
    return data_dir / "models" / f"{row.name}.json"


def added_graph_path(sha256: str, data_dir: Path) -> Path:
    return data_dir / "models" / f"{sha256}.onnx"


def state_path(sha256: str, data_dir: Path) -> Path:
    return data_dir / "models" / f"{sha256}.npz"


def _missing(row: ModelRow, why: str) -> ModelMissing:
    from importlib.util import find_spec

    # torch converts the weights, once; who has none needs another command first
    torch = f" in mien's source folder: {install_command('torch')} &&"
    run = "run:" if find_spec("torch") else f"run{torch}"
    return ModelMissing(f"model {row.name} is missing: {why}; {run} {add_command(row)}")


def _record(data: dict[str, object]) -> AddedRecord:
    """A record of what JSON held. ValueError, TypeError or KeyError if it is of another form."""
    graphs = data["graph_sha256"]
    if not isinstance(graphs, dict):
        raise TypeError("graph_sha256 is not a table")
    sums = {str(engine): str(value) for engine, value in graphs.items()}
    state = str(data.get("state_sha256", ""))  # records of earlier versions have none
    record = AddedRecord(
        str(data["name"]), str(data["weights_sha256"]), sums, str(data["added"]), state
    )
    # a sum becomes a file's name: nothing else may stand there
    named = (record.weights_sha256, *sums.values(), *([state] if state else []))
    if not all(SHA256.fullmatch(text) for text in named):
        raise ValueError("not a SHA-256")
    return record
