"""The command line: every command, every exit code, one line for a failure, one object for JSON."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien import __version__
from mien.cli import main
from mien.lab.recapture import recapture
from mien.models import EMBEDDERS, graph_path
from mien.pipeline import Pipeline
from mien.results import ByteArray, ModelId, Template
from mien.settings import load_settings
from mien.unlock import enrol
from mien.vault import Record, SqliteVault, pack_template

COMMANDS = (
    "demo",
    "enroll",
    "unlock",
    "identify",
    "compare",
    "list",
    "forget",
    "explore",
    "models",
    "doctor",
)
GUARD_S = 60.0
"""Only so that a hang fails instead of hanging the tests; nothing is timed."""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output, whose exit code is the process's."""
        assert self.out.count("\n") == 1
        data: dict[str, Any] = json.loads(self.out)
        assert data["exit_code"] == self.code
        assert isinstance(data["outcome"], str)
        return data

    @property
    def complaint(self) -> str:
        """The one line on standard error; standard output has nothing but JSON, if asked for."""
        assert self.err.startswith("mien: ")
        assert self.err.endswith("\n")
        assert self.err[:-1].isprintable()
        assert self.code != 0
        return self.err[len("mien: ") : -1]


Mien = Callable[..., Ran]


@pytest.fixture
def mien(home: Path, capsys: pytest.CaptureFixture[str]) -> Mien:
    """Run a command in this process, as a user with an empty home."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse: --help, --version and wrong usage
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


def started(
    *arguments: object, env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Run a command in a process of its own."""
    line = [sys.executable, "-m", "mien", *map(str, arguments)]
    environ = {**os.environ, **(env or {})}
    return subprocess.run(line, env=environ, timeout=GUARD_S, check=False, **options)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray) -> Path:
    """me/1.png, 2.png, 3.png; probe.png of her too; wall.png of nobody; crowd.png of two."""
    folder = tmp_path_factory.mktemp("album")
    (folder / "me").mkdir()
    rng = np.random.default_rng(2)
    for name in ("me/1.png", "me/2.png", "me/3.png", "probe.png"):
        Image.fromarray(recapture(astronaut, rng)).save(folder / name)
    Image.new("RGB", (300, 300), (150, 140, 130)).save(folder / "wall.png")
    Image.fromarray(np.hstack([astronaut, astronaut])).save(folder / "crowd.png")
    (folder / "text.jpg").write_text("this is no picture")
    return folder


