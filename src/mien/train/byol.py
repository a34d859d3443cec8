"""BYOL: a net learns to predict what a slow copy of itself makes of another view of the crop.

Grill, Strub, Altché, Tallec, Richemond and others, "Bootstrap your own latent: a new approach
to self-supervised learning", 2020. Loss, heads and the slow copy ("target") are as there; the
heads are smaller because the sets are. No labels and no negative pairs are used.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN, PROJECTED = 1024, 256


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one step found. loss: scalar tensor. spread: of the projections, see `spread_of`."""

    loss: Tensor
    spread: Tensor


class Byol(nn.Module):
    """The net that learns, its projector and predictor, and the target of both former.

    encoder: (n, 3, side, side) -> (n, dims). with_predictor, with_target: what keeps the
    projections apart; without both they collapse, which a test shows.
    """

    def __init__(
        self,
        encoder: nn.Module,
        *,
        dims: int,
        with_predictor: bool = True,
        with_target: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = make_head(dims, PROJECTED)
        self.predictor = make_head(PROJECTED, PROJECTED) if with_predictor else nn.Identity()
        self._with_target = with_target
        if with_target:
            self.target = nn.Sequential(copy.deepcopy(encoder), copy.deepcopy(self.projector))
            self.target.requires_grad_(False)

    def forward(self, first: Tensor, second: Tensor) -> Agreement:
        """Two views of each crop, (n, 3, side, side) standardised. The loss is 0..8, 0 is best."""
        n = len(first)
        projected = self.projector(self.encoder(torch.cat([first, second])))
        predicted = self.predictor(projected)
        if self._with_target:
            with torch.no_grad():
                wanted = self.target(torch.cat([first, second]))
        else:
            wanted = projected
        wanted = torch.cat([wanted[n:], wanted[:n]])  # each view predicts the other
        agree = functional.cosine_similarity(predicted.float(), wanted.float())
        # the mean over both directions, times two as in the paper, where the two are added
        return Agreement(2 * (2 - 2 * agree).mean(), spread_of(projected.detach()))

    @torch.no_grad()
    def update_target(self, momentum: float) -> None:
        """Move the target by 1 - momentum of the way to the net; batch statistics are its own."""
        if not self._with_target:
            return
        ours = [*self.encoder.parameters(), *self.projector.parameters()]
        for slow, own in zip(self.target.parameters(), ours, strict=True):
            slow.lerp_(own, 1 - momentum)


def spread_of(projected: Tensor) -> Tensor:
    """How far apart the directions of (n, d) projections are: 0 if equal, about 1 if even.

    The mean deviation of a coordinate of the unit rows, times the square root of d. The net's
    own embeddings can keep their spread while the projections collapse, so these are watched.
    """
    units = functional.normalize(projected.float(), dim=1)
    return units.std(dim=0).mean() * math.sqrt(units.shape[1])


def make_head(n_in: int, n_out: int) -> nn.Sequential:
    """A projector or predictor: linear, batch norm, ReLU, linear."""
    return nn.Sequential(
        nn.Linear(n_in, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, n_out)
    )
