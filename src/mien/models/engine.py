"""One door to the two inference engines.

Both run on the CPU in float32. Threads are stated and bounded: `threads` is all
that one call uses, and waiting threads sleep instead of spinning, so that other
programs keep their cores.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mien.errors import MissingExtra, ModelAltered
from mien.results import FloatArray


class Net(Protocol):
    """A loaded graph: one float32 array in, one out."""

    def __call__(self, pixels: FloatArray) -> FloatArray: ...


def open_net(graph: bytes, *, engine: str, threads: int) -> Net:
    """Load a graph whose hash was checked. Raises MissingExtra or ModelAltered."""
    if engine == "openvino":
        return _OpenVinoNet(graph, threads)
    return _OnnxRuntimeNet(graph, threads)


class _OnnxRuntimeNet:
    def __init__(self, graph: bytes, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
        except (RuntimeError, ValueError) as error:
            raise ModelAltered(f"ONNX Runtime refuses a graph: {error}") from error

    def __call__(self, pixels: FloatArray) -> FloatArray:
        output: FloatArray = self._session.run(None, {"pixels": pixels})[0]
        return output


class _OpenVinoNet:
    def __init__(self, graph: bytes, threads: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtra("OpenVINO is missing; run: pip install 'mien[openvino]'") from error
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            # left alone it would compute in bfloat16 where the processor can: 0.04 off
            "INFERENCE_PRECISION_HINT": "f32",
        }
        core = openvino.Core()
        try:
            self._request = core.compile_model(
                core.read_model(graph), "CPU", settings
            ).create_infer_request()
        except RuntimeError as error:
            raise ModelAltered(f"OpenVINO refuses a graph: {error}") from error

    def __call__(self, pixels: FloatArray) -> FloatArray:
        results = self._request.infer({0: pixels}, share_inputs=True)
        output: FloatArray = np.asarray(results[0], dtype=np.float32)
        return output
