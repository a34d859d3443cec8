"""The face mesh gives the outputs that TensorFlow Lite gives, on both engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelAltered
from mien.models import FACE_MESH, open_net
from mien.models.add_liveness import build_liveness_graph, known_pixels
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.mesh import OUTPUTS, _pads, build_mesh
from mien.models.tflite_file import TfliteGraph
from mien.settings import ENGINES

# of TensorFlow Lite's own interpreter (ai-edge-litert 2.3.0) on the published file, in pixels
KNOWN = {0: 95.1034, 1: 124.3983, 2: -2.2067, 3: 95.5131, 600: 94.8848, 900: 147.3461,
         1401: 139.6843, 1402: 75.5131, 1403: -10.0213, 1404: -12.4925}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_the_known_crop_gives_what_tensorflow_lite_gives(engine: str, liveness_files: Path) -> None:
    pytest.importorskip(engine, reason=f"needs {engine}: pip install '.[{engine}]'")
    weights = (liveness_files / FACE_MESH.file_name).read_bytes()
    net = open_net(build_liveness_graph(FACE_MESH, engine, weights), engine=engine, threads=1)
    found = net(known_pixels(192))
    assert found.shape == (1, OUTPUTS)
    np.testing.assert_allclose(found[0, list(KNOWN)], list(KNOWN.values()), rtol=0, atol=1e-3)
    # the division by 255 is in the graph
    assert np.abs(net(known_pixels(192) / np.float32(255))[0, 0] - KNOWN[0]) > 1.0


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "expected"),
    [
        (192, 3, 2, [0, 0, 1, 1]),  # an even side: TensorFlow pads below and on the right
        (96, 3, 1, [1, 1, 1, 1]),
        (3, 3, 2, [1, 1, 1, 1]),
    ],
)
def test_same_padding_is_tensorflow_s(
    side: int, kernel: int, stride: int, expected: list[int]
) -> None:
    assert _pads(0, side, kernel, stride) == expected


def test_valid_padding_is_none_and_another_is_refused() -> None:
    assert _pads(1, 192, 3, 2) == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="padding 2"):
        _pads(2, 192, 3, 2)


def test_another_graph_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = TfliteGraph((0,), (1,), (), ((1, 192, 192, 3), (1, 2)), {})
    monkeypatch.setattr("mien.models.build.mesh.read_tflite", lambda content: graph)
    with pytest.raises(ModelAltered, match="not the face mesh"):
        build_mesh(b"", GraphWriter())
