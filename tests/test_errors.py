"""Each error has its exit code, and the drawing in errors.py is the truth."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from mien import errors
from mien.errors import (
    ExitCode,
    MienError,
    MissingExtra,
    Outcome,
    install_command,
    install_hint,
    missing_extra,
)

# The table of DESIGN.md, "Outcomes and exit codes".
EXIT_CODES = {
    0: "OK",
    1: "NOT_THE_OWNER",
    2: "USAGE",
    3: "NO_FACE",
    4: "SEVERAL_FACES",
    5: "UNREADABLE_IMAGE",
    6: "NOT_ENROLLED",
    7: "TOO_MANY_ATTEMPTS",
    8: "VAULT_DAMAGED",
    9: "NOT_LIVE",
    10: "MODEL_UNAVAILABLE",
    11: "KEY_UNAVAILABLE",
    12: "CAMERA_UNAVAILABLE",
    70: "INTERNAL_ERROR",
    130: "INTERRUPTED",
}

CODE_OF = {
    "UsageError": 2,
    "EnrollmentRefused": 2,
    "AnotherFace": 2,
    "AlreadyEnrolled": 2,
    "MissingExtra": 2,
    "NotEnoughEvidence": 2,
    "NoFaceFound": 3,
    "SeveralFacesFound": 4,
    "UnreadableImage": 5,
    "NotEnrolled": 6,
    "TooManyAttempts": 7,
    "TrainingRefused": 2,
    "EngineUnavailable": 10,
    "VaultDamaged": 8,
    "KeyUnavailable": 11,
    "CameraUnavailable": 12,
    "CameraBusy": 12,
    "LookCancelled": 12,
    "WorkerDied": 70,
    "ModelUnavailable": 10,
    "ModelMissing": 10,
    "ModelAltered": 10,
    "ModelMismatch": 10,
}


def error_classes() -> dict[str, type[MienError]]:
    return {
        name: thing
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, MienError)
    }


def drawn_tree() -> list[tuple[str, str, int]]:
    """(class, its parent, exit code) of each branch of the drawing at the top of errors.py."""
    rows = re.findall(r"^ {4}([| ]*)[|`]-- (\w+) +(\d+)\b", errors.__doc__ or "", re.MULTILINE)
    tree = []
    path = ["MienError"]
    for indent, name, code in rows:
        depth = len(indent) // 4 + 1
        path[depth:] = [name]
        tree.append((name, path[depth - 1], int(code)))
    return tree


def test_the_exit_codes_are_those_of_the_design() -> None:
    assert {int(code): code.name for code in ExitCode} == EXIT_CODES


@pytest.mark.parametrize(("name", "code"), CODE_OF.items())
def test_each_error_has_its_exit_code(name: str, code: int) -> None:
    assert error_classes()[name].outcome.exit_code == ExitCode(code)
    assert error_classes()[name]("words").exit_code == ExitCode(code)


def test_the_table_in_this_file_has_every_error() -> None:
    assert set(CODE_OF) == set(error_classes()) - {"MienError"}


def test_the_drawn_tree_is_the_tree() -> None:
    real = [
        (name, kind.__bases__[0].__name__, int(kind.outcome.exit_code))
        for name, kind in error_classes().items()
        if kind is not MienError
    ]
    assert sorted(drawn_tree()) == sorted(real)


def test_the_root_of_the_drawing_is_the_base_of_all() -> None:
    assert re.search(r"^ {4}MienError\b", errors.__doc__ or "", re.MULTILINE)
    assert MienError.__bases__ == (Exception,)


def test_no_error_has_two_parents() -> None:
    assert all(len(kind.__bases__) == 1 for kind in error_classes().values())


def test_no_error_means_unlocked_or_done() -> None:
    succeeded = {Outcome.UNLOCKED, Outcome.OK}
    assert all(kind.outcome not in succeeded for kind in error_classes().values())


def test_only_these_outcomes_have_no_error() -> None:
    raised = {kind.outcome for kind in error_classes().values()}
    assert set(Outcome) - raised == {
        Outcome.UNLOCKED,
        Outcome.OK,
        Outcome.NOT_THE_OWNER,  # a decision, and never an error
        Outcome.NOT_LIVE,  # likewise
        Outcome.INTERRUPTED,  # a KeyboardInterrupt, which only the command line catches
    }


def test_done_and_unlocked_are_two_outcomes_with_one_exit_code() -> None:
    assert Outcome.OK is not Outcome.UNLOCKED
    assert (Outcome.OK.value, Outcome.UNLOCKED.value) == ("ok", "unlocked")
    assert Outcome.OK.exit_code == Outcome.UNLOCKED.exit_code == 0


def test_every_exit_code_but_zero_belongs_to_one_outcome_of_the_same_name() -> None:
    assert {one.name for one in Outcome} == {code.name for code in ExitCode} | {"UNLOCKED"}
    assert all(one.value == one.name.lower() for one in Outcome)
    assert all(ExitCode[one.name] is one.exit_code for one in set(Outcome) - {Outcome.UNLOCKED})


def test_each_error_says_in_its_docstring_what_it_means() -> None:
    assert all("__doc__" in vars(kind) and kind.__doc__ for kind in error_classes().values())


def test_the_message_is_kept_unchanged() -> None:
    assert str(errors.NoFaceFound("no face; come closer")) == "no face; come closer"


def test_the_error_for_a_missing_extra_names_the_command_that_installs_it() -> None:
    error = missing_extra("the service needs fastapi", "serve")
    assert isinstance(error, MissingExtra)
    assert error.exit_code == 2
    assert str(error) == f"the service needs fastapi; {install_hint('serve')}"


# the command that installs -------------------------------------------------------------------


def test_an_extra_is_installed_from_the_folder_that_pip_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my mien"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    note = json.dumps({"url": folder.as_uri(), "dir_info": {}})
    monkeypatch.setattr(errors, "_direct_url", lambda: note)
    words = shlex.split(install_hint("lab"))
    assert words[0] == "run:"
    assert words[-2:] == ["install", f"{folder}[lab]"]


@pytest.mark.parametrize(
    "note", ["", "{}", "[]", "nonsense", '{"url": 3}', '{"url": "file:///gone/mien"}']
)
def test_without_that_folder_the_reader_has_to_know_it(
    note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "_direct_url", lambda: note)
    assert install_hint("lab") == "run in mien's source folder: pip install '.[lab]'"


def test_an_extra_of_a_mien_from_git_is_installed_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    note = json.dumps({"url": "https://example.org/mien.git", "vcs_info": {"vcs": "git"}})
    monkeypatch.setattr(errors, "_direct_url", lambda: note)
    assert install_hint("lab").endswith("install 'mien[lab] @ git+https://example.org/mien.git'")


def test_pip_is_that_of_this_python_and_uv_stands_in_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install_command("mtcnn") == f"{shlex.quote(sys.executable)} -m pip install mtcnn"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "pip").touch(mode=0o755)
    assert install_command("mtcnn") == "pip install mtcnn"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert install_command("mtcnn") == f"uv pip install --python {sys.executable} mtcnn"
