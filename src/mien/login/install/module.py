"""The PAM module: compiled here, or where that cannot be, the client for pam_exec."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError, one_line
from mien.login.install.layout import MODULE_NAME, Layout
from mien.login.install.program import Program
from mien.login.install.record import read_record, write_record
from mien.login.install.replace_file import read_system_file
from mien.login.install.steps import Machine, Step, own_file_step
from mien.login.pam_build import SOURCE, MissingCompiler, compile_module

CLIENT = Path(__file__).parents[1] / "pam_client.py"


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """entry: the module with its arguments, as it stands in a PAM line. steps: what puts it in its
    place. note: why there is no compiled one; "" if there is.
    """

    entry: str
    steps: tuple[Step, ...]
    note: str = ""

    @property
    def is_compiled(self) -> bool:
        """Whether it can ask "Password, or Enter for your face", which sudo needs."""
        return self.note == ""


@dataclass(frozen=True, slots=True)
class NoteSource:
    """Note what the module was compiled from, so that it is compiled again only for new code."""

    source: str

    def describe(self) -> str:
        return ""

    def apply(self, machine: Machine) -> None:
        folder = machine.layout.records
        write_record(folder, read_record(folder).with_source(self.source))


def plan_module(
    layout: Layout, program: Program, *, build: Callable[[Path], None] = compile_module
) -> ModulePlan:
    """Compile the module if need be, and plan to put it beside pam_unix.so.

    build: writes a module to a path. Raises BuildFailed, and UsageError for somebody else's file.
    """
    path = layout.security_folder() / MODULE_NAME
    source = hash_of_source()
    record, present = read_record(layout.records), read_system_file(path)
    is_ours = present is not None and record.wrote(layout.shown(path), present)
    if is_ours and record.source == source:
        return ModulePlan(MODULE_NAME, ())
    try:
        content = _compiled(build)
    except MissingCompiler as error:
        if is_ours:
            return ModulePlan(MODULE_NAME, ())  # an older one, which the daemon answers as well
        return ModulePlan(_client_entry(program), (), str(error))
    step = own_file_step(path, content, layout)
    note = NoteSource(source)
    return ModulePlan(MODULE_NAME, (note,) if step is None else (step, note))


def hash_of_source() -> str:
    """The SHA-256 of the C code."""
    digest = hashlib.sha256()
    for path in sorted((SOURCE, *SOURCE.parent.glob("*.h"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _compiled(build: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        out = Path(folder) / MODULE_NAME
        try:
            build(out)
            return out.read_bytes()
        except OSError as error:
            raise UsageError(
                f"cannot compile the PAM module ({one_line(error)}); free some space in /tmp"
            ) from error


def _client_entry(program: Program) -> str:
    return f"pam_exec.so quiet seteuid stdout {program.python} -I -S {CLIENT}"
