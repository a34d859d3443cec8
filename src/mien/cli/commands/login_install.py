"""`mien login install`, `mien login uninstall` and `mien login status`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from mien.cli.output import CommandResult
from mien.errors import ExitCode, UsageError
from mien.login.install.as_daemon import DaemonState, PrepareModels, read_daemon_state
from mien.login.install.layout import Layout
from mien.login.install.module import plan_module
from mien.login.install.plan import (
    InstallPlan,
    InstallRequest,
    Proof,
    has_proven_look,
    plan_install,
)
from mien.login.install.program import check_program, homes_of_people, running_program
from mien.login.install.record import lock_installation
from mien.login.install.removal import plan_removal
from mien.login.install.replace_file import make_folders
from mien.login.install.services import Unwired
from mien.login.install.status import check_login, wired_services
from mien.login.install.steps import Machine, Step, apply_steps, run_program
from mien.media.camera_choice import find_camera
from mien.media.camera_list import CameraKind

DRY_RUN = "nothing was changed; to do this run it with sudo and --apply"


def install(args: Namespace) -> CommandResult:
    """Plan the installation, and with args.apply do it. args: sudo, login, everywhere, service,
    fprintd, camera, models, apply."""
    layout = Layout()
    with _exclusive(args, layout):
        plan = _plan(args, layout)
        if args.apply:
            apply_steps(plan.steps, _machine(layout))
    waiting = () if plan.is_proven else plan.wiring
    lines = [] if args.apply else _described(plan.base if waiting else plan.steps)
    if waiting and not args.apply:
        lines += ["", "once a look has recognized somebody:", *_described(waiting)]
    lines += _left_out(plan.unwired)
    lines += plan.notes
    if args.apply:
        wired = ", ".join(plan.wired) if plan.is_proven else ""
        lines.append(f"installed; services that ask for a face: {wired or 'none yet'}")
    else:
        lines.append(DRY_RUN)
    data: dict[str, object] = {
        "outcome": "ok",
        "exit_code": 0,
        "applied": args.apply,
        "steps": [] if args.apply else [text for one in plan.steps if (text := one.describe())],
        "services": list(plan.wired),
        "waits_for_a_look": bool(waiting),
        "left_out": {one.service: one.reason for one in plan.unwired},
        "notes": list(plan.notes),
    }
    return CommandResult(ExitCode.OK, tuple(lines), data)


def uninstall(args: Namespace) -> CommandResult:
    """Plan the removal, and with args.apply do it. args: purge, apply."""
    layout = Layout()
    with _exclusive(args, layout):
        plan = plan_removal(layout=layout, purge=args.purge)
        lines = _described(plan.steps)
        if args.apply:
            apply_steps(plan.steps, _machine(layout))
    if plan.blockers:
        raise UsageError(
            f"{'; '.join(plan.blockers)}; the module and the daemon stay until then, and the"
            " password works"
        )
    shown = [] if args.apply else lines
    shown += [f"{path} was edited, so it stays; remove it by hand" for path in plan.kept]
    shown.append("uninstalled" if args.apply else DRY_RUN)
    data: dict[str, object] = {
        "outcome": "ok",
        "exit_code": 0,
        "applied": args.apply,
        "steps": lines,
        "kept": list(plan.kept),
    }
    return CommandResult(ExitCode.OK, tuple(shown), data)


def status(args: Namespace) -> CommandResult:
    """Run every check; the exit code is that of the first fault. args: nothing."""
    layout = Layout()
    checks = check_login(layout=layout, daemon=_daemon_state(layout))
    marks = {"ok": "ok  ", "note": "note", "broken": "FAIL"}
    code = next((one.exit_code for one in checks if one.state == "broken"), ExitCode.OK)
    data: dict[str, object] = {
        "outcome": "healthy" if code == 0 else code.name.lower(),
        "exit_code": int(code),
        "services": wired_services(layout),
        "checks": [{"what": one.what, "state": one.state, "found": one.found} for one in checks],
    }
    lines = tuple(f"{marks[one.state]} {one.what}: {one.found}" for one in checks)
    return CommandResult(code, lines, data)


def _plan(args: Namespace, layout: Layout) -> InstallPlan:
    program = running_program()
    check_program(program, homes_of_people())
    camera = None if args.camera is None else find_camera(args.camera, must_be_free=False)
    request = InstallRequest(
        login=args.login,
        elevate=args.sudo,
        everywhere=args.everywhere,
        services=tuple(args.service or ()),
        fprintd=args.fprintd,
        camera="" if camera is None else camera.stable_path,
        camera_id="" if camera is None else camera.usb_id,
        infrared=camera is not None and camera.kind is CameraKind.INFRARED,
    )
    daemon = _daemon_state(layout)
    needs_models = bool(daemon.missing) or daemon.people is None
    return plan_install(
        request,
        layout=layout,
        program=program,
        module=plan_module(layout, program),
        proof=Proof(daemon.people, has_proven_look(layout)),
        prepare=[PrepareModels(program, args.models)] if needs_models else [],
    )


def _daemon_state(layout: Layout) -> DaemonState:
    if os.geteuid() != 0:
        return DaemonState(None, ())
    return read_daemon_state(running_program(), layout)


def _exclusive(args: Namespace, layout: Layout) -> AbstractContextManager[None]:
    """What changes the system needs root, and is alone in it."""
    if not args.apply:
        return nullcontext()
    if os.geteuid() != 0:
        raise UsageError(f"only root may change the system; run: sudo {args.prog} --apply")
    make_folders(layout.records)
    return lock_installation(layout.records)


def _machine(layout: Layout) -> Machine:
    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    return Machine(layout, run_program, say)


def _left_out(unwired: Sequence[Unwired]) -> list[str]:
    """A line for each reason."""
    services: dict[str, list[str]] = {}
    for one in unwired:
        services.setdefault(one.reason, []).append(one.service)
    return [f"not {', '.join(names)}: {reason}" for reason, names in services.items()]


def _described(steps: Sequence[Step]) -> list[str]:
    return [text for step in steps if (text := step.describe())]
