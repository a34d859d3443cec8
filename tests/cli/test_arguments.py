"""How arguments are read: their order, aliases, suggestions for mistyped words, and help texts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mien.cli.parser import build_parser

Mien = Callable[..., Any]
"""Runs a command: `.code`, `.out`, `.err`, `.json`, `.complaint`; see conftest."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unlok", "ana", "a.jpg"), "unknown command 'unlok'; did you mean unlock?"),
        (("enrll", "ana", "a.jpg"), "unknown command 'enrll'; did you mean enroll?"),
        (("vault", "stats"), "unknown command 'stats'; did you mean status?"),
        (("token", "creat", "x"), "unknown command 'creat'; did you mean create?"),
        (("models", "ad"), "unknown command 'ad'; did you mean add?"),
        (("list", "--jsn"), "unknown option '--jsn'; did you mean --json?"),
        (("unlock", "ana", "--modle=x"), "unknown option '--modle'; did you mean --model?"),
        (("compare", "--engine", "openvin"), "unknown --engine 'openvin'; did you mean openvino?"),
        (("vault", "rotate", "--key", "keyrng"), "unknown --key 'keyrng'; did you mean keyring?"),
        (("vault", "init", "--key", "zzz"), "unknown --key 'zzz'; see: mien vault init --help"),
        (("frobnicate",), "unknown command 'frobnicate'; see: mien --help"),
        (("--jsom", "list"), "unknown option '--jsom'; did you mean --json?"),
        (("list", "ana"), "unexpected argument 'ana'; see: mien list --help"),
    ],
)  # fmt: skip
def test_a_mistyped_word_is_answered_with_the_word_that_was_probably_meant(
    mien: Mien, arguments: tuple[str, ...], message: str
) -> None:
    ran = mien(*arguments)
    assert ran.code == 2
    assert ran.complaint == message


def test_enrol_is_accepted_for_enroll(mien: Mien, album: Path) -> None:
    assert mien("enrol", "ana", album / "me" / "1.png").out.startswith("enrolled ana")


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        (("enroll", "me/1.png", "me/2.png"), "me/1.png"),
        (("enroll", "me"), None),  # a person may be called as a folder is
        (("enroll", "./me"), "./me"),
        (("enroll", "probe.png", "me/1.png"), "probe.png"),
        (("unlock", "probe.png"), "probe.png"),
    ],
)
def test_a_photo_in_the_place_of_the_name_is_answered_with_where_the_name_goes(
    mien: Mien,
    album: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    taken: str | None,
) -> None:
    monkeypatch.chdir(album)
    ran = mien(*arguments)
    assert ran.code == 2
    told = f"{taken!r} is on the disk; the name comes first: mien {arguments[0]} NAME PHOTO"
    assert (ran.complaint == told) is (taken is not None)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--json", "list"),
        ("list", "--json"),
        ("--json", "list", "--json"),
        ("--json", "token", "list"),
        ("token", "--json", "list"),
        ("token", "list", "--json"),
    ],
    ids=" ".join,
)
def test_json_may_stand_before_or_after_the_command(mien: Mien, arguments: tuple[str, ...]) -> None:
    assert mien(*arguments).json["outcome"] == "listed"


def test_without_json_the_answer_is_in_words(mien: Mien) -> None:
    assert not mien("token", "list").out.startswith("{")


@pytest.mark.parametrize(
    "line",
    [
        ["me", "--replace", "a.jpg", "b.jpg"],
        ["--replace", "me", "a.jpg", "b.jpg"],
        ["me", "a.jpg", "--replace", "b.jpg"],
        ["me", "a.jpg", "b.jpg", "--replace"],
        ["--replace", "--", "me", "a.jpg", "b.jpg"],
    ],
    ids=" ".join,
)
def test_options_of_enroll_may_stand_anywhere(line: list[str]) -> None:
    args = build_parser().parse_args(["enroll", *line])
    assert (args.name, args.photos, args.replace) == ("me", ["a.jpg", "b.jpg"], True)


