"""InceptionResnetV1 made ready for training, and its embeddings before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.nets.inception_resnet_v1 import InceptionResnetV1
from mien.results import ByteArray, FloatArray
from mien.train.views import standardise

Part = Literal["last", "all"]
LAST = ("block8", "last_linear", "last_bn")
"""The layers that `--part last` trains."""
EMBED_BATCH = 32
STATISTICS_CROPS = 512  # from which the mean and variance of a layer are measured


class FeatureEncoder(nn.Module):
    """A net as BYOL trains it: embeddings before they are scaled to length one."""

    def __init__(self, net: InceptionResnetV1, part: Part = "all") -> None:
        super().__init__()
        self.net = net
        self._part = part
        if part == "last":
            self.net.requires_grad_(False)
            for name in LAST:
                getattr(self.net, name).requires_grad_(True)
        self.train()

    def forward(self, pixels: Tensor) -> Tensor:
        return self.net.features(pixels)

    def train(self, mode: bool = True) -> FeatureEncoder:
        """As in torch, but the batch norms stay frozen where only the last part is trained."""
        super().train(mode)
        if self._part == "last":
            for norm in _batch_norms(self.net):
                norm.eval()
        return self


def new_net(seed: int) -> InceptionResnetV1:
    """A net with random weights, the same for the same seed.

    Drawn as in He et al., "Delving deep into rectifiers", 2015: with torch's own, smaller ones
    all crops have nearly the same embedding behind so many layers.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = InceptionResnetV1(dropout_prob=0.0)
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return net


def net_of(arrays: Mapping[str, npt.NDArray[Any]]) -> InceptionResnetV1:
    """A net with these weights, by state-dict name. RuntimeError if they are another net's."""
    net = InceptionResnetV1(dropout_prob=0.0)
    net.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in arrays.items()})
    return net


def arrays_of(net: InceptionResnetV1) -> dict[str, npt.NDArray[Any]]:
    """The weights by state-dict name, as copies on the CPU."""
    return {name: value.cpu().numpy().copy() for name, value in net.state_dict().items()}


def as_tensor(crops: ByteArray) -> Tensor:
    """(n, side, side, 3) uint8 to (n, 3, side, side) uint8."""
    return torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))


def unfold_batch_norms(net: InceptionResnetV1, crops: Tensor) -> None:
    """Give each batch norm the mean and variance that its input has; the net stays the same.

    crops: (n, 3, side, side) uint8. The published weights have their norms folded into the
    convolutions: mean 0 and variance 1 are stored, which the inputs do not have. Trained with
    statistics of batches, such a net would be another net from the first step.
    """
    found: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].double()
        over = [0, *range(2, values.ndim)]
        found[norm] = (values.mean(over), values.var(over, unbiased=False))

    norms = list(_batch_norms(net))
    handles = [norm.register_forward_pre_hook(measure) for norm in norms]
    try:
        with torch.inference_mode():
            net.eval()(standardise(_sample(crops, 4 * EMBED_BATCH)))
    finally:
        for handle in handles:
            handle.remove()
    with torch.no_grad():
        for norm in norms:
            _replace_statistics(norm, *found[norm])


def refresh_batch_norms(net: InceptionResnetV1, crops: Tensor) -> None:
    """Measure the mean and variance of every batch norm anew, from whole crops.

    crops: (n, 3, side, side) uint8. During training they are of views, which are changed
    more than a camera changes a face, and may be smaller.
    """
    norms = list(_batch_norms(net))
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
    net.train()
    with torch.no_grad():
        for part in torch.split(_sample(crops, STATISTICS_CROPS), EMBED_BATCH):
            if len(part) > 1:
                net(standardise(part))
    net.eval()
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def embed(net: InceptionResnetV1, crops: ByteArray) -> tuple[FloatArray, FloatArray]:
    """Unit embeddings (n, 512) of (n, side, side, 3) uint8 crops and of their mirror images."""
    device = next(net.parameters()).device
    net.eval()
    plain, mirrored = [], []
    with torch.inference_mode():
        for start in range(0, len(crops), EMBED_BATCH):
            part = standardise(as_tensor(crops[start : start + EMBED_BATCH]).to(device))
            plain.append(functional.normalize(net.features(part), dim=1).cpu().numpy())
            flipped = net.features(part.flip(3))
            mirrored.append(functional.normalize(flipped, dim=1).cpu().numpy())
    return np.concatenate(plain), np.concatenate(mirrored)


def _replace_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """New statistics; weight and bias are changed so that the norm computes what it did."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    shift = norm.bias.double() - norm.running_mean.double() * scale
    norm.weight.copy_(scale * torch.sqrt(variance + norm.eps))
    norm.bias.copy_(shift + mean * scale)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def _batch_norms(net: nn.Module) -> Iterator[nn.BatchNorm2d]:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            yield module  # type: ignore[misc]


def _sample(crops: Tensor, count: int) -> Tensor:
    """At most so many crops, spread evenly over all."""
    rows = np.unique(np.linspace(0, len(crops) - 1, min(count, len(crops))).round().astype(int))
    return crops[torch.from_numpy(rows)]
