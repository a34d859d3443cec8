"""`mien models add`: torch is needed once, and what is kept is what was checked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.app.pipeline import open_pipeline
from mien.cli.commands import models as models_commands
from mien.errors import ExitCode, MissingExtra, ModelAltered, ModelMissing, UsageError
from mien.models import ADDED_ROWS, EMBEDDERS
from mien.models.add import AGREEMENT, Added, add_model
from mien.models.added import read_record, record_path
from mien.results import Crop
from mien.settings import Settings, load_settings

CASIA = "facenet-casia-webface"
VGGFACE2 = "facenet-vggface2"
Add = Callable[..., Added]


@pytest.fixture(scope="module")
def weights(
    fixed_weights: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A published file of fixed weights."""
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    path = tmp_path_factory.mktemp("weights") / EMBEDDERS[CASIA].model.file_name
    torch.save({n: torch.from_numpy(np.array(a)) for n, a in fixed_weights.items()}, path)
    yield path
    path.unlink()  # 94 MB


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings with an empty store and an empty cache."""
    made = replace(settings, data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")
    yield made
    for graph in tmp_path.rglob("*.onnx"):
        graph.unlink()  # 94 MB


@pytest.fixture
def add(own: Settings) -> Add:
    def add_it(name: str, file: Path | None = None, settings: Settings = own) -> Added:
        return add_model(
            name,
            file=file,
            settings=settings,
            today=date(2020, 10, 13),
            rng=np.random.default_rng(1),
            tell=lambda done, total: None,
        )

    return add_it


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_converted_compared_and_stored(add: Add, own: Settings, weights: Path) -> None:
    added = add(CASIA, weights)
    assert added.record == read_record(EMBEDDERS[CASIA].model, own.data_dir)
    assert added.record.weights_sha256 == sha256_of(weights)
    assert added.record.added == "2020-10-13"
    assert "onnxruntime" in added.apart
    assert all(apart < AGREEMENT / 10 for apart in added.apart.values())


def test_from_then_on_torch_is_not_imported(
    own: Settings, settings: Settings, add: Add, weights: Path
) -> None:
    add(CASIA, weights)
    code = f"""
import sys
sys.modules["torch"] = None  # as where it is not installed
import numpy as np
from mien.app.pipeline import open_pipeline
from mien.results import Crop
from mien.settings import load_settings
pipeline = open_pipeline(load_settings(), {CASIA!r})
row = pipeline.embedder.row
vector = pipeline.embed([Crop(np.zeros((row.side, row.side, 3), np.uint8), row.recipe)])
print(vector.shape, pipeline.model.sha256)
"""
    home = own.data_dir.parent / "home"
    (home / "share").mkdir(parents=True)
    own.data_dir.rename(home / "share" / "mien")
    environment = {"HOME": str(home), "XDG_DATA_HOME": str(home / "share")}
    environment |= {"XDG_CACHE_HOME": str(settings.cache_dir.parent)}  # the detector's graphs
    environment |= {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.stdout.split(") ") == ["(1, 512", sha256_of(weights) + "\n"], ran.stderr


def test_where_no_sum_is_published_the_first_file_s_holds(
    add: Add, own: Settings, weights: Path, tmp_path: Path
) -> None:
    add(CASIA, weights)
    other = tmp_path / "other.pt"
    other.write_bytes(b"other weights")
    with pytest.raises(ModelAltered, match="first added was") as caught:
        add(CASIA, other)
    assert repr(str(record_path(EMBEDDERS[CASIA].model, own.data_dir))) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert add(CASIA, weights).record.weights_sha256 == sha256_of(weights)


def test_where_the_sum_is_published_another_file_is_refused(
    add: Add, own: Settings, weights: Path
) -> None:
    with pytest.raises(ModelAltered, match="expected 281cebca8662"):
        add(VGGFACE2, weights)
    assert not own.data_dir.exists()


def test_the_folder_mien_models_is_looked_into(add: Add, own: Settings, weights: Path) -> None:
    added = add(CASIA, settings=replace(own, models_dir=weights.parent))
    assert added.record.weights_sha256 == sha256_of(weights)


def test_what_is_not_the_net_is_refused_and_nothing_is_stored(
    add: Add, own: Settings, tmp_path: Path, weights: Path
) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"no weights")
    with pytest.raises(ModelAltered, match="not one that torch reads"):
        add(CASIA, file)
    assert not own.data_dir.exists()


@pytest.mark.parametrize("name", ["none.pt", "a\nb.pt", "."])
def test_a_file_that_is_not_there_is_said_in_one_line(
    add: Add, tmp_path: Path, name: str, weights: Path
) -> None:
    with pytest.raises(UsageError, match="is not a file; pass --file") as caught:
        add(CASIA, tmp_path / name)
    assert "\n" not in str(caught.value)


def test_weights_without_a_published_sum_are_not_fetched(add: Add, weights: Path) -> None:
    with pytest.raises(ModelMissing, match="mien models add facenet-casia-webface --file"):
        add(CASIA)


@pytest.mark.parametrize(("name", "why"), [("sface", "comes with pip"), ("nosuch", "unknown")])
def test_another_name_is_refused_with_the_names_that_can_be_added(
    add: Add, name: str, why: str
) -> None:
    with pytest.raises(UsageError, match=f"{why}.*to add: facenet-vggface2, facenet-casia"):
        add(name)


def test_without_torch_the_error_is_the_pip_line(
    add: Add, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[torch\]'"):
        add(VGGFACE2)
    assert not own.cache_dir.exists()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Silence on the terminal."""


