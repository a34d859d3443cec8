"""The loop over steps: views, loss, gradients, target; checkpoints, a log, and guards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mien.train.byol import Byol
from mien.train.checkpoint import NAME, load_checkpoint, save_checkpoint
from mien.train.distributed import Group
from mien.train.guards import check_step
from mien.train.log import StepLog, StepRecord
from mien.train.schedule import batch_rows, rate_factor, target_momentum
from mien.train.views import ViewSettings, make_views

HEADS_RATE = 1e-3  # the heads start from chance whatever the net starts from
WEIGHT_DECAY = 1e-4
CHECKPOINT_STEPS = 100
Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What a run is; two runs with equal settings and crops are equal.

    rate: full learning rate of the net. heads_first: steps in which only the heads learn.
    start: which weights the net starts from, in words. with_predictor, with_target: see `Byol`.
    """

    steps: int
    batch: int = 64
    rate: float = 3e-5
    seed: int = 0
    part: Literal["last", "all"] = "last"
    heads_first: int = 0
    precision: Precision = "fp32"
    start: str = ""
    views: ViewSettings = field(default_factory=ViewSettings)
    with_predictor: bool = True
    with_target: bool = True


class Trainer:
    """A run of BYOL. encoder: (n, 3, side, side) -> (n, dims), trained in place.

    crops: (n, 3, side, side) uint8 RGB. folder: for the checkpoint and the log. tell: called
    with each step's record. clock: seconds. stop_after: steps after which to stop early, as
    an interrupt would.
    """

    def __init__(
        self,
        encoder: nn.Module,
        crops: Tensor,
        settings: TrainSettings,
        *,
        dims: int,
        folder: Path,
        clock: Callable[[], float],
        tell: Callable[[StepRecord], None] = lambda record: None,
        device: str = "cpu",
        group: Group | None = None,
    ) -> None:
        self.settings = settings
        self._crops, self._device = crops.to(device), torch.device(device)
        self._folder, self._clock, self._tell = folder, clock, tell
        self._group = group or Group()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.byol = Byol(
                encoder,
                dims=dims,
                with_predictor=settings.with_predictor,
                with_target=settings.with_target,
            )
        self.byol.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.byol.train()
        self._optimiser = self._make_optimiser()

    def run(self, *, resume: bool = False, stop_after: int | None = None) -> None:
        """Train up to the last step. Raises TrainingRefused, and UsageError for a bad resume."""
        first = self._load() if resume else 0
        log = StepLog(self._folder, first, writes=self._group.is_first)
        model = self._distributed()
        last = min(self.settings.steps, stop_after or self.settings.steps)
        for step in range(first, last):
            started = self._clock()
            loss, spread = self._step(model, step)
            record = StepRecord(
                step=step,
                loss=loss,
                spread=spread,
                rate=self._rate(step),
                momentum=target_momentum(step, self.settings.steps),
                images_per_s=self.settings.batch / max(1e-9, self._clock() - started),
            )
            log.write(record)
            self._tell(record)
            check_step(step, loss, spread)
            if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == last:
                self._save(step + 1)

    def _step(self, model: nn.Module, step: int) -> tuple[float, float]:
        s = self.settings
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate(step) if group["of_net"] else self._heads_rate(step)
        rows = batch_rows(step, n=len(self._crops), batch=s.batch, seed=s.seed)
        mine = rows[self._group.rank :: self._group.size]
        crops = self._crops[torch.from_numpy(mine).to(self._device)]
        draw = torch.Generator().manual_seed(_seed(s.seed, step, self._group.rank))
        first, second = (make_views(crops, s.views, draw) for _ in range(2))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=s.precision == "bf16"):
            found = model(_last(first), _last(second))
        self._optimiser.zero_grad(set_to_none=True)
        found.loss.backward()
        self._optimiser.step()
        self.byol.update_target(target_momentum(step, s.steps))
        return self._group.mean(found.loss.item()), self._group.mean(found.spread.item())

    def _rate(self, step: int) -> float:
        factor = rate_factor(step, self.settings.steps, start=self.settings.heads_first)
        return self.settings.rate * factor

    def _heads_rate(self, step: int) -> float:
        return HEADS_RATE * rate_factor(step, self.settings.steps)

    def _make_optimiser(self) -> torch.optim.AdamW:
        """Weight matrices decay; biases and batch norms do not."""
        groups = []
        heads = [*self.byol.projector.parameters(), *self.byol.predictor.parameters()]
        for of_net, parameters in ((True, list(self.byol.encoder.parameters())), (False, heads)):
            learnt = [p for p in parameters if p.requires_grad]
            for decay, some in (
                (WEIGHT_DECAY, [p for p in learnt if p.ndim > 1]),
                (0.0, [p for p in learnt if p.ndim <= 1]),
            ):
                groups.append({"params": some, "weight_decay": decay, "of_net": of_net})
        return torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0)

    def _distributed(self) -> nn.Module:
        return DistributedDataParallel(self.byol) if self._group.size > 1 else self.byol

    def _save(self, step: int) -> None:
        if self._group.is_first:
            state = {"byol": self.byol.state_dict(), "optimiser": self._optimiser.state_dict()}
            save_checkpoint(self._folder / NAME, step, self._identity(), state)
        self._group.wait()

    def _load(self) -> int:
        step, state = load_checkpoint(self._folder / NAME, self._identity())
        self.byol.load_state_dict(state["byol"])
        self._optimiser.load_state_dict(state["optimiser"])
        return step

    def _identity(self) -> str:
        """SHA-256 of what makes two runs equal."""
        digest = hashlib.sha256(json.dumps(asdict(self.settings), sort_keys=True).encode())
        digest.update(np.array([*self._crops.shape, self._group.size], np.int64).tobytes())
        digest.update(self._crops.cpu().numpy().tobytes())
        return digest.hexdigest()


def _seed(*parts: int) -> int:
    """A seed of its own for each step and process."""
    return int(np.random.default_rng(parts).integers(2**63))


def _last(views: Tensor) -> Tensor:
    """The layout in which convolutions are fastest."""
    return views.contiguous(memory_format=torch.channels_last)
