"""The arguments of `mien login`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from mien.cli.arguments import CommandParser, Commands, add_command, add_group
from mien.cli.output import CommandResult
from mien.errors import UsageError


def add_commands(commands: Commands) -> None:
    """Add this group to the parser."""
    group = add_group(commands, "login", "Log in to Linux with a face: PAM and its daemon.")
    serve = add_command(group, "serve", _run_daemon, "Run the daemon that the PAM module asks.")
    serve.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        help="Listen here; default: /run/mien/auth.sock, or the socket that systemd gives.",
    )
    serve.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="Read what a face may open from here; default: /etc/mien/login.toml.",
    )
    _add_state_option(serve)
    serve.add_argument(
        "--frames",
        type=Path,
        metavar="FILM",
        help="Show this video in place of the camera, to try the daemon out.",
    )
    serve.add_argument(
        "--fprintd",
        action="store_true",
        help="Also serve the D-Bus interface of fprintd, for programs that ask for a finger.",
    )
    _add_install(group)
    _add_uninstall(group)
    _add_enroll(group)
    test = add_command(
        group, "test", _run_test, "Let the daemon look once, and say what it saw; opens nothing."
    )
    test.add_argument("user", metavar="USER")
    test.add_argument(
        "--socket", type=Path, metavar="PATH", help="Of the daemon; default: /run/mien/auth.sock."
    )


def _add_install(group: Commands) -> None:
    install = add_command(
        group,
        "install",
        _run_install,
        "Set the daemon and PAM up; without --apply show what would be changed.",
        interrupted="; run the same command again, or: sudo mien login uninstall --apply",
    )
    install.add_argument(
        "--sudo", action="store_true", help="Let sudo, su and polkit ask for a face, too."
    )
    install.add_argument(
        "--login", action="store_true", help="Let login screens ask for a face, too."
    )
    install.add_argument(
        "--everywhere",
        action="store_true",
        help="Change the common file of all services, by pam-auth-update or authselect.",
    )
    install.add_argument(
        "--service", action="append", metavar="NAME", help="Let this PAM service ask, too."
    )
    install.add_argument(
        "--fprintd",
        action="store_true",
        help="Let programs that ask fprintd for a finger ask for a face.",
    )
    install.add_argument(
        "--camera", metavar="DEVICE", help="Look with this camera only; see: mien camera list."
    )
    install.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        help="Take the liveness models from this folder; default: the network.",
    )
    install.add_argument("--apply", action="store_true", help="Do it.")


def _add_uninstall(group: Commands) -> None:
    uninstall = add_command(
        group,
        "uninstall",
        _run_install,
        "Undo it all but the faces; without --apply show what would be changed.",
        interrupted="; run the same command again",
    )
    uninstall.add_argument(
        "--purge", action="store_true", help="Delete the faces and the daemon's user, too."
    )
    uninstall.add_argument("--apply", action="store_true", help="Do it.")
    add_command(group, "status", _run_install, "Say what asks for a face, and whether it can work.")


def _add_enroll(group: Commands) -> None:
    enroll = add_command(
        group,
        "enroll",
        _run_enroll,
        "Enroll an account of this machine; asks for its password.",
        interrupted="; mien login status shows who is enrolled",
    )
    enroll.add_argument("user", metavar="USER")
    _add_state_option(enroll)
    source = enroll.add_mutually_exclusive_group()
    source.add_argument(
        "--camera", metavar="DEVICE", help="Use this camera; default: that of the configuration."
    )
    source.add_argument("--frames", metavar="FILM", help="Read this video in place of a camera.")
    existing = enroll.add_mutually_exclusive_group()
    existing.add_argument("--add", action="store_true", help="Keep the photos from before.")
    existing.add_argument("--replace", action="store_true", help="Drop the photos from before.")
    forget = add_command(
        group, "forget", _run_enroll, "Delete the face of an account of this machine."
    )
    forget.add_argument("user", metavar="USER")
    _add_state_option(forget)


def _add_state_option(command: CommandParser) -> None:
    command.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="The folder with the vault of the system; default: /var/lib/mien.",
    )


def _require_linux() -> None:
    if not sys.platform.startswith("linux"):
        raise UsageError("mien login is for Linux: it needs PAM; other commands run here")


def _run_daemon(args: Namespace) -> CommandResult:
    _require_linux()
    from mien.cli.commands.login_daemon import serve

    return serve(args)


def _run_test(args: Namespace) -> CommandResult:
    _require_linux()
    from mien.cli.commands.login_daemon import test

    return test(args)


def _run_enroll(args: Namespace) -> CommandResult:
    _require_linux()
    from mien.cli.commands import login_enroll

    return {"enroll": login_enroll.enroll, "forget": login_enroll.forget}[args.command](args)


def _run_install(args: Namespace) -> CommandResult:
    from mien.cli.commands import login_install

    commands = {
        "install": login_install.install,
        "uninstall": login_install.uninstall,
        "status": login_install.status,
    }
    return commands[args.command](args)