@pytest.fixture
def published(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts the fixed weights on an address of this machine, as VGGFace2's published file."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = partial(Quiet, directory=str(weights.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        model = replace(
            EMBEDDERS[VGGFACE2].model,
            url=f"http://127.0.0.1:{server.server_address[1]}/{weights.name}",
            size=weights.stat().st_size,
            sha256=sha256_of(weights),
        )

        def publish(**changes: Any) -> None:
            row = replace(EMBEDDERS[VGGFACE2], model=replace(model, **changes))
            monkeypatch.setitem(ADDED_ROWS, VGGFACE2, row)
            monkeypatch.setitem(EMBEDDERS, VGGFACE2, row)

        yield publish
        server.shutdown()
        thread.join()


def test_a_published_file_is_fetched_converted_and_not_kept(
    add: Add, own: Settings, settings: Settings, published: Callable[..., None]
) -> None:
    published()
    add(VGGFACE2)
    pipeline = open_pipeline(replace(own, cache_dir=settings.cache_dir), VGGFACE2)
    assert pipeline.threshold.value == 0.8
    assert pipeline.embed([Crop(np.zeros((160, 160, 3), np.uint8), "margin160+18")]).shape[1] == 512
    assert list((own.cache_dir / "downloads").iterdir()) == []


def test_a_fetched_file_of_another_hash_is_refused_and_not_kept(
    add: Add, own: Settings, published: Callable[..., None]
) -> None:
    published(sha256="0" * 64)
    with pytest.raises(ModelAltered, match="gave another file"):
        add(VGGFACE2)
    assert not own.data_dir.exists()
    assert list((own.cache_dir / "downloads").iterdir()) == []


def test_the_command_says_what_it_did_and_models_then_lists_it(home: Path, weights: Path) -> None:
    before = models_commands.list_models(Namespace())
    assert {row["state"] for row in rows_of(before.data)} == {"not added"}
    assert before.exit_code is ExitCode.OK

    answer = models_commands.add(Namespace(model=CASIA, file=weights))
    assert answer.exit_code is ExitCode.OK
    assert answer.lines[0] == f"added {CASIA}, weights {sha256_of(weights)[:12]}"
    json.dumps(answer.data)

    after = models_commands.list_models(Namespace())
    assert {row["name"]: row["state"] for row in rows_of(after.data)}[CASIA] == "ok"

    graph = next((load_settings().data_dir / "models").glob("*.onnx"))
    graph.write_bytes(b"altered")
    broken = models_commands.list_models(Namespace())
    assert {row["name"]: row["state"] for row in rows_of(broken.data)}[CASIA] == "altered"
    assert broken.exit_code is ExitCode.MODEL_UNAVAILABLE


def rows_of(data: dict[str, Any]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = data["added"]
    return rows
