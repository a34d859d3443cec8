"""The built wheel is typed: a user's program passes `mypy --strict` against it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import mien

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

PROGRAM = """
from pathlib import Path

import numpy as np
import numpy.typing as npt

import mien
from mien import {names}

unlock = FaceUnlock([Path("1.jpg"), b"...", np.zeros((9, 9, 3), np.uint8)], target_fmr=1e-4)
decision: Decision = unlock("probe.jpg")
is_me, similarity = decision
accepted: bool = bool(decision)
outcome: Outcome = decision.outcome
limit: Threshold = unlock.threshold
face: Face | None = decision.face
unlock.save("me.unlock")
again: FaceUnlock = FaceUnlock.load("me.unlock")

vectors: npt.NDArray[np.float32] = embed(["a.jpg", "b.jpg"])
same: Decision = compare("a.jpg", "b.jpg")
print(similarity_matrix(vectors), pca(vectors), read_image("a.jpg").shape)

with open_vault() as vault:
    kept: FaceVault = vault
    enrollment: Enrollment = vault.enroll("anna", ["1.jpg", "2.jpg"])
    found: Identification = vault.identify("probe.jpg")
    names: list[str] = vault.people()
    vault.rename("anna", "ann")
    try:
        data: dict[str, object] = vault.verify("ann", "probe.jpg").to_dict()
    except TooManyAttempts as error:
        print(error.exit_code, error.wait_s)
    vault.forget("ann")

faces: Faces = MTCNN(keep_all=True).faces("a.jpg")
for one in faces:
    print(one.score, one.box_xyxy, mien.__version__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="needs hatchling: pip install '.[test]'")
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("needs pyproject.toml: run the tests from a checkout")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*build, folder], cwd=ROOT, check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel installed, which sees the packages of this one."""
    folder = tmp_path_factory.mktemp("user")
    venv.create(folder, with_pip=False, symlinks=True)
    tag = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / tag / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    ours = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    ours |= {str(Path(found).parents[1]) for found in map(origin, ("numpy", "cv2")) if found}
    (packages / "dependencies.pth").write_text("\n".join(sorted(ours)) + "\n")
    return folder / "bin" / "python"


def origin(package: str) -> str:
    spec = find_spec(package)
    return spec.origin or "" if spec else ""


def check_types(python: Path, folder: Path, *files: Path) -> str:
    """What `mypy --strict` says of these files; empty if nothing."""
    pytest.importorskip("mypy", reason="needs mypy: pip install '.[test]'")
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
        + ["--cache-dir", str(folder / "cache"), "--python-executable", str(python)]
        + [str(file) for file in files],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return ran.stdout + ran.stderr


def test_the_wheel_has_the_marker_of_typed_packages_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "mien/py.typed" in names
    assert not [
        name for name in names if name.split("/")[0] not in ("mien",) and "dist" not in name
    ]


def test_the_wheel_has_the_source_of_the_pam_module(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folder = "mien/login/pam"
    sources = {f"{folder}/pam_mien.c", f"{folder}/messages.h", f"{folder}/root_socket.h"}
    assert sources <= set(names)


def test_the_installed_wheel_is_the_one_that_is_imported(python: Path, tmp_path: Path) -> None:
    code = "import mien, numpy; print(mien.__file__); from mien.app import face_vault"
    ran = subprocess.run(
        [python, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert Path(ran.stdout.strip()).is_relative_to(python.parents[1])


WRONG = 'import mien\nsimilarity: str = mien.compare("a", "b").similarity\n'


@pytest.fixture(scope="module")
def complaints(python: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run of mypy says of the program, of the examples and of a wrong program."""
    pytest.importorskip("fastapi", reason="needs FastAPI: pip install '.[serve]'")
    folder = tmp_path_factory.mktemp("programs")
    names = ", ".join(name for name in mien.__all__ if name != "__version__")
    program, wrong = folder / "program.py", folder / "wrong.py"
    program.write_text(PROGRAM.replace("{names}", names))
    wrong.write_text(WRONG)
    return check_types(python, folder, program, wrong, *EXAMPLES)


def test_a_wrong_type_is_noticed(complaints: str) -> None:
    assert "wrong.py:2: error: Incompatible types in assignment" in complaints


@pytest.mark.parametrize("name", ["program.py", *(example.name for example in EXAMPLES)])
def test_a_strict_program_has_no_type_error(name: str, complaints: str) -> None:
    """program.py has every public name."""
    assert [line for line in complaints.splitlines() if name in line] == []


def test_nothing_else_is_complained_of(complaints: str) -> None:
    assert [line for line in complaints.splitlines() if "wrong.py" not in line] == []


def test_a_program_for_facenet_pytorch_has_no_type_error(python: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")
    program = tmp_path / "tensors.py"
    program.write_text(
        "import torch\n"
        "from mien.facenet_pytorch import MTCNN, InceptionResnetV1\n"
        "net = InceptionResnetV1(classify=True, num_classes=3).eval()\n"
        "face: torch.Tensor = MTCNN(device=net.device)('a.jpg')\n"
        "print(net(face.unsqueeze(0)))\n"
    )
    assert check_types(python, tmp_path, program) == ""
