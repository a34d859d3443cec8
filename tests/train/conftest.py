"""A small encoder and made-up crops: a run of it takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DIMS = 32


@pytest.fixture
def one_thread() -> Any:
    """Torch on one thread, where its sums have one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., Any]:
    """A trainer of the small encoder. Options are those of `TrainSettings` and `Trainer`."""

    def make(folder: Path = tmp_path, tell: Any = None, **options: Any) -> Any:
        from mien.train.trainer import Trainer, TrainSettings
        from mien.train.views import ViewSettings

        options = {"steps": 6, "batch": 16, "rate": 1e-3, "part": "all"} | options
        settings = TrainSettings(views=ViewSettings(side=32), **options)
        return Trainer(
            small_encoder(),
            made_up_crops(),
            settings,
            dims=DIMS,
            folder=folder,
            clock=lambda: 0.0,
            tell=tell or (lambda record: None),
        )

    return make


def small_encoder() -> Any:
    """Two convolutions with batch norms: (n, 3, 32, 32) -> (n, 32)."""
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            *(nn.Conv2d(3, 16, 5, stride=4), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, DIMS)),
        )


def made_up_crops(n: int = 64) -> Any:
    """(n, 3, 40, 40) uint8: coarse patches, each crop its own."""
    import torch

    patches = np.random.default_rng(0).integers(0, 256, (n, 3, 5, 5)).astype(np.uint8)
    return torch.from_numpy(np.kron(patches, np.ones((8, 8), np.uint8)))
