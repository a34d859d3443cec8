"""Compile the PAM module, `pam/pam_mien.c`, with this machine's C compiler."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mien.errors import MienError, UsageError, quote_path
from mien.files import write_whole

SOURCE = Path(__file__).with_name("pam") / "pam_mien.c"
COMPILERS = ("cc", "gcc", "clang")
COMPILE_S = 120.0

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wformat=2")
HARDENING = ("-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong")
# not on every processor
OPTIONAL = ("-fcf-protection", "-fstack-clash-protection")
# -z defs: a function that no library has is noticed here, and not when somebody logs in
LINKING = ("-Wl,-z,relro,-z,now,-z,noexecstack,-z,defs", "-lpam")

HEADERS = "#include <security/pam_ext.h>\n#include <security/pam_modules.h>\n"
PACKAGES = (
    "on Debian and Ubuntu: apt-get install gcc libc6-dev libpam0g-dev; "
    "on Fedora: dnf install gcc pam-devel; on Arch: pacman -S gcc pam"
)

# loading resolves every function, as libpam does
LOAD = """
import ctypes, os, sys
module = ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW)
module.pam_sm_authenticate, module.pam_sm_setcred
"""


class MissingCompiler(UsageError):
    """The machine has no C compiler, or not the headers of libc and libpam."""


class BuildFailed(MienError):
    """The compiler failed, or what it made is no PAM module."""


def compile_module(out: Path) -> None:
    """Write the PAM module to `out`, mode 0644, once it compiled and loaded.

    An older file stays as it is until the new one takes its place. Raises MissingCompiler,
    BuildFailed, and OSError where `out` cannot be written.
    """
    compiler = _find_compiler()
    with tempfile.TemporaryDirectory(prefix="mien-pam-") as folder:
        built = Path(folder) / "pam_mien.so"
        _compile(compiler, built)
        _check_loads(built)
        write_whole(out, built.read_bytes(), durable=True)
    out.chmod(0o644)


def _find_compiler() -> str:
    """The path of a compiler that finds the headers. Raises MissingCompiler."""
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found is None:
        raise MissingCompiler(f"there is no C compiler; install it, {PACKAGES}")
    if _run([found, "-E", "-"], typed=HEADERS).returncode != 0:
        raise MissingCompiler(f"there is no security/pam_modules.h; install it, {PACKAGES}")
    return found


def _compile(compiler: str, built: Path) -> None:
    optional = [flag for flag in OPTIONAL if _takes(compiler, flag)]
    flags = ["-std=c11", "-fPIC", "-shared", *HARDENING, *optional, *WARNINGS]
    ran = _run([compiler, *flags, "-o", str(built), str(SOURCE), *LINKING])
    if ran.returncode != 0:
        raise BuildFailed(f"the PAM module does not compile ({_reason(ran)}); report it")


def _takes(compiler: str, flag: str) -> bool:
    return _run([compiler, flag, "-Werror", "-x", "c", "-fsyntax-only", "-"]).returncode == 0


def _check_loads(built: Path) -> None:
    ran = _run([sys.executable, "-I", "-S", "-c", LOAD, str(built)])
    if ran.returncode != 0:
        raise BuildFailed(f"the compiled PAM module does not load ({_reason(ran)}); report it")


def _reason(ran: subprocess.CompletedProcess[str]) -> str:
    """The first line that names an error, or else the last line."""
    lines = ran.stderr.splitlines() or [f"exit code {ran.returncode}"]
    line = next((line for line in lines if "error" in line.lower()), lines[-1])
    return "".join(letter if letter.isprintable() else "?" for letter in line[:200])


def _run(command: Sequence[str], *, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run without the caller's environment, which could name other headers and libraries."""
    try:
        return subprocess.run(
            command,
            input=typed,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMPILE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"cannot run {quote_path(command[0])} ({error}); try again") from error
