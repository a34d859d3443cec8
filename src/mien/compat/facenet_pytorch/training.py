"""Helpers for training loops, under the names of `facenet_pytorch.training`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Metric = Callable[[Tensor, Tensor], Tensor]
"""Predictions and labels of a batch -> a number."""


class Logger:
    """Prints the loss and the metrics of a batch on one line, over the line before.

    mode: the line's title. length: batches of an epoch. calculate_mean: the numbers given are
    sums over the batches so far, to be shown as means.
    """

    def __init__(self, mode: str, length: int, calculate_mean: bool = False) -> None:
        self.mode, self.length, self.calculate_mean = mode, length, calculate_mean

    def __call__(self, loss: Any, metrics: Mapping[str, Any], i: int) -> None:
        """i: number of the batch, from 0."""
        share = i + 1 if self.calculate_mean else 1
        shown = {"loss": loss, **metrics}
        numbers = " | ".join(f"{name}: {value / share:9.4f}" for name, value in shown.items())
        last = i + 1 == self.length
        line = f"\r{self.mode} | {i + 1:5d}/{self.length:<5d}| {numbers}   "
        print(line, end="\n" if last else "", flush=True)


class BatchTimer:
    """A metric: samples a second since the last call.

    rate: a rate instead of seconds. per_sample: of samples instead of batches.
    clock: seconds, from any start.
    """

    def __init__(
        self,
        rate: bool = True,
        per_sample: bool = True,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.rate, self.per_sample = rate, per_sample
        self._clock = clock
        self.start = clock()

    def __call__(self, y_pred: Tensor, y: Tensor) -> Tensor:
        now = self._clock()
        seconds, self.start = now - self.start, now
        if self.per_sample:
            seconds /= len(y_pred)
        return torch.tensor(1 / seconds if self.rate else seconds)


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of the rows of logits (n, classes) whose highest is that of the label (n,)."""
    return (logits.argmax(dim=1) == y).float().mean()


def pass_epoch(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    loader: Any,
    optimizer: Any = None,
    scheduler: Any = None,
    batch_metrics: Mapping[str, Metric] | None = None,
    show_running: bool = True,
    device: Any = "cpu",
    writer: Any = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run `model` once over `loader`; train it if it is in training mode.

    loader: gives batches (inputs, labels) and has a length. optimizer, scheduler: stepped
    in training, after each batch and after the epoch. batch_metrics: by name; None is the
    samples a second. show_running: print means over the epoch so far instead of the batch's
    numbers. writer: a tensorboard SummaryWriter with attributes `iteration` and `interval`.

    Returns the mean loss over the batches and the mean of each metric. ValueError if the
    loader is empty, or if there is no optimizer to train with.
    """
    if model.training and optimizer is None:
        raise ValueError("a model in training mode needs an optimizer; pass one, or model.eval()")
    epoch = _Epoch("Train" if model.training else "Valid", len(loader), show_running, writer)
    metrics = {"time": BatchTimer()} if batch_metrics is None else batch_metrics
    for inputs, labels in loader:
        batch = inputs.to(device), labels.to(device)
        epoch.add(_run_batch(model, loss_fn, *batch, optimizer, metrics))
    if model.training and scheduler is not None:
        scheduler.step()
    return epoch.end()


def collate_pil(x: Iterable[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    """Samples (image, label) as a list of images and a list of labels, for `DataLoader`."""
    pairs = list(x)
    return [image for image, _ in pairs], [label for _, label in pairs]


def _run_batch(
    model: nn.Module,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    optimizer: Any,
    metrics: Mapping[str, Metric],
) -> dict[str, Tensor]:
    """Loss and metrics of one batch, on the CPU; a step of the optimizer in training."""
    predicted = model(inputs)
    loss = loss_fn(predicted, labels)
    if model.training:
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    measured = {name: metric(predicted, labels) for name, metric in metrics.items()}
    return {name: value.detach().cpu() for name, value in {"loss": loss, **measured}.items()}


class _Epoch:
    """Adds up the numbers of an epoch's batches, prints them and writes them."""

    def __init__(self, mode: str, length: int, show_running: bool, writer: Any) -> None:
        self._mode, self._show_running, self._writer = mode, show_running, writer
        self._log = Logger(mode, length, calculate_mean=show_running)
        self._totals: dict[str, Tensor] = {}
        self._done = 0

    def add(self, numbers: Mapping[str, Tensor]) -> None:
        self._totals = {name: self._totals.get(name, 0) + numbers[name] for name in numbers}
        writer = self._writer
        if writer is not None and self._mode == "Train":
            if writer.iteration % writer.interval == 0:
                self._write(numbers)
            writer.iteration += 1
        shown = dict(self._totals if self._show_running else numbers)
        self._log(shown.pop("loss"), shown, self._done)
        self._done += 1

    def end(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss and mean of each metric. ValueError without a batch."""
        if self._done == 0:
            raise ValueError("the loader gives no batch; check the data set")
        means = {name: total / self._done for name, total in self._totals.items()}
        if self._writer is not None and self._mode == "Valid":
            self._write(means)
        loss = means.pop("loss")
        return loss, means

    def _write(self, numbers: Mapping[str, Tensor]) -> None:
        step = getattr(self._writer, "iteration", None)
        for name, value in numbers.items():
            self._writer.add_scalars(name, {self._mode: value}, step)
