"""The torch module is the published net: names, shapes, numbers; no other file loads into it."""

from __future__ import annotations

import json
import os
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.errors import ModelAltered

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")

from mien.nets.inception_resnet_v1 import (  # noqa: E402 - imports torch
    InceptionResnetV1,
    load_net,
)


@pytest.fixture(scope="module")
def reference(shared_reference: Path) -> dict[str, Any]:
    """Names and shapes of the published state dict, and two embeddings under fixed weights."""
    loaded: dict[str, Any] = json.loads(
        (shared_reference / "inception_resnet_v1_reference.json").read_text()
    )
    return loaded


@pytest.fixture(scope="module")
def published(fixed_weights: dict[str, np.ndarray]) -> bytes:
    """A file as facenet-pytorch publishes them: with the classifier of the training's people."""
    return saved({**tensors(fixed_weights), "logits.weight": torch.zeros(3, 512)})


def tensors(weights: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}


def light() -> dict[str, Any]:
    """A state dict with the right names and shapes that takes little room: every entry is zero."""
    expected = InceptionResnetV1().state_dict()
    return {name: torch.zeros((), dtype=t.dtype).expand(t.shape) for name, t in expected.items()}


def saved(content: object) -> bytes:
    file = BytesIO()
    torch.save(content, file)
    return file.getvalue()


def test_names_and_shapes_are_those_of_the_published_state_dict(reference: dict[str, Any]) -> None:
    net = InceptionResnetV1()
    shapes = {name: list(t.shape) for name, t in net.state_dict().items()}
    assert shapes == reference["state_dict"]
    assert sum(p.numel() for p in net.parameters()) == reference["n_parameters"]


def test_fixed_weights_and_input_give_the_512_numbers_of_the_reference(
    reference: dict[str, Any], published: bytes
) -> None:
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 3, 160, 160)).astype(np.float32)
    with torch.inference_mode():
        given = load_net(published)(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(given, reference["embeddings"], atol=1e-5, rtol=0)


def test_a_file_in_torch_s_older_format_loads_too() -> None:
    # the published files are from 2018 to 2020
    file = BytesIO()
    torch.save(light(), file, _use_new_zipfile_serialization=False)
    assert not load_net(file.getvalue()).training
    refused(file.getvalue()[:-40_000], "download it again")


def test_a_missing_entry_is_named() -> None:
    entries = light()
    del entries["mixed_6a.branch0.conv.weight"]
    refused(saved(entries), "has no 'mixed_6a.branch0.conv.weight'")


def test_an_unknown_entry_is_named() -> None:
    refused(saved({**light(), "block9.conv.weight": torch.zeros(1)}), "unknown 'block9")


def test_an_entry_of_another_shape_is_named() -> None:
    refused(saved({**light(), "last_bn.bias": torch.zeros(511)}), "'last_bn.bias' of another shape")


def test_an_entry_of_another_kind_is_named() -> None:
    whole = torch.zeros(512, dtype=torch.int64)
    refused(saved({**light(), "last_bn.bias": whole}), "'last_bn.bias' of another shape or kind")
    refused(saved({**light(), "last_bn.bias": [0.0] * 512}), "'last_bn.bias'")


def test_a_weight_that_is_not_a_number_is_refused() -> None:
    refused(saved({**light(), "last_bn.bias": torch.full((512,), torch.nan)}), "'last_bn.bias'")


def test_many_faults_are_reported_on_one_line() -> None:
    refused(saved({}), "and 713 more")


@pytest.mark.parametrize(
    "content",
    [b"", b"not a zip file", saved(light())[:5000], pickle.dumps({"a": 1}), saved([1, 2])],
    ids=["empty", "text", "cut off", "a plain pickle", "a list"],
)
def test_a_file_without_weights_is_refused(content: bytes) -> None:
    refused(content, "download it again")


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_no_code_in_a_file_is_run(tmp_path: Path) -> None:
    refused(saved({"a": Bomb(tmp_path / "ran")}), "download it again")
    refused(pickle.dumps(Bomb(tmp_path / "ran")), "download it again")
    assert not (tmp_path / "ran").exists()


def refused(content: bytes, words: str) -> None:
    with pytest.raises(ModelAltered) as caught:
        load_net(content)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_layers_are_in_the_published_order() -> None:
    # programs pick layers by position: list(net.children())[-5:]
    names = [name for name, _ in InceptionResnetV1(n_classes=3).named_children()]
    assert names[:5] == ["conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b"]
    assert names[5:9] == ["conv2d_4a", "conv2d_4b", "repeat_1", "mixed_6a"]
    assert names[9:13] == ["repeat_2", "mixed_7a", "repeat_3", "block8"]
    assert names[13:] == ["avgpool_1a", "dropout", "last_linear", "last_bn", "logits"]


def test_a_whole_classifier_in_the_file_is_kept() -> None:
    layer = {"logits.weight": torch.ones(3, 512), "logits.bias": torch.arange(3.0)}
    net = load_net(saved({**light(), **layer}))
    assert net.logits.bias.tolist() == [0, 1, 2]
    assert not net.classify


@pytest.mark.parametrize(
    "layer",
    [
        {"logits.weight": torch.ones(3, 512)},
        {"logits.weight": torch.ones(3, 511), "logits.bias": torch.ones(3)},
        {"logits.weight": torch.ones(3, 512), "logits.bias": torch.ones(4)},
        {"logits.weight": torch.ones(3, 512), "logits.bias": torch.full((3,), torch.nan)},
        {"logits.weight": torch.ones(()), "logits.bias": torch.ones(())},
        {"logits.weight": torch.ones(0, 512), "logits.bias": torch.ones(0)},
    ],
    ids=["no bias", "narrow", "another bias", "not a number", "no dimensions", "no classes"],
)
def test_an_incomplete_classifier_is_left_out(layer: dict[str, Any]) -> None:
    assert not hasattr(load_net(saved({**light(), **layer})), "logits")


def test_classify_gives_logits_and_needs_classes() -> None:
    net = InceptionResnetV1(n_classes=7, classify=True).eval()
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, 160, 160)).shape == (1, 7)
    with pytest.raises(ValueError, match="pass num_classes"):
        InceptionResnetV1(classify=True)
