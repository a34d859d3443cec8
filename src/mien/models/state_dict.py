"""A net's weights as one file of plain arrays: numpy's `.npz`, without pickles.

The ONNX graph of an added model has its batch norms folded away, so it cannot be trained
further. This file keeps the weights under their published names for programs that use torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt


def pack_state(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The bytes of an `.npz` file with these arrays; the same arrays give the same bytes."""
    file = BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez(file, **named)
    return file.getvalue()


def unpack_state(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays by name. Pass only bytes whose hash was checked."""
    with np.load(BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
