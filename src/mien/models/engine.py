"""Run ONNX graphs with one of two inference engines, ONNX Runtime or OpenVINO.

Both run on the CPU in float32. A call uses `threads` threads; networks that run at the
same time should not have more threads together than there are cores. Both also run on a
graphics card, in float32 too, and never on the CPU instead: see docs/gpu.md.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mien.errors import EngineUnavailable, ModelAltered, missing_extra, one_line
from mien.results import FloatArray
from mien.settings import ALL_ENGINES, ENGINES

EXTERNAL_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
OUT_OF_MEMORY = ("bad_alloc", "allocate memory", "bad allocation")
CUDA = "CUDAExecutionProvider"
_PRELOAD = threading.Lock()

Weights: TypeAlias = Mapping[str, npt.NDArray[np.generic]]
"""Of an optimised graph, by name."""


class Net(Protocol):
    """A loaded network: (n, channels, height, width) float32 in, one float32 array out."""

    def __call__(self, pixels: FloatArray, /) -> FloatArray: ...


def open_net(graph: bytes, *, engine: str, threads: int, callers: int = 1) -> Net:
    """Load an ONNX graph whose hash was checked.

    engine: one of `ALL_ENGINES`. threads: used by each call. callers: how many
    threads may call the network at the same time. Raises MissingExtra if the engine is
    not installed, ModelAltered if it refuses the graph, EngineUnavailable if there is no
    graphics card for it, ValueError for another engine.
    """
    return _open(graph, engine, threads, callers)


def open_masked_net(graph: bytes, *, engine: str, threads: int) -> MaskedNet:
    """As `open_net`, for the graph of `mien.models.PNET_BATCH`."""
    return _open(graph, engine, threads, 1)


def _open(graph: bytes, engine: str, threads: int, callers: int) -> _OnnxRuntimeNet | _OpenVinoNet:
    if engine in ("onnxruntime", "cuda"):
        return _OnnxRuntimeNet(graph, threads, on_gpu=engine == "cuda")
    if engine in ("openvino", "openvino-gpu"):
        return _OpenVinoNet(graph, threads, callers, on_gpu=engine == "openvino-gpu")
    raise ValueError(f"unknown engine {engine!r}; known: {', '.join(ALL_ENGINES)}")


def open_optimised_net(graph: bytes, weights: Weights, *, threads: int) -> Net:
    """Load a graph that `write_optimised` wrote on this machine, and whose hash was checked.

    weights: of the graph, by name; used where they lie. Raises ModelAltered if ONNX Runtime
    refuses it.
    """
    return _OnnxRuntimeNet(graph, threads, weights=weights)


def write_optimised(graph: bytes, path: Path) -> None:
    """Write an ONNX graph as ONNX Runtime optimises it for this processor. Raises ModelAltered."""
    onnxruntime, options = _onnxruntime_and_options(threads=1)
    options.optimized_model_filepath = str(path)
    _open_session(onnxruntime, graph, options, ["CPUExecutionProvider"], on_gpu=False)


@cache
def describe_onnxruntime() -> str:
    """Version and build of ONNX Runtime, one line."""
    onnxruntime, _ = _onnxruntime_and_options(threads=1)
    return f"{onnxruntime.__version__} {onnxruntime.get_build_info()}"


class MaskedNet(Protocol):
    """A loaded network whose pictures end before the tensor does.

    pixels: (n, channels, height, width) float32. row_limits: (n, 1, height - 2, 1) float32, and
    column_limits: (n, 1, 1, width - 2) float32, of the first layer's output: `INSIDE` or `OUTSIDE`.
    """

    def __call__(
        self, pixels: FloatArray, row_limits: FloatArray, column_limits: FloatArray, /
    ) -> FloatArray: ...


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
    """weights: of an optimised graph; None for a graph that has its own."""

    def __init__(
        self, graph: bytes, threads: int, *, on_gpu: bool = False, weights: Weights | None = None
    ) -> None:
        onnxruntime, options = _onnxruntime_and_options(threads)
        if weights is not None:
            level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.graph_optimization_level = level
            # the weights in the graph are said to be in /dev/null: if one was missing below,
            # there would be nothing to read
            options.add_session_config_entry(EXTERNAL_WEIGHTS_FOLDER, "/dev")
            make = onnxruntime.OrtValue.ortvalue_from_numpy
            # nothing is copied, so both have to live as long as the session
            self._weights = weights, {name: make(array) for name, array in weights.items()}
            for name, value in self._weights[1].items():
                options.add_initializer(name, value)
        providers: list[object] = ["CPUExecutionProvider"]
        if on_gpu:
            providers = [_cuda_provider(onnxruntime, options)]
        self._session = _open_session(onnxruntime, graph, options, providers, on_gpu=on_gpu)
        if on_gpu and self._session.get_providers()[:1] != [CUDA]:
            raise _no_card("cuda", "ONNX Runtime found no CUDA card")
        self._names = [one.name for one in self._session.get_inputs()]

    def __call__(self, *inputs: FloatArray) -> FloatArray:
        try:
            given = dict(zip(self._names, inputs, strict=True))
            output: FloatArray = self._session.run(None, given)[0]
        except Exception as error:
            _raise_if_out_of_memory(error)
            raise
        return output


def _onnxruntime_and_options(threads: int) -> tuple[ModuleType, Any]:
    """The module, and options of a session on the CPU."""
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
    return onnxruntime, options


def _open_session(
    onnxruntime: ModuleType, graph: bytes, options: Any, providers: list[object], *, on_gpu: bool
) -> Any:
    try:
        return onnxruntime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    except Exception as error:  # its errors have no other common base
        _raise_if_out_of_memory(error)
        if on_gpu:
            raise _no_card("cuda", _describe_missing_cuda(error)) from error
        raise ModelAltered(_describe_refusal("ONNX Runtime", error)) from error


class _OpenVinoNet:
    def __init__(self, graph: bytes, threads: int, callers: int, *, on_gpu: bool) -> None:
        # OpenVINO would send an event to a server when it is imported, and keep an id of the user;
        # without this module of its own it does neither
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        try:
            import openvino
        except ImportError as error:
            raise missing_extra("OpenVINO is not installed", "openvino") from error
        settings: dict[str, object] = {
            "NUM_STREAMS": callers,
            # by default it computes in bfloat16 on processors that can, which is 0.04 off
            "INFERENCE_PRECISION_HINT": "f32",
        }
        core = openvino.Core()
        if not on_gpu:
            settings["INFERENCE_NUM_THREADS"] = threads * callers
        elif not any(name.partition(".")[0] == "GPU" for name in core.available_devices):
            raise _no_card("openvino-gpu", "OpenVINO lists no GPU")
        try:
            device = "GPU" if on_gpu else "CPU"
            self._compiled = core.compile_model(core.read_model(graph), device, settings)
        except RuntimeError as error:
            _raise_if_out_of_memory(error)
            if on_gpu:
                reason = f"the GPU cannot be used: {one_line(error)}"
                raise _no_card("openvino-gpu", reason) from error
            raise ModelAltered(_describe_refusal("OpenVINO", error)) from error
        self._requests = threading.local()  # a request serves one thread at a time

    def __call__(self, *inputs: FloatArray) -> FloatArray:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        results = self._requests.own.infer(dict(enumerate(inputs)), share_inputs=True)
        output: FloatArray = np.asarray(results[0], dtype=np.float32)
        return output


def _cuda_provider(onnxruntime: ModuleType, options: Any) -> tuple[str, dict[str, str]]:
    """The provider of CUDA, with its settings; forbids the CPU. EngineUnavailable without it."""
    if CUDA not in onnxruntime.get_available_providers():
        raise _no_card("cuda", "the installed onnxruntime is not onnxruntime-gpu")
    onnxruntime.set_default_logger_severity(4)  # it prints, and what fails is raised
    _load_cuda_libraries(onnxruntime)
    # what CUDA does not run fails; the CPU would take it, and without a card it would take all
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return CUDA, {
        "use_tf32": "0",  # 10 bits of a number's 23
        # by default it tries every algorithm anew for each size of picture
        "cudnn_conv_algo_search": "HEURISTIC",
    }


def _load_cuda_libraries(onnxruntime: ModuleType) -> None:
    """Load those that pip installed, which are in no folder that the system searches."""
    preload = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
    # it prints on standard output what it does not find; another net may be opening on a thread
    with _PRELOAD, redirect_stdout(StringIO()):
        if preload is not None:
            preload()


def _describe_missing_cuda(error: Exception) -> str:
    if "assigned to the default CPU" in str(error):  # without a card, and without its libraries
        return (
            "CUDA did not start, for want of a card, a driver, or the libraries of CUDA and cuDNN"
        )
    return f"CUDA failed: {one_line(error)}"


def _no_card(engine: str, reason: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"no graphics card for the engine {engine}: {reason}; see docs/gpu.md, or use"
        f" the engine {ENGINES[0]}"
    )


def _raise_if_out_of_memory(error: Exception) -> None:
    """The engines say so in words only; a graph is not damaged by it."""
    if any(words in str(error) for words in OUT_OF_MEMORY):
        raise MemoryError from error


def _describe_refusal(engine: str, error: Exception) -> str:
    # the engines' messages have several lines
    reason = " ".join(str(error).split())
    return f"{engine} refuses a graph: {reason}; install its newest version, then run: mien doctor"