@pytest.fixture(scope="module")
def stored(pipeline: Pipeline, album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault file made once: ana, who is in the album, and ben, who is nobody."""
    from datetime import datetime, timezone

    path = tmp_path_factory.mktemp("stored") / "vault.sqlite"
    with SqliteVault(path, create=True) as vault:
        enrol(
            "ana",
            sorted((album / "me").iterdir()),
            pipeline=pipeline,
            vault=vault,
            mode="new",
            clock=lambda: datetime(2026, 1, 31, 12, tzinfo=timezone.utc),
        )
        vault.put(somebody("ben", pipeline.model), replace=False)
    return path


def somebody(user: str, model: ModelId) -> Record:
    vector = np.zeros((1, 128), np.float32)
    vector[0, 0] = 1
    payload = pack_template(Template(vector, model))
    return Record(user, model, "2026-01-31T12:00:00+00:00", payload)


@pytest.fixture
def vault(home: Path, stored: Path) -> Path:
    """The vault of this home, with ana and ben in it."""
    path = load_settings().vault_path
    path.parent.mkdir(parents=True)
    shutil.copy(stored, path)
    path.chmod(0o600)
    return path


# help and usage ----------------------------------------------------------------------------


def test_help_names_every_command_and_every_exit_code(mien: Mien) -> None:
    ran = mien("--help")
    assert ran.code == 0
    assert all(f"    {command} " in ran.out for command in COMMANDS)
    for code in range(11):
        assert f"{code:2d} " in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_json_and_exit_codes(mien: Mien, command: str) -> None:
    ran = mien(command, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"usage: mien {command} ")
    assert "--json" in ran.out
    assert "exit codes:" in ran.out


def test_version(mien: Mien) -> None:
    assert mien("--version").out == f"mien {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("open",),
        ("unlock",),
        ("unlock", "ana"),
        ("unlock", "ana", "a.jpg", "b.jpg"),
        ("enroll", "ana"),
        ("enroll", "--add", "--replace", "ana", "a.jpg"),
        ("compare", "a.jpg"),
        ("forget",),
        ("list", "--all"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_with_the_usage(mien: Mien, arguments: tuple[str, ...]) -> None:
    ran = mien(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("usage: mien")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("MIEN_ENGINE", "abacus", "unknown engine 'abacus'"),
        ("MIEN_THREADS", "0", "threads must be"),
        ("MIEN_VAULT", "https://somewhere/", "sqlite:///PATH"),
        ("MIEN_CONFIG", "/nowhere.toml", "MIEN_CONFIG names"),
    ],
)
def test_a_wrong_setting_is_2_in_one_line(
    mien: Mien, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    ran = mien("list")
    assert ran.code == 2
    assert words in ran.complaint


# enroll ------------------------------------------------------------------------------------


def test_enroll_from_a_folder_then_unlock(mien: Mien, album: Path) -> None:
    ran = mien("enroll", "ana", album / "me")
    assert ran.code == 0
    assert ran.err == ""
    lines = ran.out.splitlines()
    assert lines[0] == "enrolled ana from 3 photos"
    assert "1.png': agrees with the others at 0.9" in lines[1]
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 0
    assert ran.out.startswith("unlocked: ana, the same person, similarity 0.")
    assert load_settings().vault_path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("names", [["me/1.png", "me/3.png"], ["me/[12].png"], ["me/*", "me/1.png"]])
def test_enroll_takes_files_and_globs_each_photo_once(
    mien: Mien, album: Path, names: list[str]
) -> None:
    data = mien("enroll", "ana", *(album / name for name in names), "--json").json
    assert data["outcome"] == "enrolled"
    assert data["user"] == "ana"
    assert data["photos_in_template"] == len(data["photos"]) == (3 if names[0] == "me/*" else 2)
    assert all(photo["leave_one_out"] > 0.8 for photo in data["photos"])
    assert data["skipped"] == []


def test_enroll_says_what_it_skipped_and_what_would_help(
    mien: Mien, album: Path, tmp_path: Path
) -> None:
    copy = shutil.copy(album / "me" / "1.png", tmp_path / "copy.png")
    ran = mien("enroll", "ana", album / "me" / "1.png", copy)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "enrolled ana from 1 photo"
    assert f"skipped {str(copy)!r}: nearly the same as" in ran.out
    assert "advice: one photo only" in ran.out


def test_enroll_of_a_taken_name_says_how_to_go_on(mien: Mien, album: Path, vault: Path) -> None:
    before = vault.read_bytes()
    ran = mien("enroll", "ana", album / "probe.png")
    assert ran.code == 2
    assert "pass --replace to start over, or --add" in ran.complaint
    assert vault.read_bytes() == before
    assert (
        mien("enroll", "--add", "ana", album / "probe.png", "--json").json["photos_in_template"]
        == 4
    )
    assert (
        mien("enroll", "--replace", "ana", album / "probe.png", "--json").json["photos_in_template"]
        == 1
    )


@pytest.mark.parametrize(
    ("photo", "code", "words"),
    [
        ("wall.png", 3, "wall.png': no face found"),
        ("crowd.png", 4, "crowd.png': 2 faces of similar size"),
        ("text.jpg", 5, "text.jpg' is not a picture"),
        ("nowhere.jpg", 5, "there is no file"),
        ("*.bmp", 2, "no picture has such a name"),
    ],
)
def test_enroll_refuses_by_the_photos_name_and_keeps_the_vault(
    mien: Mien, album: Path, vault: Path, photo: str, code: int, words: str
) -> None:
    before = vault.read_bytes()
    ran = mien("enroll", "new", album / "me", album / photo)
    assert ran.code == code
    assert words in ran.complaint
    assert ran.out == ""
    assert vault.read_bytes() == before


def test_enroll_refuses_a_stranger_with_1(mien: Mien, album: Path, vault: Path) -> None:
    ran = mien("enroll", "--add", "ben", album / "probe.png")
    assert ran.code == 1
    assert "do not show one person" in ran.complaint


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\nb", " ana", "x" * 65])
def test_a_name_that_could_be_a_path_or_unseen_is_2(mien: Mien, album: Path, name: str) -> None:
    for arguments in (
        ("enroll", name, album / "me"),
        ("unlock", name, album / "probe.png"),
        ("forget", name),
    ):
        ran = mien(*arguments)
        assert ran.code == 2
        assert "the user name" in ran.complaint


# unlock, identify, compare -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "photo", "code", "outcome"),
    [
        ("ana", "probe.png", 0, "unlocked"),
        ("ben", "probe.png", 1, "not_the_owner"),
        ("ana", "wall.png", 3, "no_face"),
        ("ana", "crowd.png", 4, "several_faces"),
        ("ana", "text.jpg", 5, "unreadable_image"),
        ("zoe", "probe.png", 6, "not_enrolled"),
    ],
)
def test_unlock_answers_with_the_outcomes_code_in_words_and_in_json(
    mien: Mien, album: Path, vault: Path, user: str, photo: str, code: int, outcome: str
) -> None:
    in_words = mien("unlock", user, album / photo)
    data = mien("unlock", user, album / photo, "--json").json
    assert in_words.code == data["exit_code"] == code
    assert data["outcome"] == outcome
    if "error" in data:
        assert in_words.complaint == data["error"]
        assert in_words.out == ""
    else:
        assert in_words.out.startswith("unlocked: " if code == 0 else "locked: ")
        assert in_words.out.count("\n") == 1
        assert data["threshold"] == 0.363
        assert data["model"] == "sface"
        assert (data["similarity"] is None) is (code in (3, 4))
        assert (data["face"] is None) is (code in (3, 4))


def test_identify_names_the_right_one_or_nobody(mien: Mien, album: Path, vault: Path) -> None:
    found = mien("identify", album / "probe.png")
    assert found.code == 0
    assert found.out.startswith("ana: the same person")
    mien("forget", "ana")
    nobody = mien("identify", album / "probe.png")
    assert nobody.code == 1
    assert nobody.out.startswith("nobody enrolled: not similar enough")
    data = mien("identify", album / "probe.png", "--json").json
    assert data["user"] is None
    assert data["outcome"] == "not_the_owner"


@pytest.mark.parametrize(("photo", "code"), [("wall.png", 3), ("crowd.png", 4), ("text.jpg", 5)])
def test_identify_needs_a_photo_of_one_person(
    mien: Mien, album: Path, vault: Path, photo: str, code: int
) -> None:
    ran = mien("identify", album / photo)
    assert ran.code == code
    assert ran.complaint


def test_identify_with_nobody_enrolled_is_6(mien: Mien, album: Path) -> None:
    ran = mien("identify", album / "probe.png")
    assert ran.code == 6
    assert "mien enroll" in ran.complaint


@pytest.mark.parametrize(
    ("b", "code"), [("me/2.png", 0), ("wall.png", 3), ("crowd.png", 4), ("text.jpg", 5)]
)
def test_compare_answers_with_the_outcomes_code(mien: Mien, album: Path, b: str, code: int) -> None:
    ran = mien("compare", album / "probe.png", album / b)
    assert ran.code == code
    if code == 0:
        assert ran.out.startswith("one person: similarity 0.9")
    else:
        assert ran.complaint


def test_compare_tells_two_people_apart(mien: Mien, album: Path, shared_photos: Path) -> None:
    ran = mien("compare", album / "probe.png", shared_photos / "faces" / "me" / "me_1.jpg")
    assert ran.code == 1
    assert ran.out.startswith("two people: similarity ")


# list and forget ---------------------------------------------------------------------------


def test_list_shows_who_is_enrolled(mien: Mien, vault: Path) -> None:
    ran = mien("list")
    assert ran.out.splitlines() == [
        "ana  enrolled 2026-01-31T12:00:00+00:00  with sface",
        "ben  enrolled 2026-01-31T12:00:00+00:00  with sface",
    ]
    people = mien("list", "--json").json["people"]
    assert [person["user"] for person in people] == ["ana", "ben"]


def test_list_of_nobody_says_so_and_makes_no_file(mien: Mien, home: Path) -> None:
    ran = mien("list")
    assert ran.code == 0
    assert ran.out.startswith("nobody is enrolled; run: mien enroll")
    assert mien("list", "--json").json["people"] == []
    assert list(home.iterdir()) == []


def test_forget_removes_a_template(mien: Mien, album: Path, vault: Path) -> None:
    assert mien("forget", "ana").out == "forgot ana\n"
    assert mien("unlock", "ana", album / "probe.png").code == 6
    again = mien("forget", "ana")
    assert again.code == 6
    assert "ana is not enrolled" in again.complaint
    assert mien("forget", "ben", "--json").json == {
        "outcome": "forgotten",
        "exit_code": 0,
        "user": "ben",
    }


def test_whoever_is_not_enrolled_leaves_no_trace(mien: Mien, home: Path, album: Path) -> None:
    assert mien("unlock", "ana", album / "probe.png").code == 6
    assert mien("forget", "ana").code == 6
    assert list(home.iterdir()) == []


# damaged vault, missing model --------------------------------------------------------------


def test_a_damaged_vault_is_8_and_opens_nothing(mien: Mien, album: Path, vault: Path) -> None:
    vault.write_bytes(vault.read_bytes()[:-3000] + bytes(3000))
    for arguments in (("unlock", "ana", album / "probe.png"), ("list",), ("doctor", "--json")):
        ran = mien(*arguments)
        assert ran.code == 8
        assert "\n" not in ran.out[:-1]
    assert mien("unlock", "ana", album / "probe.png", "--json").json["outcome"] == "vault_damaged"


def test_a_vault_that_others_can_change_is_8(mien: Mien, album: Path, vault: Path) -> None:
    vault.chmod(0o622)
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 8
    assert "chmod 600" in ran.complaint


def test_a_template_of_another_model_is_10(mien: Mien, album: Path, vault: Path) -> None:
    with SqliteVault(vault, create=False) as opened:
        opened.put(somebody("ana", ModelId("vggface2", "cd" * 32)), replace=True)
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 10
    assert ran.complaint
    assert mien("unlock", "ana", album / "probe.png", "--json").json["outcome"] == (
        "model_unavailable"
    )


def test_altered_weights_are_10_and_open_nothing(
    mien: Mien, album: Path, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = EMBEDDERS["sface"].model
    real = load_settings().cache_dir
    shutil.copytree(real, tmp_path / "cache" / "mien")
    graph_path(row, "onnxruntime", tmp_path / "cache" / "mien").unlink()
    (tmp_path / row.file_name).write_bytes(b"other weights")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    ran = mien("unlock", "ana", album / "probe.png")
    assert ran.code == 10
    assert "model sface at" in ran.complaint
    assert "was altered" in ran.complaint
    assert mien("unlock", "ana", album / "probe.png", "--json").json["exit_code"] == 10


# models and doctor -------------------------------------------------------------------------


def test_models_lists_every_row_with_licence_and_hash(mien: Mien) -> None:
    ran = mien("models")
    assert ran.code == 0
    for name in ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "sface"):
        assert name in ran.out
    assert "Apache-2.0" in ran.out
    data = mien("models", "--json").json
    assert data["outcome"] == "listed"
    assert {row["state"] for row in data["models"]} == {"ok"}
    assert all(len(row["sha256"]) == 64 for row in data["models"])


def test_models_names_an_altered_file_with_10(
    mien: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pnet.lz4").write_bytes(b"other weights")
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    data = mien("models", "--json").json
    assert data["outcome"] == "model_unavailable"
    assert [row["state"] for row in data["models"]] == ["altered", "ok", "ok", "ok"]
    ran = mien("doctor")
    assert ran.code == 10
    assert f"FAIL model mtcnn-pnet: altered at {str(tmp_path / 'pnet.lz4')!r}" in ran.out


def test_doctor_finds_this_machine_healthy_and_makes_no_file(mien: Mien, home: Path) -> None:
    ran = mien("doctor")
    assert ran.code == 0, ran.out
    assert "FAIL" not in ran.out
    data = mien("doctor", "--json").json
    assert data["outcome"] == "healthy"
    assert list(home.iterdir()) == []


# explore and demo --------------------------------------------------------------------------


@pytest.fixture
def people(album: Path, tmp_path: Path) -> Path:
    """A folder of people, one of them with a name that would break a line."""
    root = tmp_path / "people"
    for person, photos in {"me": ["1", "2", "3"], "two\nlines": ["1", "2"]}.items():
        (root / person).mkdir(parents=True)
        for photo in photos:
            shutil.copy(album / "me" / f"{photo}.png", root / person)
    shutil.copy(album / "wall.png", root / "me" / "wall.png")
    shutil.copy(album / "text.jpg", root / "me" / "text.jpg")
    return root


def test_explore_writes_its_report_and_names_what_it_left_out(
    mien: Mien, people: Path, tmp_path: Path
) -> None:
    out = tmp_path / "seen"
    ran = mien("explore", people, "--out", out)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "5 faces of 2 people"
    assert lines[1].startswith(f"  left out: {str(people / 'me' / 'text.jpg')!r} is not a picture")
    assert lines[2].startswith(f"  left out: {str(people / 'me' / 'wall.png')!r}: no face found")
    assert lines[3] == f"report: {out / 'report.html'}"
    assert {path.name for path in out.iterdir()} >= {
        "report.html",
        "faces.png",
        "similarity.png",
        "map.png",
    }


def test_demo_on_a_folder_of_people(mien: Mien, people: Path, tmp_path: Path) -> None:
    ran = mien("demo", "--photos", people, "--out", tmp_path / "shown")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "door of me, 5 faces found"
    assert lines[3].split() == ["probe", "decision", "similarity", "threshold"]
    assert lines[4].split()[:2] == ["3.png", "unlocked"]
    assert (tmp_path / "shown" / "report.html").is_file()


def test_a_folders_name_cannot_break_a_line(mien: Mien, people: Path, tmp_path: Path) -> None:
    shown = mien(
        "demo", "--photos", people, "--out", tmp_path / "shown", "--owner", "two\nlines", "--json"
    )
    assert shown.json["owner"] == "two\nlines"
    ran = mien("demo", "--photos", people, "--out", tmp_path / "shown", "--owner", "no\nbody")
    assert ran.code == 2
    assert r"no face of 'no\nbody' found; choose one of 'me', 'two\nlines'" in ran.complaint


@pytest.mark.parametrize("command", ["explore", "demo"])
def test_a_folder_without_people_is_2(mien: Mien, command: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        option = ("--photos", folder) if command == "demo" else (folder,)
        ran = mien(command, *option, "--out", tmp_path / "out")
        assert ran.code == 2
        assert ran.complaint
    assert not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_is_2(mien: Mien, people: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ran = mien("explore", people, "--out", tmp_path / "file" / "out")
    assert ran.code == 2
    assert "cannot make the folder" in ran.complaint


# what leaves the process -------------------------------------------------------------------


def test_no_embedding_and_no_pixel_is_ever_printed(mien: Mien, album: Path) -> None:
    said = [
        mien("enroll", "ana", album / "me", "--json"),
        mien("unlock", "ana", album / "probe.png", "--json"),
        mien("identify", album / "probe.png", "--json"),
        mien("compare", album / "probe.png", album / "me" / "1.png", "--json"),
        mien("list", "--json"),
    ]

    def longest(value: object) -> int:
        if isinstance(value, dict):
            return max(map(longest, value.values()), default=0)
        if isinstance(value, list):
            return max([len(value), *map(longest, value)])
        return 0

    assert all(longest(ran.json) <= 5 for ran in said)  # five points of a face


def test_names_of_any_script_are_printed_or_escaped_but_never_a_traceback(
    mien: Mien, album: Path
) -> None:
    mien("enroll", "Zo\u00eb \u5b57", album / "me" / "1.png")
    assert mien("list").out.startswith("Zo\u00eb \u5b57  enrolled")
    env = {"PYTHONIOENCODING": "ascii"}
    ran = started("list", env=env, capture_output=True)
    assert ran.returncode == 0
    assert ran.stdout.startswith(b"Zo\\xeb \\u5b57  enrolled")


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_leaves_early_is_no_error(vault: Path, album: Path, buffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    env = {"PYTHONUNBUFFERED": buffered}
    try:
        ran = started("list", env=env, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")
@pytest.mark.parametrize("buffered", ["", "1"])
def test_an_answer_that_cannot_be_written_is_a_no(vault: Path, album: Path, buffered: str) -> None:
    env = {"PYTHONUNBUFFERED": buffered}
    with open("/dev/full", "wb") as full:
        ran = started(
            *("unlock", "ana", album / "probe.png"),
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"mien: cannot write the answer: No space left")
    assert ran.stderr.count(b"\n") == 1


def test_closed_output_leaves_the_exit_code(vault: Path, album: Path) -> None:
    line = f'"{sys.executable}" -m mien unlock "$0" "$1" --json >&- 2>&-'
    for user, code in (("ana", 0), ("ben", 1), ("zoe", 6)):
        ran = subprocess.run(
            ["sh", "-c", line, user, str(album / "probe.png")], timeout=GUARD_S, check=False
        )
        assert ran.returncode == code


def test_the_whole_story_in_processes_of_their_own(home: Path, album: Path) -> None:
    steps = [
        (("enroll", "ana", album / "me"), 0),
        (("unlock", "ana", album / "probe.png"), 0),
        (("unlock", "ana", album / "wall.png"), 3),
        (("forget", "ana"), 0),
        (("unlock", "ana", album / "probe.png"), 6),
    ]
    for arguments, code in steps:
        ran = started(*arguments, capture_output=True, text=True)
        assert ran.returncode == code, ran.stderr
        assert "Traceback" not in ran.stderr
        assert bool(ran.stderr) is (code == 6)


# progress ----------------------------------------------------------------------------------


def test_a_progress_bar_on_a_terminal_and_none_in_a_pipe(home: Path, album: Path) -> None:
    leader, follower = pty.openpty()
    try:
        on_terminal = started(
            "enroll", "ana", album / "me", stdout=subprocess.PIPE, stderr=follower
        )
    finally:
        os.close(follower)
    drawn = os.read(leader, 100_000)
    os.close(leader)
    in_pipe = started("enroll", "ben", album / "me", capture_output=True)
    assert on_terminal.returncode == in_pipe.returncode == 0
    assert b"looking at photos" in drawn
    assert b"looking at" not in on_terminal.stdout
    assert in_pipe.stderr == b""
