"""Run ONNX graphs with one of two inference engines, ONNX Runtime or OpenVINO.

Both run on the CPU in float32. A call uses `threads` threads; networks that run at the
same time should not have more threads together than there are cores.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np

from mien.errors import ModelAltered, missing_extra
from mien.results import FloatArray

OUT_OF_MEMORY = ("bad_alloc", "allocate memory", "bad allocation")


class Net(Protocol):
    """A loaded network: (n, channels, height, width) float32 in, one float32 array out."""

    def __call__(self, pixels: FloatArray) -> FloatArray: ...


def open_net(graph: bytes, *, engine: str, threads: int, callers: int = 1) -> Net:
    """Load an ONNX graph whose hash was checked.

    engine: "onnxruntime" or "openvino". threads: used by each call. callers: how many
    threads may call the network at the same time. Raises MissingExtra if the engine is
    not installed, ModelAltered if it refuses the graph, ValueError for another engine.
    """
    if engine == "onnxruntime":
        return _OnnxRuntimeNet(graph, threads)
    if engine == "openvino":
        return _OpenVinoNet(graph, threads, callers)
    raise ValueError(f"unknown engine {engine!r}; known: onnxruntime, openvino")


class BackgroundNet:
    """A network that is loaded on a background thread; calls wait until it is loaded.

    An error of loading is raised by the first call and by every later one, so that
    nothing is decided without the model.
    """

    def __init__(self, load: Callable[[], Net]) -> None:
        self._load = load
        self._net: Net | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mien-load")
        self._thread.start()

    def __call__(self, pixels: FloatArray) -> FloatArray:
        self._thread.join()
        if self._net is None:
            assert self._error is not None  # the thread sets one of the two
            raise self._error
        return self._net(pixels)

    def _run(self) -> None:
        try:
            self._net = self._load()
        except BaseException as error:  # noqa: BLE001 - raised again by __call__
            self._error = error


class _OnnxRuntimeNet:
    def __init__(self, graph: bytes, threads: int) -> None:
        # stops its telemetry, a device id and a queue of events; must be set before the import
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what fails is raised
        # spinning threads would slow the numpy work between two calls to half its speed
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # it would keep the most that any call needed: 110 MB after a crowded picture, and no faster
        options.enable_cpu_mem_arena = False
        # a packed second copy of the weights costs 20 MB and gains nothing measurable
        options.add_session_config_entry("session.disable_prepacking", "1")
        # convert int8 weights to float once, while loading
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # its errors have no other common base
            _raise_if_out_of_memory(error)
            raise ModelAltered(_describe_refusal("ONNX Runtime", error)) from error

    def __call__(self, pixels: FloatArray) -> FloatArray:
        try:
            output: FloatArray = self._session.run(None, {"pixels": pixels})[0]
        except Exception as error:
            _raise_if_out_of_memory(error)
            raise
        return output


class _OpenVinoNet:
    def __init__(self, graph: bytes, threads: int, callers: int) -> None:
        # OpenVINO would send an event to a server when it is imported, and keep an id of the user;
        # without this module of its own it does neither
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        try:
            import openvino
        except ImportError as error:
            raise missing_extra("OpenVINO is not installed", "openvino") from error
        settings = {
            "INFERENCE_NUM_THREADS": threads * callers,
            "NUM_STREAMS": callers,
            # by default it computes in bfloat16 on processors that can, which is 0.04 off
            "INFERENCE_PRECISION_HINT": "f32",
        }
        core = openvino.Core()
        try:
            self._compiled = core.compile_model(core.read_model(graph), "CPU", settings)
        except RuntimeError as error:
            _raise_if_out_of_memory(error)
            raise ModelAltered(_describe_refusal("OpenVINO", error)) from error
        self._requests = threading.local()  # a request serves one thread at a time

    def __call__(self, pixels: FloatArray) -> FloatArray:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        results = self._requests.own.infer({0: pixels}, share_inputs=True)
        output: FloatArray = np.asarray(results[0], dtype=np.float32)
        return output


def _raise_if_out_of_memory(error: Exception) -> None:
    """The engines say so in words only; a graph is not damaged by it."""
    if any(words in str(error) for words in OUT_OF_MEMORY):
        raise MemoryError from error


def _describe_refusal(engine: str, error: Exception) -> str:
    # the engines' messages have several lines
    reason = " ".join(str(error).split())
    return f"{engine} refuses a graph: {reason}; install its newest version, then run: mien doctor"
