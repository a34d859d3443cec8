"""One door to the two inference engines.

Both run on the CPU in float32. `threads` is all that one call uses; set it to the
cores that are to be spent, and never open nets that together want more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np

from mien.errors import ModelAltered, missing_extra
from mien.results import FloatArray


class Net(Protocol):
    """A loaded graph: one float32 array in, one out."""

    def __call__(self, pixels: FloatArray) -> FloatArray: ...


def open_net(graph: bytes, *, engine: str, threads: int, callers: int = 1) -> Net:
    """Load a graph whose hash was checked.

    engine: "onnxruntime" or "openvino", ValueError for another. Raises MissingExtra
    or ModelAltered.

    threads: spent on each call. callers: threads that may call it at the same time.
    """
    if engine == "onnxruntime":
        return _OnnxRuntimeNet(graph, threads)
    if engine == "openvino":
        return _OpenVinoNet(graph, threads, callers)
    raise ValueError(f"unknown engine {engine!r}; known: onnxruntime, openvino")


class BackgroundNet:
    """A net that loads on a thread of its own from now on, and is waited for when first asked.

    Whatever went wrong while it loaded is raised by the first call, and by every
    later one: a door that could not load its model cannot open.
    """

    def __init__(self, load: Callable[[], Net]) -> None:
        self._load = load
        self._net: Net | None = None
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mien-load")
        self._thread.start()

    def __call__(self, pixels: FloatArray) -> FloatArray:
        self._thread.join()
        if self._net is None:
            assert self._fault is not None  # one of the two is set when the thread ends
            raise self._fault
        return self._net(pixels)

    def _run(self) -> None:
        try:
            self._net = self._load()
        except BaseException as error:  # noqa: BLE001 - handed to the caller, never dropped
            self._fault = error


class _OnnxRuntimeNet:
    def __init__(self, graph: bytes, threads: int) -> None:
        # it keeps a device id and a queue of events for its maker; only this, set before the
        # import, stops that
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # waiting threads would spin through the numpy work between two calls: half as fast
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # a second copy of the weights, packed, gains nothing measurable here and costs 20 MB
        options.add_session_config_entry("session.disable_prepacking", "1")
        # weights stored as whole numbers are unfolded once, while loading
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no other base in common
            raise ModelAltered(_refusal("ONNX Runtime", error)) from error

    def __call__(self, pixels: FloatArray) -> FloatArray:
        output: FloatArray = self._session.run(None, {"pixels": pixels})[0]
        return output


class _OpenVinoNet:
    def __init__(self, graph: bytes, threads: int, callers: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise missing_extra("OpenVINO is missing", "openvino") from error
        settings = {
            "INFERENCE_NUM_THREADS": threads * callers,
            "NUM_STREAMS": callers,
            # left alone it would compute in bfloat16 where the processor can: 0.04 off
            "INFERENCE_PRECISION_HINT": "f32",
        }
        core = openvino.Core()
        try:
            self._compiled = core.compile_model(core.read_model(graph), "CPU", settings)
        except RuntimeError as error:
            raise ModelAltered(_refusal("OpenVINO", error)) from error
        self._requests = threading.local()  # a request serves one caller at a time

    def __call__(self, pixels: FloatArray) -> FloatArray:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        results = self._requests.own.infer({0: pixels}, share_inputs=True)
        output: FloatArray = np.asarray(results[0], dtype=np.float32)
        return output


def _refusal(engine: str, error: Exception) -> str:
    # the engines' messages have many lines, ours have one
    reason = " ".join(str(error).split())
    return f"{engine} refuses a graph: {reason}; install its newest version, then: mien doctor"
