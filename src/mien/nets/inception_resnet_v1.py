"""InceptionResnetV1, the article's embedder: (n, 3, 160, 160) -> (n, 512) of length one.

Architecture: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning", 2016, with the stem and the widths that
David Sandberg's facenet trained on faces. Names and shapes of the state dict are those
under which facenet-pytorch publishes the weights (MIT), so that its files load here.

Input: float32 RGB, (x - 127.5) / 128. This module is read once, to convert the weights
(`mien.models.build.inception`) and to check the result; unlocking never imports torch.
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

EPSILON = 0.001  # of every batch norm, as TensorFlow's slim had it
SCALES = {"repeat_1": 0.17, "repeat_2": 0.10, "repeat_3": 0.20, "block8": 1.0}
"""What each residual is multiplied by before it is added."""


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

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(maps)))


class Residual(nn.Module):
    """x + scale * (1x1 convolution of all branches side by side), then ReLU."""

    def __init__(self, width: int, branches: list[nn.Module], joined: int, scale: float) -> None:
        """joined: channels of all branches together."""
        super().__init__()
        self._count = len(branches)
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)
        self.conv2d = nn.Conv2d(joined, width, 1)
        self.scale = scale
        self.relu = True  # the last block of the net goes without

    def forward(self, maps: Tensor) -> Tensor:
        parts = [getattr(self, f"branch{n}")(maps) for n in range(self._count)]
        total = maps + self.scale * self.conv2d(torch.cat(parts, dim=1))
        return functional.relu(total) if self.relu else total


class Reduction(nn.Module):
    """Half the map: strided branches and a max pooling of the input, side by side."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self._count = len(branches)
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)

    def forward(self, maps: Tensor) -> Tensor:
        parts = [getattr(self, f"branch{n}")(maps) for n in range(self._count)]
        return torch.cat([*parts, functional.max_pool2d(maps, 3, stride=2)], dim=1)


class InceptionResnetV1(nn.Module):
    """The net. In `eval()` mode it gives what mien's graph gives, scaled to length one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv2d_1a = ConvUnit(3, 32, 3, stride=2, same=False)
        self.conv2d_2a = ConvUnit(32, 32, 3, same=False)
        self.conv2d_2b = ConvUnit(32, 64, 3)
        self.conv2d_3b = ConvUnit(64, 80, 1)
        self.conv2d_4a = ConvUnit(80, 192, 3, same=False)
        self.conv2d_4b = ConvUnit(192, 256, 3, stride=2, same=False)
        self.repeat_1 = nn.Sequential(*(_block35() for _ in range(5)))
        self.mixed_6a = Reduction([_halving(256, 384), _chain(256, (192, 1), (192, 3), (256, 0))])
        self.repeat_2 = nn.Sequential(*(_block17() for _ in range(10)))
        self.mixed_7a = Reduction(
            [
                _chain(896, (256, 1), (384, 0)),
                _chain(896, (256, 1), (256, 0)),
                _chain(896, (256, 1), (256, 3), (256, 0)),
            ]
        )
        self.repeat_3 = nn.Sequential(*(_block8(SCALES["repeat_3"]) for _ in range(5)))
        self.block8 = _block8(SCALES["block8"])
        self.block8.relu = False
        self.dropout = nn.Dropout(0.6)
        self.last_linear = nn.Linear(1792, 512, bias=False)
        self.last_bn = nn.BatchNorm1d(512, eps=EPSILON)

    def forward(self, pixels: Tensor) -> Tensor:
        maps = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(pixels)))
        maps = functional.max_pool2d(maps, 3, stride=2)
        maps = self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(maps)))
        maps = self.mixed_6a(self.repeat_1(maps))
        maps = self.mixed_7a(self.repeat_2(maps))
        maps = self.block8(self.repeat_3(maps))
        means = self.dropout(maps.mean(dim=(2, 3)))
        return functional.normalize(self.last_bn(self.last_linear(means)), dim=1)


def net_of(content: bytes) -> InceptionResnetV1:
    """The net with the weights of a `.pt` file's bytes; ModelAltered if they are another net's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch wonders aloud about files that are not its own
            # weights_only: tensors and plain containers are read, nothing in the file is run
            stored = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # its errors have no other base in common
        raise ModelAltered(
            f"the weights file is not one that torch reads ({type(error).__name__}); get it again"
        ) from error
    net = InceptionResnetV1()
    net.load_state_dict(_fitting(stored, net.state_dict()))
    return net.eval()


def _fitting(stored: object, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of `stored`, less the training's classifier; each must be where and as it is."""
    if not isinstance(stored, Mapping):
        raise ModelAltered("the weights file holds no table of weights; get it again")
    # the classifier over the training's people; an embedding does not pass through it
    given = {name: stored[name] for name in stored if not str(name).startswith("logits.")}
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
    return ModelAltered(f"the weights file {what}{others}: not InceptionResnetV1; get it again")


def _chain(n_in: int, *units: tuple[int, int]) -> nn.Sequential:
    """Units of (channels, kernel) one after another; kernel 0 stands for the halving 3x3."""
    made: list[nn.Module] = []
    for n_out, kernel in units:
        made.append(ConvUnit(n_in, n_out, kernel) if kernel else _halving(n_in, n_out))
        n_in = n_out
    return nn.Sequential(*made)


def _halving(n_in: int, n_out: int) -> ConvUnit:
    return ConvUnit(n_in, n_out, 3, stride=2, same=False)


def _block35() -> Residual:
    branches: list[nn.Module] = [
        ConvUnit(256, 32, 1),
        _chain(256, (32, 1), (32, 3)),
        _chain(256, (32, 1), (32, 3), (32, 3)),
    ]
    return Residual(256, branches, 96, SCALES["repeat_1"])


def _block17() -> Residual:
    wide = _crossed(896, 128, 7)
    return Residual(896, [ConvUnit(896, 128, 1), wide], 256, SCALES["repeat_2"])


def _block8(scale: float) -> Residual:
    wide = _crossed(1792, 192, 3)
    return Residual(1792, [ConvUnit(1792, 192, 1), wide], 384, scale)


def _crossed(n_in: int, n_out: int, length: int) -> nn.Sequential:
    """1x1, then a row kernel, then a column kernel: a large square one for less work."""
    return nn.Sequential(
        ConvUnit(n_in, n_out, 1),
        ConvUnit(n_out, n_out, (1, length)),
        ConvUnit(n_out, n_out, (length, 1)),
    )


def embedded_by(net: InceptionResnetV1, crops: FloatArray) -> FloatArray:
    """Run the net in torch. crops: (n, 3, 160, 160) float32, standardised. (n, 512) unit rows."""
    with torch.inference_mode():
        vectors: FloatArray = net(torch.from_numpy(crops)).numpy()
    return vectors
