"""The MiniFASNet pair gives the known outputs, on both engines, and only for the right input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelAltered
from mien.models import MINIFASNET_V1SE, MINIFASNET_V2, ModelRow, open_net
from mien.models.add_liveness import build_liveness_graph
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.minifas import build_minifas
from mien.results import FloatArray
from mien.settings import ENGINES

# published with the recipe, for crop[y, x, c] = (7 y + 13 x + 29 c) % 256, BGR
KNOWN = {
    MINIFASNET_V2.name: [0.16764, 0.78253, 0.04983],
    MINIFASNET_V1SE.name: [0.53472, 0.39915, 0.06613],
}
WRONG_COLOURS = [0.09304, 0.90581, 0.00115]  # of V2, with red and blue swapped
WRONG_SCALE = [0.00027, 0.00467, 0.99506]  # of V2, divided by 255
PAIR = [pytest.param(row, id=row.name) for row in (MINIFASNET_V2, MINIFASNET_V1SE)]


def known_crop() -> FloatArray:
    y, x, c = np.mgrid[0:80, 0:80, 0:3]
    crop = ((7 * y + 13 * x + 29 * c) % 256).astype(np.float32)
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[np.newaxis])


def run(row: ModelRow, engine: str, folder: Path, pixels: FloatArray) -> FloatArray:
    pytest.importorskip(engine, reason=f"needs {engine}: pip install '.[{engine}]'")
    graph = build_liveness_graph(row, engine, (folder / row.file_name).read_bytes())
    return open_net(graph, engine=engine, threads=1)(pixels)[0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("row", PAIR)
def test_the_known_crop_gives_the_known_outputs(
    row: ModelRow, engine: str, liveness_files: Path
) -> None:
    found = run(row, engine, liveness_files, known_crop())
    np.testing.assert_allclose(found, KNOWN[row.name], rtol=0, atol=1e-4)
    assert found.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_swapped_colours_and_pixels_of_0_to_1_give_other_outputs(
    engine: str, liveness_files: Path
) -> None:
    crop = known_crop()
    swapped = run(MINIFASNET_V2, engine, liveness_files, np.ascontiguousarray(crop[:, ::-1]))
    scaled = run(MINIFASNET_V2, engine, liveness_files, crop / np.float32(255))
    np.testing.assert_allclose(swapped, WRONG_COLOURS, rtol=0, atol=1e-4)
    np.testing.assert_allclose(scaled, WRONG_SCALE, rtol=0, atol=1e-4)
    for wrong in (swapped, scaled):
        assert np.abs(wrong - KNOWN[MINIFASNET_V2.name]).max() > 0.05


def test_the_graph_is_within_rounding_of_a_batch(liveness_files: Path) -> None:
    crop = known_crop()
    batch = np.concatenate([crop, crop[:, ::-1]])
    graph = build_minifas((liveness_files / MINIFASNET_V2.file_name).read_bytes(), GraphWriter())
    found = open_net(graph, engine="onnxruntime", threads=1)(batch)
    np.testing.assert_allclose(found[0], KNOWN[MINIFASNET_V2.name], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[1], WRONG_COLOURS, rtol=0, atol=1e-4)


def test_weights_of_another_net_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"module.conv1.conv.weight": np.zeros((32, 3, 3, 3), np.float32)}
    monkeypatch.setattr("mien.models.build.minifas.read_torch_file", lambda content: arrays)
    with pytest.raises(ModelAltered, match="not a MiniFASNet"):
        build_minifas(b"", GraphWriter())
