"""The loop on InceptionResnetV1 itself, from random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[train]'")

from tests.train.conftest import made_up_crops  # noqa: E402

from mien.errors import TrainingRefused  # noqa: E402
from mien.train.encoder import FeatureEncoder, new_net  # noqa: E402
from mien.train.trainer import Trainer, TrainSettings  # noqa: E402
from mien.train.views import ViewSettings  # noqa: E402

SIDE = 80  # the smallest that the net takes


def trainer(folder: Path, **options: Any) -> Trainer:
    options = {"steps": 3, "batch": 4, "rate": 1e-3, "part": "all"} | options
    return Trainer(
        FeatureEncoder(new_net(0), "all"),
        made_up_crops(),
        TrainSettings(views=ViewSettings(side=SIDE), **options),
        dims=512,
        folder=folder,
        clock=lambda: 0.0,
    )


def test_a_resumed_run_equals_the_straight_one_bit_for_bit(
    tmp_path: Path, one_thread: None
) -> None:
    straight = trainer(tmp_path / "straight")
    straight.run()
    trainer(tmp_path / "broken").run(stop_after=2)
    resumed = trainer(tmp_path / "broken")
    resumed.run(resume=True)
    expected = straight.byol.state_dict()
    for name, value in resumed.byol.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_without_predictor_and_target_it_is_refused_as_collapsed(tmp_path: Path) -> None:
    collapsing = trainer(tmp_path, steps=80, batch=8, with_predictor=False, with_target=False)
    with pytest.raises(TrainingRefused, match="the projections have coll"):
        collapsing.run()
