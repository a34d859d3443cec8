"""InceptionResnetV1 in torch, the article's embedder: (n, 3, 160, 160) -> (n, 512) of length one.

Architecture: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning", 2016, with the stem and the widths that
David Sandberg's facenet trained on faces. The names, shapes and order of the layers are
those under which facenet-pytorch publishes the weights (MIT), so that its files load here
and programs that pick layers by name or by position find them.

Input: float32 RGB, (x - 127.5) / 128. mien uses this module to convert published weights
(`mien.models.add`) and to offer the net to torch programs (`mien.facenet_pytorch`);
unlocking never imports torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from io import BytesIO
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.errors import ModelAltered
from mien.results import FloatArray

DIMS = 512
MAX_CLASSES = 1_000_000  # of a published classifier; a larger one is not a face data set
EPSILON = 0.001  # of every batch norm, as TensorFlow's slim had it
SCALES = {"repeat_1": 0.17, "repeat_2": 0.10, "repeat_3": 0.20, "block8": 1.0}
"""The factor of each residual before it is added."""
CLASSIFIER = "logits."


class ConvUnit(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        same: bool = True,
    ) -> None:
        """same: padded with zeros so that, at stride 1, the map keeps its size."""
        super().__init__()
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        pad = (high // 2, wide // 2) if same else (0, 0)
        self.conv = nn.Conv2d(n_in, n_out, (high, wide), stride=stride, padding=pad, bias=False)
        self.bn = nn.BatchNorm2d(n_out, eps=EPSILON)
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(maps)))


class Branches(nn.Module):
    """Several layers that see the same maps, side by side: `branch0`, `branch1`, ..."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self._count = len(branches)
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)

    def forward(self, maps: Tensor) -> Tensor:
        parts = [getattr(self, f"branch{n}")(maps) for n in range(self._count)]
        return torch.cat(parts, dim=1)


class Residual(Branches):
    """x + scale * (1x1 convolution of the joined branches), then ReLU if `relu`."""

    def __init__(
        self,
        width: int,
        branches: list[nn.Module],
        *,
        joined: int,
        scale: float,
        relu: bool = True,
    ) -> None:
        """width: channels in and out. joined: channels of all branches together."""
        super().__init__(branches)
        self.conv2d = nn.Conv2d(joined, width, 1)
        self.scale = scale
        if relu:
            self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        total = self.conv2d(super().forward(maps)) * self.scale + maps
        return self.relu(total) if hasattr(self, "relu") else total


