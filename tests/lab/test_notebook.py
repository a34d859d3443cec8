"""`notebooks/face_unlock.ipynb`: committed without outputs, and it runs from top to bottom."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import mien
from mien.lab.plots.style import LOCKED, UNLOCKED
from mien.results import ByteArray
from mien.settings import Settings

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "face_unlock.ipynb"
NEEDED = ("IPython", "ipykernel", "ipywidgets", "matplotlib", "nbclient", "nbformat")

RUN = """
import sys
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell(sys.stdin.read(), id="report"))
place = {"metadata": {"path": "."}}
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
nbformat.write(notebook, "executed.ipynb")
"""
"""In a process of its own: Jupyter's event loops and warnings are not to be those of the tests."""

REPORT = """
import io, json
choice, verdict, card = chooser.children
said = {}
for path in probes:
    choice.value = path
    with PILImage.open(io.BytesIO(card.value)) as picture:
        said[path.name] = [verdict.value, "#%02x%02x%02x" % picture.convert("RGB").getpixel((4, 4))]
made = {n: [bool(d), float(d.similarity), int(d.outcome.exit_code)] for n, d in decisions.items()}
print(json.dumps({"owner": owner, "faces": len(analysed.crops), "made": made, "said": said}))
"""
"""A last cell, run in the notebook's own kernel: its decisions, and a walk through its chooser."""


def notebook() -> Any:
    if not NOTEBOOK.is_file():
        pytest.skip(f"needs {NOTEBOOK.name}: run the tests from a checkout")
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def executed(
    folder: Path, *, model: str = "sface", **environment: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the notebook in `folder`; gives its outputs by cell, and what the last cell reports."""
    chosen = json.dumps(notebook()).replace(r"model = \"sface\"", rf"model = \"{model}\"")
    assert chosen.count(rf"model = \"{model}\"") == 1
    source = folder / "face_unlock.ipynb"
    source.write_text(chosen, encoding="utf-8")
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}: pip install '.[test]'")
    quiet = {
        "JUPYTER_PLATFORM_DIRS": "1",
        # a Jupyter of the user's must not lend its kernels or settings
        **{name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "IPYTHONDIR")},
        "PYTHONPATH": str(Path(mien.__file__).parents[1]),
    }
    ran = subprocess.run(
        [sys.executable, "-c", RUN, str(source)],
        input=REPORT,
        cwd=folder,
        env={**os.environ, **quiet, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    cells = json.loads((folder / "executed.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = {cell["id"]: cell["outputs"] for cell in cells if cell["cell_type"] == "code"}
    return outputs, json.loads("".join(outputs["report"][0]["text"]))


def shows(outputs: dict[str, Any], kind: str) -> set[str]:
    """The cells that put out something of this MIME type."""
    return {
        name for name, parts in outputs.items() if any(kind in p.get("data", {}) for p in parts)
    }


# as it is committed ------------------------------------------------------------------------


def test_the_notebook_is_committed_without_outputs() -> None:
    """They would show faces, and figures of somebody's machine."""
    for cell in notebook()["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
        assert cell["metadata"] == {}
        assert "attachments" not in cell
    assert set(notebook()["metadata"]) == {"kernelspec", "language_info"}


def test_the_notebook_draws_through_mien() -> None:
    source = "".join("".join(cell["source"]) for cell in notebook()["cells"])
    assert "matplotlib" not in source
    assert "torch" not in source.replace("torchvision's", "").replace("torch's", "")


# as it runs --------------------------------------------------------------------------------


def test_the_notebook_runs_on_the_small_demo(
    home: Path, tmp_path: Path, astronaut: ByteArray
) -> None:
    place = tmp_path / "a" / "b"  # with no photos nearby
    place.mkdir(parents=True)
    outputs, report = executed(place)
    assert report["owner"] == "eileen_collins"
    assert report["faces"] == 4
    her, cat = report["made"]["held_out.png"], report["made"]["cat.png"]
    assert her[0] is True
    assert her[1] > 0.8
    assert cat[0] is False
    assert math.isnan(cat[1])
    assert cat[2] == 3  # no face
    line, colour = report["said"]["held_out.png"]
    assert "held_out.png: unlocked<" in line
    assert colour == UNLOCKED
    line, colour = report["said"]["cat.png"]
    assert "cat.png: locked<" in line
    assert colour == LOCKED
    assert shows(outputs, "image/png") == {"find", "similarity", "map"}
    assert shows(outputs, "application/vnd.jupyter.widget-view+json") == {"choose"}
    assert list(place.rglob("*.png")) == []  # the charts were drawn in a temporary folder


def test_the_notebook_decides_the_probes_of_the_article(
    home: Path, tmp_path: Path, shared_photos: Path
) -> None:
    _, report = executed(tmp_path, MIEN_PHOTOS=str(shared_photos))
    assert report["owner"] == "me"
    assert report["faces"] == 8
    assert [name for name, made in report["made"].items() if made[0]] == ["me_test.jpg"]
    assert len(report["made"]) == 4
    for name, (accepted, similarity, _) in report["made"].items():
        line, colour = report["said"][name]
        assert f"{name}: {'unlocked' if accepted else 'locked'}<" in line
        assert colour == (UNLOCKED if accepted else LOCKED)
        assert f"similarity {similarity:.3f}, threshold 0.4" in line


def test_the_notebook_decides_the_probes_of_the_article_with_its_net(
    home: Path, tmp_path: Path, shared_photos: Path, real_webface: Settings
) -> None:
    own = home / ".local" / "share" / "mien"
    shutil.rmtree(own)
    own.symlink_to(real_webface.data_dir)
    _, report = executed(tmp_path, model="facenet-casia-webface", MIEN_PHOTOS=str(shared_photos))
    assert report["owner"] == "me"
    assert [name for name, made in report["made"].items() if made[0]] == ["me_test.jpg"]
    for name, (_, similarity, _) in report["made"].items():
        line, _ = report["said"][name]
        assert f"similarity {similarity:.3f}, threshold 0.5" in line


def test_the_notebook_holds_a_photo_out_if_there_are_no_probes(
    home: Path, tmp_path: Path, shared_photos: Path
) -> None:
    _, report = executed(tmp_path, MIEN_PHOTOS=str(shared_photos / "faces"))
    accepted = {name: made[0] for name, made in report["made"].items()}
    assert len(accepted) == 3
    assert [name for name, yes in accepted.items() if yes] == ["me_3.jpg"]
