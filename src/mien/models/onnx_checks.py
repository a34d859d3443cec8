"""Check an ONNX embedder given by the user, and convert its input to that of mien's nets.

The file is untrusted. Refused are data outside the file, operators of custom domains,
functions, control flow (a loop has no bound), and more nodes or weights than any embedder
has. `mien.models.onnx_trial` calls this in a process with limits on memory and time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mien.errors import ModelAltered

if TYPE_CHECKING:
    import onnx

MAX_NODES = 20_000  # ResNet-100 has 300
MAX_WEIGHT_TENSORS = 20_000
OPSETS = range(7, 27)
OWN_DOMAINS = ("", "ai.onnx")
INPUT = "pixels"


@dataclass(frozen=True, slots=True)
class InputRecipe:
    """How a net wants its crops: (pixel - mean) / std, in this order of colours.

    side: of the square crop, pixels. colour: "rgb" or "bgr". mean, std: in units of 0..255.
    """

    side: int
    colour: str
    mean: float
    std: float


def prepare_graph(content: bytes, recipe: InputRecipe) -> bytes:
    """The checked graph with the input `pixels`: (n, 3, side, side) float32 RGB, 0..255.

    Colours are exchanged and pixels scaled inside the graph. ModelAltered if the file is
    not an ONNX model, or not one that mien runs; the message says why.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's, which is onnx's dependency and not mien's
        raise _refusal("it is not an ONNX file") from error
    _check_parts(model)
    _set_input(model, recipe)
    _set_output(model)
    # shapes of the inside may be those of a batch of one
    del model.graph.value_info[:]
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise _refusal(f"ONNX's checker says: {' '.join(str(error).split())[:200]}") from error
    return bytes(model.SerializeToString(deterministic=True))


def _check_parts(model: onnx.ModelProto) -> None:
    graph = model.graph
    opsets = [one.version for one in model.opset_import if one.domain in OWN_DOMAINS]
    domains = {one.domain for one in model.opset_import} | {node.domain for node in graph.node}
    custom = sorted(domains - set(OWN_DOMAINS))
    if custom:
        raise _refusal(f"it uses operators of the domain {custom[0][:60]!r}")
    if not opsets or opsets[0] not in OPSETS:
        raise _refusal(f"its operator set is not {OPSETS[0]} to {OPSETS[-1]}")
    if model.functions or model.training_info:
        raise _refusal("it has functions or training information")
    if len(graph.node) > MAX_NODES or len(graph.initializer) > MAX_WEIGHT_TENSORS:
        raise _refusal(f"it has more than {MAX_NODES:,} nodes or weights")
    if graph.sparse_initializer:
        raise _refusal("it has sparse weights")
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    if any(a.HasField("g") or a.graphs for a in attributes):
        raise _refusal("it has loops or branches")
    tensors = [
        *graph.initializer,
        *(a.t for a in attributes),
        *_many(a.tensors for a in attributes),
    ]
    if any(tensor.data_location or tensor.external_data for tensor in tensors):
        raise _refusal("its weights are in another file; save it as one file")


def _many(groups: Iterable[Iterable[Any]]) -> list[Any]:
    return [one for group in groups for one in group]


def _set_input(model: onnx.ModelProto, recipe: InputRecipe) -> None:
    """Replace the input by `pixels`, with the nodes that turn those into what the net wants."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    used = {name for node in graph.node for name in node.input} - weights
    # some tools leave inputs that no node uses
    inputs = [one for one in graph.input if one.name in used]
    if len(inputs) != 1:
        raise _refusal(f"it has {len(inputs)} inputs, 1 is needed")
    kind = inputs[0].type.tensor_type
    sizes = [one.dim_value for one in kind.shape.dim]  # 0 where any size is allowed
    if kind.elem_type != TensorProto.FLOAT or len(sizes) != 4:
        raise _refusal("its input is not float32 of four dimensions")
    wanted = (3, recipe.side, recipe.side)
    if any(size not in (0, want) for size, want in zip(sizes[1:], wanted, strict=True)):
        raise _refusal(f"its input is {sizes}, expected [n, 3, {recipe.side}, {recipe.side}]")
    _rename(graph, INPUT, "pixels of the file")
    _rename(graph, inputs[0].name, "input of the file")
    order = [2, 1, 0] if recipe.colour == "bgr" else [0, 1, 2]
    constants: dict[str, npt.NDArray[Any]] = {
        "order of colours": np.array(order, np.int64),
        "mean of pixels": np.array(recipe.mean, np.float32),
        "scale of pixels": np.array(recipe.std, np.float32),
    }
    nodes = [
        helper.make_node("Gather", [INPUT, "order of colours"], ["in order"], axis=1),
        helper.make_node("Sub", ["in order", "mean of pixels"], ["centred pixels"]),
        helper.make_node("Div", ["centred pixels", "scale of pixels"], ["input of the file"]),
        *graph.node,
    ]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", *wanted]))
    graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in constants.items())


def _set_output(model: onnx.ModelProto) -> None:
    """Leave the sizes of the output open: the trial run finds them."""
    if len(model.graph.output) != 1:
        raise _refusal(f"it has {len(model.graph.output)} outputs, 1 is needed")
    kind = model.graph.output[0].type.tensor_type
    if kind.HasField("shape"):
        for position, size in enumerate(kind.shape.dim):
            size.Clear()
            size.dim_param = "n" if position == 0 else f"d{position}"


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                if name == old:
                    names[at] = new
    for named in (*graph.initializer, *graph.input, *graph.output):
        if named.name == old:
            named.name = new


def _refusal(why: str) -> ModelAltered:
    return ModelAltered(f"the ONNX file cannot be used: {why}")
