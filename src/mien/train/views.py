"""Random views of face crops, made on tensors: a whole batch at once, on any device.

Flip and crop are one affine map for each crop, sampled by a single `grid_sample`. The list of
changes is that of Grill et al. 2020, appendix B, without solarisation, and with less crop: a face
crop of which a third is gone shows no face. Cut-out is from DeVries and Taylor, "Improved
regularization of convolutional neural networks with Cutout", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

PIXEL_MEAN, PIXEL_SCALE = 127.5, 1 / 128
"""The net's input is (pixel - 127.5) / 128."""
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
BLUR_TAPS = 9


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """How far views differ from a crop. Shares and probabilities are 0..1.

    side: of a view, pixels. least_crop: smallest side of the part that is cut, of the crop's.
    colour: brightness, contrast and saturation change by a factor of 1 - colour to 1 + colour.
    blur: largest standard deviation of the Gaussian, pixels of a view of 160; `blurred` of all
    views get one. cut_out: side of the grey square, of the view's; `covered` of all views get one.
    """

    side: int = 160
    least_crop: float = 0.7
    flipped: float = 0.5
    colour: float = 0.4
    grey: float = 0.2
    blur: float = 2.0
    blurred: float = 0.5
    cut_out: float = 0.25
    covered: float = 0.3


def standardise(crops: Tensor) -> Tensor:
    """(n, 3, side, side) uint8 RGB to what the net takes: float32, (x - 127.5) / 128."""
    return (crops.float() - PIXEL_MEAN) * PIXEL_SCALE


def make_views(crops: Tensor, settings: ViewSettings, generator: torch.Generator) -> Tensor:
    """A random view of each crop: (n, 3, side, side) uint8 RGB to standardised float32.

    generator: on the CPU, so that every device gets the same views.
    """
    views = _cut(crops.float() / 255, settings, generator)
    views = _change_colours(views, settings, generator)
    views = _blur(views, settings, generator)
    views = (views * 255 - PIXEL_MEAN) * PIXEL_SCALE
    return _cover(views, settings, generator)


def _cut(crops: Tensor, settings: ViewSettings, generator: torch.Generator) -> Tensor:
    """Flip, crop and resize, in one sampling."""
    n = len(crops)
    scale = _uniform(n, settings.least_crop, 1.0, generator)
    flip = torch.where(_chance(n, settings.flipped, generator), -1.0, 1.0)
    # the part stays inside the crop: its centre moves by what the scale leaves, in -1..1
    move = _uniform((n, 2), -1.0, 1.0, generator) * (1.0 - scale)[:, None]
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = scale * flip, scale
    affine[:, :, 2] = move
    shape = [n, 3, settings.side, settings.side]
    grid = functional.affine_grid(affine.to(crops.device), shape, align_corners=False)
    return functional.grid_sample(crops, grid, padding_mode="border", align_corners=False)


def _change_colours(views: Tensor, settings: ViewSettings, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation by a factor each; then some views become grey."""
    n, device = len(views), views.device
    low, high = 1 - settings.colour, 1 + settings.colour
    bright, contrast, saturation = (
        _uniform(n, low, high, generator).to(device).reshape(n, 1, 1, 1) for _ in range(3)
    )
    views = views * bright
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    views = mean + (views - mean) * contrast
    grey = (views * torch.tensor(GREY, device=device).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
    views = grey + (views - grey) * saturation
    becomes_grey = _chance(n, settings.grey, generator).to(device).reshape(n, 1, 1, 1)
    return torch.where(becomes_grey, grey.expand_as(views), views).clamp(0, 1)


def _blur(views: Tensor, settings: ViewSettings, generator: torch.Generator) -> Tensor:
    """A Gaussian of its own for each view, along rows and then along columns."""
    n, side = len(views), views.shape[-1]
    deviation = _uniform(n, 0.1, settings.blur, generator) * (side / 160)
    chosen = _chance(n, settings.blurred, generator)
    deviation = torch.where(chosen, deviation, torch.full_like(deviation, 1e-3))
    taps = torch.arange(BLUR_TAPS) - BLUR_TAPS // 2
    kernel = torch.exp(-0.5 * (taps[None] / deviation[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).to(views.device)  # (n, taps)
    kernel = kernel.repeat_interleave(3, dim=0)[:, None]  # a group for each view and colour
    planes = views.reshape(1, n * 3, side, side)
    for shape, pad in (((1, BLUR_TAPS), (4, 4, 0, 0)), ((BLUR_TAPS, 1), (0, 0, 4, 4))):
        padded = functional.pad(planes, pad, mode="replicate")
        planes = functional.conv2d(padded, kernel.reshape(n * 3, 1, *shape), groups=n * 3)
    return planes.reshape(n, 3, side, side)


def _cover(views: Tensor, settings: ViewSettings, generator: torch.Generator) -> Tensor:
    """Put a square of mean grey, which is 0 after standardising, on some views."""
    n, side = len(views), views.shape[-1]
    size = max(1, round(settings.cut_out * side))
    corner = (torch.rand(n, 2, generator=generator) * (side - size + 1)).long()
    chosen = _chance(n, settings.covered, generator)
    at = torch.arange(side)
    inside = (at[None, None] >= corner[:, :, None]) & (at[None, None] < corner[:, :, None] + size)
    square = inside[:, 0, :, None] & inside[:, 1, None, :] & chosen[:, None, None]
    return views.masked_fill(square[:, None].to(views.device), 0.0)


def _uniform(
    shape: int | tuple[int, ...], low: float, high: float, generator: torch.Generator
) -> Tensor:
    size = (shape,) if isinstance(shape, int) else shape
    return low + (high - low) * torch.rand(size, generator=generator)


def _chance(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """(n,) bool, each true with this probability."""
    return torch.rand(n, generator=generator) < probability
