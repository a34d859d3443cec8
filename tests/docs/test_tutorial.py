"""The tutorial's commands and programs run as they stand, one after the other, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.lab.recapture import recapture
from mien.results import ByteArray

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
HANG_TIMEOUT_S = 300.0

if not TUTORIAL.is_file():
    pytest.skip("needs the documents: run the tests from a checkout", allow_module_level=True)


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, astronaut: ByteArray) -> Path:
    """photos/anna, photos/ben and probe.jpg, as the tutorial wants them; ben is a mirrored anna."""
    rng = np.random.default_rng(3)
    for name in ("photos/anna/1", "photos/anna/2", "photos/anna/3", "photos/ben/1", "probe"):
        taken = recapture(astronaut, rng)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shown = taken[:, ::-1] if "ben" in name else taken
        Image.fromarray(shown).save(tmp_path / f"{name}.jpg", quality=92)
    return tmp_path


@pytest.fixture
def user(folder: Path) -> dict[str, str]:
    """The environment of a user with `mien` on the PATH and nothing stored yet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    bin_folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([bin_folder, os.environ["PATH"]])
    homes = {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("DATA", "CONFIG", "STATE")}
    return kept | homes | {"PATH": path}


def run(command: list[str], folder: Path, user: dict[str, str]) -> str:
    ran = subprocess.run(
        command, cwd=folder, env=user, capture_output=True, text=True, timeout=HANG_TIMEOUT_S
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_its_story_runs_from_photos_to_a_lock(folder: Path, user: dict[str, str]) -> None:
    pytest.importorskip("matplotlib", reason="draws charts: pip install '.[lab]'")
    own_face = next(block for block in code("sh") if "mien enroll anna photos" in block)
    assert "it is anna" in run(["bash", "-ec", own_face], folder, user)
    told = run([sys.executable, "-c", "\n".join(code("python"))], folder, user)
    assert "(4, 128)" in told
    assert "unlocked 0." in told
    assert told.endswith("open\n")
    mirrored = [float(one) for one in re.findall(r"0\.\d+", told.split("[")[1].split("]")[0])]
    assert len(mirrored) == 4
    assert min(mirrored) > 0.6
    for name in ("faces", "similarity", "map"):
        with Image.open(folder / f"{name}.png") as drawn:
            assert drawn.width > 100


def test_its_commands_are_commands_of_mien() -> None:
    from mien.cli.parser import build_parser

    parser = build_parser()
    lines = [part.strip() for block in code("sh") for part in re.split(r"\n|&&", block)]
    asked = [line.split(" ")[1:] for line in lines if line.startswith("mien ")]
    assert len(asked) >= 8
    for words in asked:
        parser.parse_args(words)
