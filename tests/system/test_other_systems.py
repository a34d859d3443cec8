"""mien on a system without fcntl, pwd, grp and resource: everything imports, and what can run does.

Such a system is played here by a process in which these modules and what comes with them are
missing. Windows itself runs the workflow's job of the same name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mien.lab.demo.shipped_photos import FOLDER

GUARD_S = 300

HIDDEN = """
import os, sys, time
for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules[name] = None
for name in ("geteuid", "getuid", "getegid", "sched_getaffinity"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_TMPFILE"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("CLOCK_BOOTTIME", "clock_gettime"):
    if hasattr(time, name):
        delattr(time, name)
"""

IMPORT_ALL = (
    HIDDEN
    + """
import importlib, pkgutil
import mien
optional = {"torch", "fastapi", "starlette", "uvicorn", "pydantic", "psycopg", "jeepney", "pytest"}
failed = []
for module in pkgutil.walk_packages(mien.__path__, "mien."):
    linux_alone = module.name.startswith(("mien.login", "mien.cli.commands.login"))
    if linux_alone or module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except mien.MissingExtra:
        pass
    except ImportError as error:
        if (error.name or "").split(".")[0] not in optional and "torch" not in str(error):
            failed.append(f"{module.name}: {error!r}")
print(failed)
"""
)

USE = (
    HIDDEN
    + """
import subprocess  # of this system: it would take msvcrt for a sign of Windows
import msvcrt_of_the_test
sys.modules["msvcrt"] = msvcrt_of_the_test
from pathlib import Path
import mien, mien.files
mien.files.RENAMES_OPEN_FILES = False
photo = PHOTO
unlock = mien.FaceUnlock([photo])
print(bool(unlock(photo)), mien.MTCNN(image_size=160)(photo).shape)
with mien.open_vault() as vault:
    vault.enroll("ana", [photo])
    print(vault.people(), bool(vault.verify("ana", photo)))
from mien.cli.main import main
print(main(["vault", "status"]), main(["list"]), main(["enroll", "--camera"]))
"""
)

LOCKS = '''"""Windows's byte locks, as far as mien uses them."""
LK_NBLCK = 2
held = []


def locking(handle, mode, count):
    held.append((handle, mode, count))
'''


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    home = folder / "home"
    home.mkdir()
    folders = {f"XDG_{name}_HOME": str(home / name) for name in ("CONFIG", "DATA", "STATE")}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
        env={**os.environ, **folders, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
    )


def test_everything_but_login_imports(tmp_path: Path) -> None:
    ran = run(IMPORT_ALL, tmp_path)
    assert (ran.stdout, ran.returncode) == ("[]\n", 0), ran.stderr


def test_the_library_and_the_vault_work(tmp_path: Path) -> None:
    (tmp_path / "msvcrt_of_the_test.py").write_text(LOCKS)
    photo = str(FOLDER / "astronaut.webp")
    ran = run(USE.replace("PHOTO", repr(photo)), tmp_path)
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0, ran.stderr
    assert lines[0] == "True (3, 160, 160)"
    assert lines[1] == "['ana'] True"
    assert "  files: this system has no modes of files: keep them in your own profile" in lines
    assert lines[-1] == "0 0 2"
    assert ran.stderr == "mien: this system has no login names for mien to take; give NAME\n"
    assert not list((tmp_path / "home").rglob("*.tmp"))