class InceptionResnetV1(nn.Module):
    """The net; in `eval()` mode it computes what mien's ONNX graph computes.

    n_classes: size of the classifier layer `logits`; None for a net without one.
    classify: `forward` gives (n, n_classes) logits; otherwise (n, 512) unit rows.
    dropout_prob: share of the pooled features that training drops, 0..1.

    ValueError for `classify` without classes.
    """

    def __init__(
        self, *, n_classes: int | None = None, classify: bool = False, dropout_prob: float = 0.6
    ) -> None:
        super().__init__()
        if classify and n_classes is None:
            raise ValueError("classify=True needs a number of classes; pass num_classes")
        self.classify = classify
        self._add_stem()
        self.repeat_1 = nn.Sequential(*(_block35() for _ in range(5)))
        self.mixed_6a = Branches(
            [_halving(256, 384), _chain(256, (192, 1), (192, 3), (256, 0)), _pooling()]
        )
        self.repeat_2 = nn.Sequential(*(_block17() for _ in range(10)))
        self.mixed_7a = Branches(
            [
                _chain(896, (256, 1), (384, 0)),
                _chain(896, (256, 1), (256, 0)),
                _chain(896, (256, 1), (256, 3), (256, 0)),
                _pooling(),
            ]
        )
        self.repeat_3 = nn.Sequential(*(_block8(SCALES["repeat_3"]) for _ in range(5)))
        self.block8 = _block8(SCALES["block8"], relu=False)
        self.avgpool_1a = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout_prob)
        self.last_linear = nn.Linear(1792, DIMS, bias=False)
        self.last_bn = nn.BatchNorm1d(DIMS, eps=EPSILON)
        if n_classes is not None:
            self.logits = nn.Linear(DIMS, n_classes)

    def _add_stem(self) -> None:
        self.conv2d_1a = ConvUnit(3, 32, 3, stride=2, same=False)
        self.conv2d_2a = ConvUnit(32, 32, 3, same=False)
        self.conv2d_2b = ConvUnit(32, 64, 3)
        self.maxpool_3a = _pooling()
        self.conv2d_3b = ConvUnit(64, 80, 1)
        self.conv2d_4a = ConvUnit(80, 192, 3, same=False)
        self.conv2d_4b = ConvUnit(192, 256, 3, stride=2, same=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed (n, 3, 160, 160) standardised crops: (n, 512) unit rows, or logits."""
        features = self.features(pixels)
        return self.logits(features) if self.classify else functional.normalize(features, dim=1)

    def features(self, pixels: Tensor) -> Tensor:
        """(n, 512) embeddings before they are scaled to length one."""
        maps = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(pixels)))
        maps = self.conv2d_4a(self.conv2d_3b(self.maxpool_3a(maps)))
        maps = self.mixed_6a(self.repeat_1(self.conv2d_4b(maps)))
        maps = self.mixed_7a(self.repeat_2(maps))
        maps = self.block8(self.repeat_3(maps))
        means = self.dropout(self.avgpool_1a(maps)).flatten(1)
        features: Tensor = self.last_bn(self.last_linear(means))
        return features


def load_net(content: bytes) -> InceptionResnetV1:
    """The net with the weights in the bytes of a `.pt` file, in `eval()` mode.

    It has the file's classifier as `logits` where the file holds a whole one.
    Raises ModelAltered if the bytes are not the weights of this net.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about files that it did not write
            # weights_only: tensors and plain containers are read, nothing in the file is run
            stored = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # its errors have no other base in common
        raise ModelAltered(
            f"the weights file is not one that torch reads ({type(error).__name__});"
            " download it again"
        ) from error
    if not isinstance(stored, Mapping):
        raise ModelAltered("the weights file holds no table of weights; download it again")
    classifier = _classifier(stored)
    net = InceptionResnetV1(n_classes=len(classifier["weight"]) if classifier else None)
    weights = _checked_weights(stored, InceptionResnetV1().state_dict())
    net.load_state_dict(weights | {CLASSIFIER + part: classifier[part] for part in classifier})
    return net.eval()


def _classifier(stored: Mapping[object, object]) -> dict[str, Tensor]:
    """Weight (n, 512) and bias (n,) of the layer over the training's people; empty if not whole.

    An embedding does not pass through it, so a file without one is as good.
    """
    weight, bias = stored.get(CLASSIFIER + "weight"), stored.get(CLASSIFIER + "bias")
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        return {}
    if not 1 <= len(weight) <= MAX_CLASSES:
        return {}
    like = {"weight": torch.empty(len(weight), DIMS), "bias": torch.empty(len(weight))}
    if not _is_like(weight, like["weight"]) or not _is_like(bias, like["bias"]):
        return {}
    return {"weight": weight, "bias": cast(Tensor, bias)}


def _checked_weights(
    stored: Mapping[object, object], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The entries of `stored` without its classifier.

    ModelAltered if they differ from `expected` in names, shapes or kinds, or are not finite.
    """
    given = {name: stored[name] for name in stored if not str(name).startswith(CLASSIFIER)}
    odd = sorted(map(str, given.keys() ^ expected.keys()))
    if odd:
        which = "has no" if odd[0] in expected else "has an unknown"
        raise _another_net(f"{which} {odd[0]!r}", len(odd) - 1)
    wrong = [name for name in expected if not _is_like(given[name], expected[name])]
    if wrong:
        raise _another_net(f"has a {wrong[0]!r} of another shape or kind", len(wrong) - 1)
    return cast(dict[str, Tensor], given)


def _is_like(given: object, expected: Tensor) -> bool:
    if not isinstance(given, Tensor) or given.shape != expected.shape:
        return False
    same_kind = given.is_floating_point() == expected.is_floating_point()
    return same_kind and bool(torch.isfinite(given).all())


def _another_net(what: str, more: int) -> ModelAltered:
    others = f" and {more} more" if more else ""
    return ModelAltered(
        f"the weights file {what}{others}: not InceptionResnetV1; download it again"
    )


def _chain(n_in: int, *units: tuple[int, int]) -> nn.Sequential:
    """Units of (channels, kernel) one after another; kernel 0 is the 3x3 unit of stride 2."""
    made: list[nn.Module] = []
    for n_out, kernel in units:
        made.append(ConvUnit(n_in, n_out, kernel) if kernel else _halving(n_in, n_out))
        n_in = n_out
    return nn.Sequential(*made)


def _halving(n_in: int, n_out: int) -> ConvUnit:
    return ConvUnit(n_in, n_out, 3, stride=2, same=False)


def _pooling() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2)


def _block35() -> Residual:
    branches: list[nn.Module] = [
        ConvUnit(256, 32, 1),
        _chain(256, (32, 1), (32, 3)),
        _chain(256, (32, 1), (32, 3), (32, 3)),
    ]
    return Residual(256, branches, joined=96, scale=SCALES["repeat_1"])


def _block17() -> Residual:
    branches = [ConvUnit(896, 128, 1), _crossed(896, 128, 7)]
    return Residual(896, branches, joined=256, scale=SCALES["repeat_2"])


def _block8(scale: float, *, relu: bool = True) -> Residual:
    branches = [ConvUnit(1792, 192, 1), _crossed(1792, 192, 3)]
    return Residual(1792, branches, joined=384, scale=scale, relu=relu)


def _crossed(n_in: int, n_out: int, length: int) -> nn.Sequential:
    """1x1, then a row kernel, then a column kernel: the reach of a square one for less work."""
    return nn.Sequential(
        ConvUnit(n_in, n_out, 1),
        ConvUnit(n_out, n_out, (1, length)),
        ConvUnit(n_out, n_out, (length, 1)),
    )


def embed_crops(net: InceptionResnetV1, crops: FloatArray) -> FloatArray:
    """Run the net in torch. crops: (n, 3, 160, 160) float32, standardised. (n, 512) unit rows."""
    with torch.inference_mode():
        vectors: FloatArray = net(torch.from_numpy(crops)).numpy()
    return vectors
