"""The loop, on a small encoder: it repeats, resumes bit for bit, and stops when it must."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[train]'")

from mien.errors import TrainingRefused, UsageError  # noqa: E402
from mien.train.byol import Byol, spread_of  # noqa: E402
from mien.train.guards import check_step  # noqa: E402
from mien.train.log import read_log  # noqa: E402

Make = Callable[..., Any]


def weights(trainer: Any) -> list[torch.Tensor]:
    return [value.clone() for value in trainer.byol.state_dict().values()]


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_run_repeats_with_its_seed_and_differs_with_another(
    make_trainer: Make, one_thread: None
) -> None:
    found = []
    for seed in (5, 5, 6):
        trainer = make_trainer(seed=seed)
        trainer.run()
        found.append(weights(trainer))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


def test_a_resumed_run_equals_the_straight_one_bit_for_bit(
    make_trainer: Make, tmp_path: Path, one_thread: None
) -> None:
    straight = make_trainer(folder=tmp_path / "straight")
    straight.run()
    make_trainer(folder=tmp_path / "broken").run(stop_after=2)
    resumed = make_trainer(folder=tmp_path / "broken")
    resumed.run(resume=True)
    assert equal(weights(straight), weights(resumed))
    assert [one.step for one in read_log(tmp_path / "broken")] == [0, 1, 2, 3, 4, 5]
    assert read_log(tmp_path / "broken") == read_log(tmp_path / "straight")


def test_lines_after_the_checkpoint_are_dropped_when_resuming(
    make_trainer: Make, tmp_path: Path
) -> None:
    make_trainer().run(stop_after=3)
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write(json.dumps(json.loads('{"step": 3, "loss": 1}')) + '\n{"step": 4, "lo')
    make_trainer().run(resume=True)
    assert [one.step for one in read_log(tmp_path)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("options", [{"seed": 9}, {"steps": 7}, {"rate": 1e-4}])
def test_a_checkpoint_of_another_run_is_refused(make_trainer: Make, options: dict) -> None:
    make_trainer().run(stop_after=1)
    with pytest.raises(UsageError, match="of a run with other options or photos"):
        make_trainer(**options).run(resume=True)


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint"])
def test_a_missing_or_damaged_checkpoint_is_an_error_in_words(
    make_trainer: Make, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(UsageError, match="leave out --resume"):
        make_trainer().run(resume=True)


def test_the_loss_falls(make_trainer: Make, one_thread: None) -> None:
    records: list[Any] = []
    make_trainer(steps=40, tell=records.append).run()
    assert records[-1].loss < 0.7 * records[0].loss
    assert records[-1].spread > 0.5


def test_without_predictor_and_target_it_is_refused_as_collapsed(
    make_trainer: Make, one_thread: None
) -> None:
    with pytest.raises(TrainingRefused, match=r"stopped at step 5\d: the projections have coll"):
        make_trainer(steps=80, with_predictor=False, with_target=False).run()


def test_a_loss_that_is_not_a_number_stops_the_run_before_a_checkpoint(
    make_trainer: Make, tmp_path: Path
) -> None:
    trainer = make_trainer()
    with torch.no_grad():
        trainer.byol.encoder[0].weight[0] = float("nan")
    with pytest.raises(TrainingRefused, match="step 0: the loss is not a number"):
        trainer.run()
    assert not (tmp_path / "checkpoint.pt").exists()
    assert '"loss": null' in (tmp_path / "train.jsonl").read_text()


def test_a_low_spread_counts_from_step_50_on() -> None:
    check_step(49, 1.0, 0.01)
    check_step(50, 1.0, 0.1)
    with pytest.raises(TrainingRefused, match=r"their spread is 0\.099"):
        check_step(50, 1.0, 0.099)


def test_only_the_heads_learn_at_first(make_trainer: Make) -> None:
    trainer = make_trainer(heads_first=3)
    net = [p.clone() for p in trainer.byol.encoder.parameters()]
    heads = [p.clone() for p in trainer.byol.projector.parameters()]
    trainer.run(stop_after=3)
    assert equal(net, list(trainer.byol.encoder.parameters()))
    assert not equal(heads, list(trainer.byol.projector.parameters()))
    trainer = make_trainer(heads_first=3)
    trainer.run()
    assert not equal(net, list(trainer.byol.encoder.parameters()))


def test_the_target_moves_by_what_the_momentum_leaves() -> None:
    byol = Byol(torch.nn.Linear(4, 4), dims=4)
    before = byol.target[0].weight.clone()
    with torch.no_grad():
        byol.encoder.weight += 1.0
    byol.update_target(0.75)
    torch.testing.assert_close(byol.target[0].weight, before + 0.25)


def test_the_loss_is_zero_where_each_view_predicts_the_other() -> None:
    byol = Byol(torch.nn.Identity(), dims=4, with_predictor=False)
    byol.projector = torch.nn.Identity()
    byol.target = torch.nn.Identity()
    first = torch.eye(4)
    assert byol(first, 2 * first).loss == pytest.approx(0.0, abs=1e-6)
    assert byol(first, -first).loss == pytest.approx(8.0)
    assert byol(first, first.roll(1, 0)).loss == pytest.approx(4.0)


def test_the_spread_is_one_for_even_directions_and_zero_for_equal_ones() -> None:
    even = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
    assert spread_of(even) == pytest.approx(1.0, abs=0.02)
    assert spread_of(torch.ones(10, 64)) == 0.0
