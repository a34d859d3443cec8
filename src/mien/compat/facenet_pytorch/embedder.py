"""`InceptionResnetV1` with facenet-pytorch's arguments and mien's store of weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mien.errors import ModelMissing
from mien.models import EMBEDDERS
from mien.models.added import state_of_added
from mien.models.state_dict import unpack_state
from mien.nets.inception_resnet_v1 import CLASSIFIER, DIMS
from mien.nets.inception_resnet_v1 import InceptionResnetV1 as Net
from mien.settings import load_settings

PRETRAINED = {
    "vggface2": ("facenet-vggface2", 8631),
    "casia-webface": ("facenet-casia-webface", 10575),
}
"""Name of the data set: the row of the model table, and the people in the data set."""


class InceptionResnetV1(Net):
    """The article's embedder as facenet-pytorch 2.6 offers it, under the same layer names.

    pretrained: None, "vggface2" or "casia-webface"; the weights come from mien's store.
    classify: `forward` gives logits; otherwise (n, 512) unit rows.
    num_classes: size of a fresh classifier layer; None for that of the data set.
    dropout_prob: share of the pooled features that training drops, 0..1.
    device: where the layers are moved to; None leaves them on the CPU.

    Like every torch module it starts in training mode; call `.eval()` to embed.
    Raises ValueError for an unknown data set or for `classify` without classes; ModelMissing
    (it names the command that adds the weights) or ModelAltered.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        classify: bool = False,
        num_classes: int | None = None,
        dropout_prob: float = 0.6,
        device: Any = None,
    ) -> None:
        if pretrained is not None and pretrained not in PRETRAINED:
            known = " and ".join(map(repr, PRETRAINED))
            raise ValueError(f"no weights are published for {pretrained!r}; choose one of {known}")
        fresh = num_classes if classify else None
        published = PRETRAINED[pretrained][1] if pretrained else fresh
        super().__init__(n_classes=published, classify=classify, dropout_prob=dropout_prob)
        if pretrained:
            self._load_published(pretrained, need_classifier=classify and fresh is None)
            if fresh is not None:
                self.logits = nn.Linear(DIMS, fresh)
        self.pretrained, self.num_classes = pretrained, num_classes
        if device is not None:
            self.to(device)

    @property
    def device(self) -> torch.device:
        """Where the weights are. Setting it moves them, as `.to` does."""
        return self.last_linear.weight.device

    @device.setter
    def device(self, device: Any) -> None:
        self.to(device)

    def _load_published(self, pretrained: str, *, need_classifier: bool) -> None:
        row = EMBEDDERS[PRETRAINED[pretrained][0]].model
        arrays = unpack_state(state_of_added(row, load_settings().data_dir))
        state = {name: torch.from_numpy(array) for name, array in arrays.items()}
        zeros = {CLASSIFIER + "weight": self.logits.weight, CLASSIFIER + "bias": self.logits.bias}
        if not zeros.keys() <= state.keys():
            if need_classifier:
                file = row.torch_file_name or row.file_name
                raise ModelMissing(
                    f"the weights of {row.name} were added without their classifier; pass "
                    f"num_classes, or get {file} and run: mien models add {row.name} --file {file}"
                )
            # the layer has a name, but nothing uses it
            state |= {name: torch.zeros_like(tensor) for name, tensor in zeros.items()}
        self.load_state_dict(state)
