"""An engine on a graphics card never computes on the CPU: without a card nothing is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnxruntime
import pytest

from mien.errors import EngineUnavailable
from mien.models import PNET, Net, open_net, read_graph
from mien.models.engine import CUDA
from mien.settings import Settings

Mien = Callable[..., Any]

has_cuda = CUDA in onnxruntime.get_available_providers()
without_cuda = pytest.mark.skipif(has_cuda, reason="onnxruntime-gpu is installed here")


@pytest.fixture
def open_pnet(settings: Settings) -> Callable[[str], Net]:
    def opened(engine: str) -> Net:
        graph = read_graph(
            PNET, engine, models_dir=settings.models_dir, cache_dir=settings.cache_dir
        )
        return open_net(graph, engine=engine, threads=1)

    return opened


def assert_one_line(error: EngineUnavailable, engine: str) -> None:
    said = str(error)
    assert said.startswith(f"no graphics card for the engine {engine}: ")
    assert said.endswith("see docs/gpu.md, or use the engine onnxruntime")
    assert said.isprintable()
    assert error.exit_code == 10


@without_cuda
def test_the_onnxruntime_for_the_cpu_opens_nothing_for_cuda(
    open_pnet: Callable[[str], Net],
) -> None:
    with pytest.raises(EngineUnavailable, match="is not onnxruntime-gpu") as caught:
        open_pnet("cuda")
    assert_one_line(caught.value, "cuda")


@without_cuda
def test_a_cuda_that_is_listed_and_does_not_start_does_not_become_the_cpu(
    open_pnet: Callable[[str], Net], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As onnxruntime-gpu does without a card: it lists CUDA, and gives a session of the CPU."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA])
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(EngineUnavailable, match="CUDA did not start") as caught,
    ):
        open_pnet("cuda")
    assert_one_line(caught.value, "cuda")


@without_cuda
def test_a_session_that_is_not_of_cuda_is_refused_whatever_the_options_do(
    open_pnet: Callable[[str], Net], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An onnxruntime that does not know the option that forbids the CPU ignores it."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA])
    known = onnxruntime.SessionOptions

    class Options(known):  # type: ignore[misc, valid-type]
        def add_session_config_entry(self, name: str, value: str) -> None:
            if name != "session.disable_cpu_ep_fallback":
                super().add_session_config_entry(name, value)

    monkeypatch.setattr(onnxruntime, "SessionOptions", Options)
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(EngineUnavailable, match="found no CUDA card") as caught,
    ):
        open_pnet("cuda")
    assert_one_line(caught.value, "cuda")


def test_openvino_without_a_gpu_opens_nothing(
    open_pnet: Callable[[str], Net], monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = pytest.importorskip("openvino", reason="needs OpenVINO: pip install '.[openvino]'")
    monkeypatch.setattr(openvino.Core, "available_devices", ["CPU", "NPU"])
    with pytest.raises(EngineUnavailable, match="OpenVINO lists no GPU") as caught:
        open_pnet("openvino-gpu")
    assert_one_line(caught.value, "openvino-gpu")


def test_openvino_whose_gpu_fails_does_not_become_the_cpu(
    open_pnet: Callable[[str], Net], monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = pytest.importorskip("openvino", reason="needs OpenVINO: pip install '.[openvino]'")
    if any(name.startswith("GPU") for name in openvino.Core().available_devices):
        pytest.skip("needs a machine without a GPU for OpenVINO")
    monkeypatch.setattr(openvino.Core, "available_devices", ["CPU", "GPU.0"])
    with pytest.raises(EngineUnavailable, match="the GPU cannot be used") as caught:
        open_pnet("openvino-gpu")
    assert_one_line(caught.value, "openvino-gpu")
