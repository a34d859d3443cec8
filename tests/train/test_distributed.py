"""Two processes under torchrun train one net."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch: pip install '.[train]'")

from mien.errors import UsageError
from mien.train.distributed import pick_device

PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
from conftest import DIMS, made_up_crops, small_encoder
from mien.train.distributed import joined_group
from mien.train.trainer import Trainer, TrainSettings
from mien.train.views import ViewSettings

torch.set_num_threads(1)
folder = Path({folder!r})
settings = TrainSettings(steps=3, batch=16, rate=1e-3, part="all", views=ViewSettings(side=32))
with joined_group("cpu") as group:
    trainer = Trainer(small_encoder(), made_up_crops(), settings, dims=DIMS, folder=folder,
                      clock=lambda: 0.0, group=group)
    trainer.run()
    weights = [float(p.double().sum()) for p in trainer.byol.parameters()]
    (folder / f"rank{{group.rank}}.json").write_text(json.dumps(weights))
"""


def test_two_processes_end_with_one_net_and_one_log(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(tests=str(Path(__file__).parent), folder=str(tmp_path)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    running = [
        subprocess.Popen(
            [sys.executable, str(program)],
            env=os.environ | shared | {"RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
        )
        for rank in ("0", "1")
    ]
    for process in running:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said.decode()
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    assert ranks[0] == ranks[1]
    assert len((tmp_path / "train.jsonl").read_text().splitlines()) == 3


def test_a_device_that_is_not_there_is_an_error_in_words() -> None:
    assert pick_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="unknown --device 'tpu'; choose auto, cpu or cuda"):
        pick_device("tpu")
