"""A shard: the records of some photos as one Parquet file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mien.bulk.embedded_photo import MAX_TEXT, EmbeddedPhoto, failed_photo, one_printed_line
from mien.errors import Outcome, VaultDamaged, missing_extra, quote
from mien.results import Face

METADATA_KEY = b"mien"
MAX_ROWS = 1000  # photos of a shard
MAX_BYTES = 1 << 26  # of a shard that is not compressed; our own have 10 MB at most
TEXTS = ("id", "sha256", "quality", "outcome", "error")
NUMBERS = ("box", "score", "embedding", "faces")
COLUMNS = (*TEXTS, *NUMBERS)


def expect_parquet() -> None:
    """Raise MissingExtra where pyarrow is not installed."""
    _pyarrow()


def encode_shard(photos: Sequence[EmbeddedPhoto], *, metadata: Mapping[str, object]) -> bytes:
    """The bytes of a Parquet file with a row for each photo.

    id, sha256, box (left, top, right, bottom), score, quality ("good" or what is wrong), embedding
    (float32), faces, outcome, error. What a photo without an embedding does not have is null.
    The lists have no fixed size in the schema: pyarrow before 25 reads no null among such ones.
    """
    pa, parquet = _pyarrow()
    vectors = [None if one.vector is None else one.vector for one in photos]
    boxes = [None if one.face is None else one.face.box_xyxy for one in photos]
    columns = {
        "id": pa.array([text_of(one.name) for one in photos], pa.string()),
        "sha256": pa.array([one.sha256 or None for one in photos], pa.string()),
        "box": pa.array(boxes, pa.list_(pa.float32())),
        "score": pa.array([one.face and one.face.score for one in photos], pa.float32()),
        "quality": pa.array([_quality(one) for one in photos], pa.string()),
        "embedding": pa.array(vectors, pa.list_(pa.float32())),
        "faces": pa.array([one.faces for one in photos], pa.int32()),
        "outcome": pa.array([one.outcome.value for one in photos], pa.string()),
        "error": pa.array([one.error or None for one in photos], pa.string()),
    }
    table = pa.table(columns).replace_schema_metadata(
        {METADATA_KEY: json.dumps(metadata, sort_keys=True)}
    )
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


def decode_shard(
    content: bytes, name: str, *, dims: int
) -> tuple[list[EmbeddedPhoto], dict[str, Any]]:
    """The records, without points of the faces, and the metadata.

    name: of the file, for the error. VaultDamaged for bytes that are no such file. A file of a few
    kilobytes can stand for 10^9 rows, numbers or letters, so that these are counted first.
    """
    pa, parquet = _pyarrow()
    try:
        file = parquet.ParquetFile(io.BytesIO(content), read_dictionary=[*TEXTS])
        _check_size(file.metadata, dims)
        table = file.read(columns=[*COLUMNS])
        metadata = json.loads(table.schema.metadata[METADATA_KEY])
        for column in TEXTS:
            _check_texts(table.column(column))
        rows = table.to_pylist()
        if metadata["dims"] != dims:  # of another model, which the caller refuses by its hash
            return [], metadata
        return [_photo(at, row, dims) for at, row in enumerate(rows)], metadata
    except (
        pa.ArrowException,
        AttributeError,
        KeyError,
        OSError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        raise VaultDamaged(
            f"{quote(name)} is no shard of mien, or was altered; remove it and run"
            " mien bulk embed --resume again"
        ) from error


def _check_size(metadata: Any, dims: int) -> None:
    """ValueError for more rows, bytes or numbers than a shard has."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    values = sum(group.column(at).num_values for group in groups for at in range(len(COLUMNS)))
    most = MAX_ROWS * (len(TEXTS) + 2 + 4 + dims)
    if metadata.num_rows > MAX_ROWS or size > MAX_BYTES or values > most:
        raise ValueError("more than a shard has")


def _check_texts(column: Any) -> None:
    """ValueError for a text of more letters than ours have. One may stand for all rows."""
    for chunk in column.chunks:
        if any(len(text or "") > MAX_TEXT for text in chunk.dictionary.to_pylist()):
            raise ValueError("a text too long")


def text_of(name: str) -> str:
    """The name as text that every encoding has, another one for every name.

    Bytes that are no UTF-8 are escaped as \\udc80 to \\udcff, and a backslash is doubled.
    """
    return name.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode()


def photo_key(name: str) -> list[str]:
    """By which photos are planned and read: those of one folder follow one another."""
    return text_of(name).split("/")


def _photo(row: int, values: Mapping[str, Any], dims: int) -> EmbeddedPhoto:
    name, outcome = str(values["id"]), Outcome(values["outcome"])
    sha256, faces = str(values["sha256"] or ""), int(values["faces"])
    if values["embedding"] is None:
        error = one_printed_line(str(values["error"] or ""))
        return failed_photo(row, name, outcome, error, sha256=sha256, faces=faces)
    vector = np.array(values["embedding"], np.float32)
    if vector.shape != (dims,):
        raise ValueError("an embedding of another length")
    vector.flags.writeable = False
    box = np.array(values["box"], np.float32)
    face = Face(box, np.zeros((5, 2), np.float32), float(values["score"]))
    quality = one_printed_line(str(values["quality"]))
    faults = () if quality == "good" else (quality,)
    return EmbeddedPhoto(row, name, sha256, face, vector, faults, faces, outcome)


def _quality(photo: EmbeddedPhoto) -> str | None:
    if photo.vector is None:
        return None
    return "; ".join(photo.faults) or "good"


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra("shards need pyarrow", "cluster") from error
    return pyarrow, pyarrow.parquet
