"""The module compiles with hardening, and a machine that cannot compile is told what to install."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from tests.login.namespace import CLEAN_ENVIRONMENT

from mien.login import pam_build, protocol
from mien.login.pam_build import BuildFailed, MissingCompiler, compile_module


def readelf(module: Path, *options: str) -> str:
    if not shutil.which("readelf"):
        pytest.skip("needs readelf; run: apt-get install binutils")
    ran = subprocess.run(
        ["readelf", "--wide", *options, module],
        env=CLEAN_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ran.stdout


def test_the_module_is_linked_at_once_with_read_only_tables_and_no_executable_stack(
    module: Path,
) -> None:
    assert "BIND_NOW" in readelf(module, "--dynamic")
    segments = readelf(module, "--segments")
    assert "GNU_RELRO" in segments
    (stack,) = (line for line in segments.splitlines() if "GNU_STACK" in line)
    assert "RWE" not in stack


def test_the_module_has_stack_guards_and_needs_libc_and_libpam_alone(module: Path) -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", readelf(module, "--dynamic"))
    assert sorted(needed) == ["libc.so.6", "libpam.so.0"]
    assert "__stack_chk_fail" in readelf(module, "--dyn-syms")


def test_the_module_offers_two_functions_and_neither_ends_the_host_nor_reads_its_environment(
    module: Path,
) -> None:
    symbols = readelf(module, "--dyn-syms").splitlines()
    offered = {
        line.split()[-1] for line in symbols if "GLOBAL DEFAULT" in line and "UND" not in line
    }
    assert offered == {"pam_sm_authenticate", "pam_sm_setcred"}
    used = {line.split()[7].split("@")[0] for line in symbols if "UND" in line and "@" in line}
    assert not used & {"exit", "_exit", "abort", "getenv", "secure_getenv", "system", "kill"}


def test_everybody_may_read_the_module_and_root_alone_may_write_it(module: Path) -> None:
    assert stat.S_IMODE(module.stat().st_mode) == 0o644


def test_the_source_has_the_numbers_of_the_protocol() -> None:
    folder = pam_build.SOURCE.parent
    source = "".join(path.read_text() for path in sorted(folder.iterdir()))
    assert f"#define REQUEST_MAGIC {protocol.REQUEST_MAGIC:#X}u".replace("0X", "0x") in source
    assert f"#define REPLY_MAGIC {protocol.REPLY_MAGIC:#X}u".replace("0X", "0x") in source
    sizes = f"REQUEST_BYTES == {protocol.REQUEST.size} && REPLY_BYTES == {protocol.REPLY.size}"
    assert sizes in source
    assert f'#define SOCKET_PATH "{protocol.SOCKET_PATH}"' in source
    assert f"MAX_TIMEOUT_S = {protocol.MAX_TIMEOUT_MS // 1000}," in source


def test_a_machine_without_a_compiler_is_told_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pam_build, "COMPILERS", ("no-such-compiler",))
    with pytest.raises(MissingCompiler, match=r"no C compiler.*apt-get install gcc.*dnf.*pacman"):
        compile_module(tmp_path / "pam_mien.so")
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_the_headers_of_pam_is_told_the_packages(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pam_build, "HEADERS", "#include <security/no_such_header.h>\n")
    with pytest.raises(MissingCompiler, match=r"pam_modules\.h.*libpam0g-dev.*pam-devel"):
        compile_module(tmp_path / "pam_mien.so")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param("int f(void) { int unused; return 1; }", "does not compile", id="a warning"),
        pytest.param("int f(void) { return no_such(); }", "does not compile", id="no function"),
        pytest.param("int pam_sm_authenticate(void) { return 0; }", "does not load", id="half"),
    ],
)
def test_what_is_no_module_does_not_replace_the_file(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, complaint: str
) -> None:
    wrong, out = tmp_path / "wrong.c", tmp_path / "pam_mien.so"
    wrong.write_text(source)
    out.write_bytes(b"the old one")
    monkeypatch.setattr(pam_build, "SOURCE", wrong)
    with pytest.raises(BuildFailed, match=complaint) as failed:
        compile_module(out)
    assert str(failed.value).isprintable()
    assert out.read_bytes() == b"the old one"
