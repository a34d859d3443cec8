"""Read the tensors of a PyTorch file of the old format (before 1.6), without PyTorch.

Such a file is five pickles and then the numbers. A pickle can name any function of any
module; this reader knows ordered dictionaries, the two storage types and the function that
makes a tensor of them, and refuses a file that names anything else.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import ModelAltered

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
MAX_NUMBERS = 10_000_000  # in one storage; the largest here has 65,536


@dataclass(frozen=True, slots=True)
class _Storage:
    """A list of `count` numbers that stands after the pickles, under a key."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of a storage. offset: its first number. shape: of contiguous numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]


def read_torch_file(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The tensors by name, float32 or int64, in the file's shapes.

    Raises ModelAltered if the bytes are not such a file, or name a function that is not known.
    """
    try:
        return _read(BytesIO(content))
    except (
        pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError,
        AttributeError, OverflowError, MemoryError,
    ) as error:  # fmt: skip
        raise ModelAltered(
            f"the file is not a PyTorch file of the old format ({error}); download it again"
        ) from error


def _read(file: BytesIO) -> dict[str, npt.NDArray[Any]]:
    head = [_ClosedUnpickler(file).load() for _ in range(2)]
    if head != [MAGIC, PROTOCOL]:
        raise ValueError("it begins with other numbers")
    if not _ClosedUnpickler(file).load()["little_endian"]:
        raise ValueError("its numbers are big-endian")
    tensors = _ClosedUnpickler(file).load()
    if not isinstance(tensors, dict) or not all(isinstance(t, _Tensor) for t in tensors.values()):
        raise ValueError("it holds more than tensors")
    keys = _ClosedUnpickler(file).load()
    storages = {t.storage.key: t.storage for t in tensors.values()}
    if not isinstance(keys, list) or sorted(keys) != sorted(storages):
        raise ValueError("it lists other storages than it uses")
    numbers = {key: _read_storage(file, storages[key]) for key in keys}
    return {str(name): _view(tensor, numbers) for name, tensor in tensors.items()}


class _ClosedUnpickler(pickle.Unpickler):
    """Makes numbers, texts, lists, dictionaries, storages and tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _make_tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}"[:100])

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, count, view = pid
        if kind != "storage" or view is not None or dtype not in STORAGES.values():
            raise pickle.UnpicklingError("it has a storage of another kind")
        if not (isinstance(key, str) and isinstance(count, int) and 0 <= count <= MAX_NUMBERS):
            raise pickle.UnpicklingError("it has a storage of another size")
        return _Storage(key, dtype, count)


def _make_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _Tensor:
    """What `torch._utils._rebuild_tensor_v2` stands for; only contiguous tensors."""
    steps = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if any(s != w for s, w, n in zip(stride, steps, shape, strict=True) if n != 1):
        raise pickle.UnpicklingError("it has a tensor that is not contiguous")
    if not 0 <= offset <= offset + math.prod(shape) <= storage.count:
        raise pickle.UnpicklingError("it has a tensor that reaches past its storage")
    return _Tensor(storage, offset, shape)


def _read_storage(file: BytesIO, storage: _Storage) -> npt.NDArray[Any]:
    """A storage is its count as a 64-bit number, and then its numbers."""
    count = int.from_bytes(file.read(8), "little")
    content = file.read(storage.count * storage.dtype.itemsize)
    if count != storage.count or len(content) != storage.count * storage.dtype.itemsize:
        raise ValueError("it is cut short")
    return np.frombuffer(content, storage.dtype)


def _view(tensor: _Tensor, numbers: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    end = tensor.offset + math.prod(tensor.shape)
    return numbers[tensor.storage.key][tensor.offset : end].reshape(tensor.shape)
