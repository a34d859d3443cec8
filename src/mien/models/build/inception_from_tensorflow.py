"""InceptionResnetV1's state dict from the constants of a frozen TensorFlow graph.

The graph is David Sandberg's facenet (MIT), frozen and simplified for OpenCV. It has
TensorFlow's names and order of axes, and the batch norm of each convolution is folded
into the kernel: the offset that is left becomes the bias of a batch norm that does
nothing else, so that the result has facenet-pytorch's names and shapes and loads into
both `mien.models.build.inception` and the torch module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mien.errors import ModelAltered
from mien.models.build.inception import EPSILON
from mien.results import FloatArray

SCOPE = "InceptionResnetV1/"
N_FOLDED = 111  # convolutions with a batch norm: 6 in the stem, 34, 47 and 24 behind it

BLOCKS = {
    "Repeat/block35": "repeat_1",
    "Repeat_1/block17": "repeat_2",
    "Repeat_2/block8": "repeat_3",
}
BLOCK = re.compile("(Repeat(?:_[12])?/block(?:35|17|8))_([1-9][0-9]?)")
UNIT = re.compile("(?:Branch_([0-2])/)?Conv2d_(?:([0-4][abc])_)?[1-7]x[1-7]")


def inception_weights(constants: Mapping[str, FloatArray]) -> dict[str, npt.NDArray[np.generic]]:
    """State-dict name -> array, from `mien.models.tensorflow_graph.read_constants`.

    ModelAltered if the graph is of another net.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    try:
        offsets = [name for name in constants if name.endswith("/Conv2D_bn_offset")]
        for name in offsets:
            place = name.removeprefix(SCOPE).removesuffix("/Conv2D_bn_offset")
            kernel = constants[f"{SCOPE}{place}/weights"]
            arrays |= _unit(_unit_name(place, constants), kernel, constants[name])
        for name in [name for name in constants if name.endswith("/Conv2d_1x1/biases")]:
            place = name.removeprefix(SCOPE).removesuffix("/Conv2d_1x1/biases")
            kernel = constants[f"{SCOPE}{place}/Conv2d_1x1/weights"]
            arrays[f"{_block_name(place)}.conv2d.weight"] = _kernel(kernel)
            arrays[f"{_block_name(place)}.conv2d.bias"] = constants[name]
        arrays |= _head(constants)
    except (KeyError, ValueError) as error:
        raise ModelAltered(
            f"the graph is not InceptionResnetV1: {error}; download it again"
        ) from error
    if len(offsets) != N_FOLDED:
        raise ModelAltered(
            f"the graph has {len(offsets)} folded convolutions, InceptionResnetV1 has {N_FOLDED}; "
            "download it again"
        )
    return arrays


def _unit_name(place: str, constants: Mapping[str, FloatArray]) -> str:
    """`Mixed_6a/Branch_1/Conv2d_0b_3x3` -> `mixed_6a.branch1.1`; ValueError for another form."""
    block, separator, rest = place.rpartition("/Branch_")
    unit = UNIT.fullmatch(f"Branch_{rest}" if separator else place)
    if unit is None:
        raise ValueError(f"unknown convolution {place!r}")
    branch, step = unit.groups()
    if not separator:
        return f"conv2d_{step}"
    siblings = sorted(
        name for name in constants if name.startswith(f"{SCOPE}{block}/Branch_{branch}/Conv2d_")
        and name.endswith("/weights")
    )  # fmt: skip
    name = f"{_block_name(block)}.branch{branch}"
    # in the order of their names: 0a, 0b, 0c, 1a
    order = siblings.index(f"{SCOPE}{place}/weights")
    return f"{name}.{order}" if len(siblings) > 1 else name


def _block_name(place: str) -> str:
    """`Repeat_1/block17_3` -> `repeat_2.2`, `Mixed_6a` -> `mixed_6a`; ValueError for another."""
    if place in ("Mixed_6a", "Mixed_7a", "Block8"):
        return place.lower()
    block = BLOCK.fullmatch(place)
    if block is None:
        raise ValueError(f"unknown block {place!r}")
    return f"{BLOCKS[block[1]]}.{int(block[2]) - 1}"


def _unit(name: str, kernel: FloatArray, offset: FloatArray) -> dict[str, npt.NDArray[np.generic]]:
    """A convolution, and a batch norm that adds the offset and nothing else."""
    ones = np.ones(len(offset), np.float32)
    return {
        f"{name}.conv.weight": _kernel(kernel),
        f"{name}.bn.weight": ones,
        f"{name}.bn.bias": offset,
        f"{name}.bn.running_mean": np.zeros_like(ones),
        # with the epsilon that a batch norm adds, this divides by one
        f"{name}.bn.running_var": ones - np.float32(EPSILON),
        f"{name}.bn.num_batches_tracked": np.zeros((), np.int64),
    }


def _head(constants: Mapping[str, FloatArray]) -> dict[str, npt.NDArray[np.generic]]:
    """The dense layer and its batch norm, which was not folded."""
    norm = f"{SCOPE}Bottleneck/BatchNorm"
    return {
        "last_linear.weight": np.ascontiguousarray(constants[f"{SCOPE}Bottleneck/weights"].T),
        "last_bn.weight": np.array(constants[f"{norm}/Const"]),  # slim trained without a scale
        "last_bn.bias": constants[f"{norm}/beta"],
        "last_bn.running_mean": constants[f"{norm}/moving_mean"],
        "last_bn.running_var": constants[f"{norm}/moving_variance"],
        "last_bn.num_batches_tracked": np.zeros((), np.int64),
    }


def _kernel(kernel: FloatArray) -> FloatArray:
    """(height, width, in, out) -> (out, in, height, width)."""
    turned: FloatArray = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
    return turned
