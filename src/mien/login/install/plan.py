"""Plan an installation: the checks, and the steps in an order that a kill at any place leaves safe.

What a PAM line needs comes before the line, and a removal goes the other way round.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mien.errors import UsageError
from mien.login.config import LoginConfig, read_config
from mien.login.install.account import account_steps
from mien.login.install.everywhere import everywhere_steps
from mien.login.install.fprintd import fprintd_steps
from mien.login.install.layout import Layout
from mien.login.install.module import ModulePlan
from mien.login.install.program import Program
from mien.login.install.replace_file import read_system_file, real_path
from mien.login.install.services import Unwired, Wiring, choose_services, wire
from mien.login.install.steps import EditPam, Step, WriteOwn, own_file_step
from mien.login.install.units import unit_steps
from mien.login.policy import ELEVATING, GREETERS
from mien.login.state import PROVEN

ENROLL_PAM = (
    b"# the password alone authorizes a new face: mien login enroll\n"
    b"auth\trequired\tpam_unix.so\naccount\trequired\tpam_unix.so\n"
)
NOT_PROVEN = (
    "no service asks for a face yet, because no look has recognized anybody; run: sudo mien login"
    " enroll USER, then: sudo mien login test USER, and this command again"
)
UNKNOWN_PROOF = "only root can see whether a look has recognized somebody; run it with sudo"


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What the administrator asked for. login, elevate: kinds of services beside the unlocking
    ones. services: single ones. everywhere: all that share the distribution's common file.
    fprintd: programs that ask fprintd, too. camera: a stable path, "" for no change; camera_id and
    infrared belong to it.
    """

    login: bool = False
    elevate: bool = False
    everywhere: bool = False
    services: tuple[str, ...] = ()
    fprintd: bool = False
    camera: str = ""
    camera_id: str = ""
    infrared: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a face has worked here. people: enrolled ones, None if that cannot be read."""

    people: int | None
    has_look: bool

    @property
    def is_given(self) -> bool:
        """Whether PAM may be told to ask for faces."""
        return self.has_look and bool(self.people)


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """base: the steps that no PAM service notices. wiring: the steps that change services,
    done only with a proof. wired, unwired: services. notes: for the person.
    """

    base: tuple[Step, ...]
    wiring: tuple[Step, ...]
    wired: tuple[str, ...]
    unwired: tuple[Unwired, ...]
    notes: tuple[str, ...]
    is_proven: bool

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done now."""
        return (*self.base, *self.wiring) if self.is_proven else self.base


def has_proven_look(layout: Layout) -> bool:
    """Whether the daemon noted that a look recognized somebody. False if it cannot be seen."""
    try:
        return stat.S_ISREG((layout.state / PROVEN).lstat().st_mode)
    except OSError:
        return False


def plan_install(
    request: InstallRequest,
    *,
    layout: Layout,
    program: Program,
    module: ModulePlan,
    proof: Proof,
    prepare: Sequence[Step] = (),
) -> InstallPlan:
    """What an installation does. prepare: steps after the user and before the socket.

    Raises UsageError for what stops it.
    """
    config = _config_of(request, layout)
    if config.elevate and not module.is_compiled:
        raise UsageError(
            f"sudo needs the compiled PAM module, which asks before it looks: {module.note}"
        )
    base: list[Step | None] = [
        *account_steps(layout),
        own_file_step(layout.enroll_service, ENROLL_PAM, layout),
        _config_step(config, layout),
        *module.steps,
        *prepare,
        *unit_steps(layout, program),
    ]
    wiring, wired, unwired = _wirings(request, config, program, module, layout)
    return InstallPlan(
        base=tuple(step for step in base if step is not None),
        wiring=wiring,
        wired=wired,
        unwired=unwired,
        notes=_notes(module, proof),
        is_proven=proof.is_given,
    )


def _wirings(
    request: InstallRequest,
    config: LoginConfig,
    program: Program,
    module: ModulePlan,
    layout: Layout,
) -> tuple[tuple[Step, ...], tuple[str, ...], tuple[Unwired, ...]]:
    """The steps that change services, the services with a line, and those without."""
    named = tuple(dict.fromkeys(request.services))
    chosen, left = choose_services(layout, login=config.login, elevate=config.elevate, named=named)
    steps: list[Step] = []
    if request.everywhere:
        steps += everywhere_steps(layout, module.entry)
        chosen = [one for one in chosen if one in ELEVATING or one in named]
    outcomes = [wire(one, chosen, module.entry, layout) for one in chosen]
    wirings = [one for one in outcomes if isinstance(one, Wiring)]
    refused = [one for one in outcomes if isinstance(one, Unwired)]
    _refuse_named(refused, named)
    steps += [step for one in wirings if (step := _edit(one, layout)) is not None]
    if request.fprintd:
        steps += fprintd_steps(layout, str(program.python))
    return tuple(steps), tuple(one.service for one in wirings), (*left, *refused)


def _config_of(request: InstallRequest, layout: Layout) -> LoginConfig:
    """What the administrator allowed before, and now as well."""
    config = read_config(layout.config)
    services = set(request.services)
    config = replace(
        config,
        login=config.login or request.login or bool(GREETERS & services),
        elevate=config.elevate or request.elevate or bool(ELEVATING & services),
    )
    if not request.camera:
        return config
    return replace(
        config,
        camera=request.camera,
        camera_id=request.camera_id,
        infrared=request.infrared,
    )


def _notes(module: ModulePlan, proof: Proof) -> tuple[str, ...]:
    notes = []
    if not module.is_compiled:
        notes.append(f"pam_exec asks the daemon, which takes longer: {module.note}")
    if not proof.is_given:
        notes.append(UNKNOWN_PROOF if proof.people is None and not proof.has_look else NOT_PROVEN)
    return tuple(notes)


def _config_step(config: LoginConfig, layout: Layout) -> Step | None:
    """Write the configuration if it says something else. It may have been edited: that is what it
    is for."""
    before = read_system_file(layout.config)
    if before is not None and read_config(layout.config) == config:
        return None
    shown = layout.shown(layout.config)
    return WriteOwn(layout.config, shown, before, config.to_toml().encode())


def _edit(wiring: Wiring, layout: Layout) -> Step | None:
    file, path = wiring.file, layout.pam_folder / wiring.service
    if file.is_vendor:
        return EditPam(path, layout.shown(path), None, wiring.after)
    if file.content == wiring.after:
        return None
    real_path(path)  # raises for a link to another folder
    return EditPam(path, layout.shown(path), file.content, wiring.after)


def _refuse_named(refused: Sequence[Unwired], named: Sequence[str]) -> None:
    """What was asked for by name is done, or is an error."""
    for one in refused:
        if one.service in named:
            raise UsageError(
                f"{one.service} cannot ask for a face: {one.reason}; see docs/login.md"
            )
