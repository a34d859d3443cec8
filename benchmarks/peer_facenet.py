"""Open the MTCNN of facenet-pytorch, with or without torchvision.

It needs two functions of torchvision. If torchvision is not installed, this module provides
them, written from its documentation; everything else is the code of facenet-pytorch.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any


def open_facenet_mtcnn(threads: int, **options: Any) -> Any:
    """A facenet_pytorch.MTCNN on the CPU with this many torch threads."""
    import torch

    torch.set_num_threads(threads)
    if importlib.util.find_spec("torchvision") is None:
        _provide_torchvision()
    from facenet_pytorch.models.mtcnn import MTCNN

    return MTCNN(device="cpu", **options)


def _provide_torchvision() -> None:
    import numpy as np
    import torch

    def nms(boxes: Any, scores: Any, limit: float) -> Any:
        order = scores.argsort(descending=True)
        boxes = boxes[order]
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
        high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        inter = (high - low).clamp(min=0).prod(dim=2)
        over = (inter > limit * (areas[:, None] + areas[None] - inter)).numpy()
        alive = np.ones(len(order), bool)
        for row in range(len(order)):
            if alive[row]:
                alive[row + 1 :] &= ~over[row, row + 1 :]
        return order[torch.from_numpy(np.flatnonzero(alive))]

    def batched_nms(boxes: Any, scores: Any, groups: Any, limit: float) -> Any:
        if boxes.numel() == 0:
            return torch.empty((0,), dtype=torch.int64)
        offsets = groups.to(boxes) * (boxes.max() + 1)
        return nms(boxes + offsets[:, None], scores, limit)

    def to_tensor(picture: Any) -> Any:
        return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy()).float() / 255

    modules = {
        name: types.ModuleType(name)
        for name in (
            "torchvision",
            "torchvision.transforms",
            "torchvision.transforms.functional",
            "torchvision.ops",
            "torchvision.ops.boxes",
        )
    }
    modules["torchvision.ops.boxes"].batched_nms = batched_nms  # type: ignore[attr-defined]
    functional = modules["torchvision.transforms.functional"]
    functional.to_tensor = to_tensor  # type: ignore[attr-defined]
    modules["torchvision.transforms"].functional = functional  # type: ignore[attr-defined]
    sys.modules.update(modules)
