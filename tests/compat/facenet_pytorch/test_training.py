"""`mien.facenet_pytorch.training`: helpers for training loops."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'mien[torch]'")

from mien.facenet_pytorch import training  # noqa: E402 - imports torch

BATCHES = [
    (torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]])),
    (torch.tensor([[3.0], [4.0]]), torch.tensor([[6.0], [8.0]])),
]


class Writer:
    """Keeps what a tensorboard writer is given."""

    iteration, interval = 0, 2

    def __init__(self) -> None:
        self.written: list[tuple[Any, ...]] = []

    def add_scalars(self, *values: Any) -> None:
        self.written.append(values)


def line() -> torch.nn.Linear:
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(net.weight, 1.0)
    return net


def test_accuracy_is_the_share_of_correct_rows() -> None:
    logits = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    assert training.accuracy(logits, torch.tensor([1, 0, 1, 1])) == 0.75


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 2.0),
        ({"rate": False}, 0.5),
        ({"per_sample": False}, 0.5),
        ({"rate": False, "per_sample": False}, 2.0),
    ],
    ids=str,
)
def test_the_timer_counts_since_its_last_call(options: dict[str, bool], expected: float) -> None:
    ticks = iter([0.0, 5.0, 7.0])
    timer = training.BatchTimer(**options, clock=lambda: next(ticks))
    timer(torch.zeros(1), torch.zeros(1))
    assert timer(torch.zeros(4), torch.zeros(4)) == expected


def test_a_pass_in_evaluation_gives_mean_loss_and_metrics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    net = line().eval()
    metrics = {"largest": lambda given, wanted: wanted.max()}
    writer = Writer()
    loss, means = training.pass_epoch(
        net, torch.nn.functional.l1_loss, BATCHES, batch_metrics=metrics, writer=writer
    )
    assert [(name, dict(values)) for name, values, _ in writer.written] == [
        ("loss", {"Valid": loss}),
        ("largest", {"Valid": 6.0}),
    ]
    assert loss == pytest.approx((1.5 + 3.5) / 2)
    assert means == {"largest": 6.0}
    assert net.weight.item() == 1.0
    printed = capsys.readouterr().out
    assert "Valid |     2/2    | loss:    2.5000 | largest:    6.0000" in printed
    assert printed.endswith("\n")


def test_a_pass_in_training_steps_optimizer_and_scheduler(
    capsys: pytest.CaptureFixture[str],
) -> None:
    net = line()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.1)
    writer = Writer()
    training.pass_epoch(
        net,
        torch.nn.functional.mse_loss,
        BATCHES,
        optimizer,
        scheduler,
        {},
        show_running=False,
        writer=writer,
    )
    assert 1.0 < net.weight.item() < 2.0
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.001)
    assert writer.iteration == 2
    assert [(name, step) for name, _, step in writer.written] == [("loss", 0)]
    assert "Train |     1/2    | loss:    2.5000" in capsys.readouterr().out


def test_a_pass_without_batches_or_optimizer_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no batch"):
        training.pass_epoch(line().eval(), torch.nn.functional.mse_loss, [])
    with pytest.raises(ValueError, match="optimizer"):
        training.pass_epoch(line(), torch.nn.functional.mse_loss, BATCHES)
