"""The processes of a training under torchrun; one process alone is a group of one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from mien.errors import UsageError, quote


@dataclass(frozen=True, slots=True)
class Group:
    """rank: of this process, 0 first. size: how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def mean(self, value: float) -> float:
        """The mean of all processes' values."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        total = total.to(device)
        distributed.all_reduce(total)
        return float(total) / self.size

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            distributed.barrier()


def pick_device(name: str, environment: Mapping[str, str] | None = None) -> str:
    """The device of this process: `auto` is a GPU where torch has one. UsageError for none."""
    env = os.environ if environment is None else environment
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if not torch.cuda.is_available():
            raise UsageError("torch finds no GPU here; leave out --device")
        return f"cuda:{env.get('LOCAL_RANK', '0')}"
    if name != "cpu":
        raise UsageError(f"unknown --device {quote(name)}; choose auto, cpu or cuda")
    return name


@contextmanager
def joined_group(device: str, environment: Mapping[str, str] | None = None) -> Iterator[Group]:
    """The group that torchrun describes in the environment; left at the end."""
    env = os.environ if environment is None else environment
    size = int(env.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Group(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
