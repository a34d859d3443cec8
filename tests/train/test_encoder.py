"""InceptionResnetV1 before training: norms unfolded, layers frozen; and its embeddings."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[train]'")

from mien.nets.inception_resnet_v1 import InceptionResnetV1  # noqa: E402
from mien.train.encoder import (  # noqa: E402
    FeatureEncoder,
    arrays_of,
    as_tensor,
    embed,
    net_of,
    new_net,
    refresh_batch_norms,
    unfold_batch_norms,
)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    patches = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3)).astype(np.uint8)
    return np.kron(patches, np.ones((1, 4, 4, 1), np.uint8))  # (6, 80, 80, 3)


@pytest.fixture
def net() -> InceptionResnetV1:
    return new_net(3)


def test_the_same_seed_gives_the_same_net() -> None:
    one, same, other = (arrays_of(new_net(seed))["last_linear.weight"] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_net_of_its_arrays_is_the_net(net: InceptionResnetV1, crops: np.ndarray) -> None:
    again = net_of(arrays_of(net))
    assert np.array_equal(embed(net, crops)[0], embed(again, crops)[0])


def test_the_mirrored_embeddings_are_those_of_mirrored_crops(
    net: InceptionResnetV1, crops: np.ndarray
) -> None:
    mirrored = embed(net, crops)[1]
    np.testing.assert_allclose(mirrored, embed(net, crops[:, :, ::-1])[0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(mirrored, axis=1), 1.0, atol=1e-5)


def test_unfolding_keeps_the_net_and_gives_norms_the_statistics_of_their_inputs(
    net: InceptionResnetV1, crops: np.ndarray
) -> None:
    before = embed(net, crops)[0]
    unfold_batch_norms(net, as_tensor(crops))
    np.testing.assert_allclose(embed(net, crops)[0], before, atol=2e-5)
    inputs: list[torch.Tensor] = []
    handle = net.conv2d_2a.bn.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    embed(net, crops)
    handle.remove()
    mean = inputs[0].mean(dim=(0, 2, 3))
    torch.testing.assert_close(net.conv2d_2a.bn.running_mean, mean, atol=1e-4, rtol=1e-3)
    assert (net.conv2d_2a.bn.running_var < 0.9).any()


def test_refreshed_norms_forget_what_was_there(net: InceptionResnetV1, crops: np.ndarray) -> None:
    with torch.no_grad():
        net.conv2d_1a.bn.running_mean += 50
    refresh_batch_norms(net, as_tensor(crops))
    assert net.conv2d_1a.bn.running_mean.abs().max() < 5
    assert net.conv2d_1a.bn.momentum == 0.1
    assert not net.training


def test_only_the_last_layers_learn_and_no_norm_changes_its_statistics(
    net: InceptionResnetV1, crops: np.ndarray
) -> None:
    encoder = FeatureEncoder(net, "last").train()
    before = arrays_of(net)
    encoder(as_tensor(crops).float()).sum().backward()
    learn = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert learn == {"block8", "last_linear", "last_bn"}
    after = arrays_of(net)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_all_layers_learn_and_norms_follow_the_batches(
    net: InceptionResnetV1, crops: np.ndarray
) -> None:
    encoder = FeatureEncoder(net, "all").train()
    before = arrays_of(net)["conv2d_1a.bn.running_mean"]
    encoder(as_tensor(crops).float()).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert not np.array_equal(before, arrays_of(net)["conv2d_1a.bn.running_mean"])