@pytest.mark.parametrize(
    "line",
    [
        ["ana", "--model", "sface", "a.jpg"],
        ["--model", "sface", "ana", "a.jpg"],
        ["ana", "a.jpg", "--model", "sface"],
    ],
    ids=" ".join,
)
def test_options_of_unlock_may_stand_anywhere(line: list[str]) -> None:
    args = build_parser().parse_args(["unlock", *line])
    assert (args.name, args.photo, args.model) == ("ana", "a.jpg", "sface")


@pytest.mark.parametrize(
    "line",
    [
        ["ana", "a.jpg", "b.jpg"],
        ["ana", "a.jpg", "--model", "sface", "b.jpg"],
        ["ana", "--model", "sface", "a.jpg", "b.jpg"],
    ],
    ids=" ".join,
)
def test_a_second_photo_to_unlock_with_is_refused(mien: Mien, line: list[str]) -> None:
    ran = mien("unlock", *line)
    assert ran.complaint == "unexpected argument 'b.jpg'; see: mien unlock --help"


@pytest.mark.parametrize("command", ["enroll", "unlock"])
def test_a_name_after_camera_is_told_to_stand_before_it(mien: Mien, command: str) -> None:
    ran = mien(command, "--camera", "anna")
    assert ran.code == 2
    assert "--camera: 'anna' is not a camera: give a number or a path" in ran.complaint
    assert "give NAME before --camera" in ran.complaint


@pytest.mark.parametrize(
    ("line", "device"),
    [(["--camera"], ""), (["--camera", "2"], "2"), (["--camera", "/dev/video1"], "/dev/video1")],
)
def test_a_camera_is_a_number_or_a_path_and_the_best_by_default(
    line: list[str], device: str
) -> None:
    assert build_parser().parse_args(["unlock", "ana", *line]).camera == device


@pytest.mark.parametrize(
    ("line", "name", "photo", "camera"),
    [
        (["--camera"], None, None, ""),
        (["--camera", "2"], None, None, "2"),
        (["ana", "--camera"], "ana", None, ""),
        (["--camera", "2", "ana"], "ana", None, "2"),
        (["--model", "sface", "ana", "--camera"], "ana", None, ""),
        (["--camera", "/dev/video2", "ana", "a.jpg"], "ana", "a.jpg", "/dev/video2"),
    ],
)
def test_the_name_may_be_left_out_with_a_camera(
    line: list[str], name: str | None, photo: str | None, camera: str
) -> None:
    args = build_parser().parse_args(["unlock", *line])
    assert (args.name, args.photo, args.camera) == (name, photo, camera)
    enroll = build_parser().parse_args(["enroll", *line])
    assert (enroll.name, enroll.photos) == (name, [photo] if photo else [])


@pytest.mark.parametrize("command", ["enroll", "unlock"])
def test_without_a_camera_the_name_is_required(mien: Mien, command: str) -> None:
    for line in ((), ("--frames", "film.mjpeg")):
        ran = mien(command, *line)
        assert ran.complaint == (
            f"the following arguments are required: NAME; see: mien {command} --help"
        )


# help --------------------------------------------------------------------------------------


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and all below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from parsers(one)


def test_every_help_text_is_a_sentence() -> None:
    texts = []
    for parser in parsers(build_parser()):
        texts.append(parser.description)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                texts += [choice.help for choice in action._choices_actions]
            elif action.option_strings not in (["-h", "--help"], ["--version"]) and action.help:
                texts.append(action.help)
    assert len(texts) > 60
    for text in texts:
        assert text is not None
        assert text[0].isupper(), text
        assert text.endswith("."), text


def test_the_vault_is_described_in_plain_words(mien: Mien) -> None:
    assert "Manage the vault: keys, status, export, import." in mien("--help").out
    assert "Import people from an export file." in mien("vault", "--help").out


def subcommands(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The help text of each command of a parser."""
    (commands,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return {name: one.format_help() for name, one in commands.choices.items()}


def test_the_parser_of_one_command_is_its_parser_among_all() -> None:
    everything = subcommands(build_parser())
    for name, text in everything.items():
        alone = subcommands(build_parser(name))
        assert alone[name] == text
        assert len(alone) < 3


def test_a_word_that_is_no_command_is_looked_for_among_all() -> None:
    assert subcommands(build_parser("unlok")) == subcommands(build_parser())
