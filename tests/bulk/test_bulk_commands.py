"""`mien bulk embed` and `bulk enroll` with the real nets, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.bulk import fragile

from mien.bulk import guard
from mien.cli.main import main
from mien.lab.recapture import recapture
from mien.results import ByteArray

pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[cluster]'")
pytest.importorskip("fsspec", reason="needs fsspec: pip install '.[cluster]'")


@pytest.fixture
def people(tmp_path: Path, astronaut: ByteArray) -> Path:
    """A person of two photos, one without a face, and a photo of nobody in particular."""
    made = tmp_path / "people"
    rng = np.random.default_rng(5)
    head = np.ascontiguousarray(astronaut[0:256, 96:352])
    for name in ("eileen/1.png", "eileen/2.png", "alone.png"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(recapture(head, rng)).save(made / name)
    (made / "wall").mkdir()
    Image.new("RGB", (200, 200), (150, 140, 130)).save(made / "wall" / "1.png")
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = main([*(str(one) for one in arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_photos_are_embedded_and_their_people_enrolled(
    people: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, said = run(capsys, "bulk", "embed", people, "--out", out, "--workers", 1)
    assert (code, said["outcome"], said["embedded"]) == (0, "embedded", 3)
    assert said["failed"] == {"no_face": 1}
    assert said["failures"][0]["photo"] == "wall/1.png"
    assert said["sealed"] is True
    code, said = run(capsys, "bulk", "enroll", out)
    outcomes = {one["user"]: one["outcome"] for one in said["people"]}
    assert outcomes == {"eileen": "enrolled", "wall": "refused", "alone.png": "refused"}
    assert (code, said["enrolled"], said["look_alikes_searched"]) == (2, 1, False)
    assert main(["unlock", "eileen", str(people / "alone.png")]) == 0
    capsys.readouterr()
    code, said = run(capsys, "bulk", "enroll", out, "--keep")
    assert {one["user"]: one["outcome"] for one in said["people"]}["eileen"] == "already_enrolled"
    assert main(["bulk", "enroll", str(out), "--replace"]) == 2
    printed = capsys.readouterr().out
    assert "enrolled 1 of 3 people" in printed
    assert "look-alikes among them were not searched for" in printed


@pytest.fixture
def no_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "load_analysis", fragile.load)


def write(folder: Path, photos: dict[str, bytes]) -> Path:
    for name, content in photos.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def embed(source: Path, out: Path, *options: str) -> int:
    return main(["bulk", "embed", str(source), "--out", str(out), "--workers", "1", *options])


def test_where_no_photo_was_embedded_the_commonest_reason_is_the_exit_code(
    tmp_path: Path, home: Path, no_nets: None
) -> None:
    source = write(tmp_path / "s", {"a/1.jpg": b"wall", "a/2.jpg": b"wall", "a/3.jpg": b"cut"})
    assert embed(source, tmp_path / "out") == 3
    assert embed(write(tmp_path / "t", {"a/1.jpg": b"exit"}), tmp_path / "other") == 70


def test_people_of_several_plans_are_enrolled_once_with_all_photos(
    tmp_path: Path, home: Path, no_nets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "s", {"ana/1.jpg": b"one", "ben/1.jpg": b"two"})
    assert embed(source, tmp_path / "out") == 0
    write(source, {"ana/2.jpg": b"one"})  # the same content: a duplicate, which is not stored twice
    assert embed(source, tmp_path / "out", "--resume") == 0
    capsys.readouterr()
    code, said = run(capsys, "bulk", "enroll", tmp_path / "out")
    assert code == 0
    assert [(one["user"], one["photos"]) for one in said["people"]] == [("ana", 1), ("ben", 1)]


def test_a_person_with_folders_of_photos_is_one_person(
    tmp_path: Path, home: Path, no_nets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    # by their paths as text, "ana-maria/" would stand between the two folders of "ana"
    photos = {"ana/1.jpg": b"one", "ana/b/2.jpg": b"one", "ana-maria/1.jpg": b"two"}
    assert embed(write(tmp_path / "s", photos), tmp_path / "out") == 0
    capsys.readouterr()
    code, said = run(capsys, "bulk", "enroll", tmp_path / "out")
    assert (code, [one["user"] for one in said["people"]]) == (0, ["ana", "ana-maria"])


@pytest.mark.parametrize("option", ["--keep", "--replace"])
def test_two_folders_of_one_name_are_one_person_and_a_failure(
    tmp_path: Path, home: Path, no_nets: None, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    photos = {"\u00fc/1.jpg": b"one", "u\u0308/1.jpg": b"two"}  # one name, written in two ways
    assert embed(write(tmp_path / "s", photos), tmp_path / "out") == 0
    capsys.readouterr()
    code, said = run(capsys, "bulk", "enroll", tmp_path / "out", option)
    assert (code, [one["outcome"] for one in said["people"]]) == (2, ["enrolled", "refused"])


def test_a_folder_cannot_write_to_the_terminal(
    tmp_path: Path, home: Path, no_nets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = {"a\x1b[31m\nb/1.jpg": b"one", "a\x1b[31m\nc/1.jpg": b"wall"}
    assert embed(write(tmp_path / "s", photos), tmp_path / "out") == 0
    assert main(["bulk", "enroll", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().out
    assert "'a\\x1b[31m\\nc/1.jpg': " in said
    assert "not enrolled: 'a\\x1b[31m\\nb': " in said
    assert "\x1b" not in said


def test_photos_of_two_people_in_one_folder_are_refused(
    tmp_path: Path, home: Path, no_nets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "s", {"ana/1.jpg": b"one", "ana/2.jpg": b"two", "ana/3.jpg": b"3"})
    assert embed(source, tmp_path / "out") == 0
    capsys.readouterr()
    code, said = run(capsys, "bulk", "enroll", tmp_path / "out")
    assert code == 2
    assert "do not show one person" in said["people"][0]["why"]


def test_a_plan_that_another_run_wrote_over_is_not_enrolled(
    tmp_path: Path, home: Path, no_nets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write(tmp_path / "s", {"ana/1.jpg": b"one", "ben/1.jpg": b"two"}), tmp_path / "o"
    assert embed(source, out, "--plain") == 0
    plan = out / "plan-0000.json"
    plan.write_text(plan.read_text().replace("ben/1.jpg", "eve/1.jpg"))
    assert main(["bulk", "enroll", str(out), "--plain"]) == 8
    assert "has not the photos that were planned" in capsys.readouterr().err


def test_a_run_that_is_not_complete_is_not_enrolled(
    tmp_path: Path, home: Path, no_nets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write(tmp_path / "s", {"ana/1.jpg": b"one"}), tmp_path / "out"
    assert embed(source, out) == 0
    next(out.glob("shard-*")).unlink()
    assert main(["bulk", "enroll", str(out)]) == 2
    assert "1 shards are missing" in capsys.readouterr().err
    assert embed(source, out, "--resume") == 0
    assert main(["bulk", "enroll", str(out)]) == 0


@pytest.mark.parametrize(
    ("embedded", "enrolled", "words"),
    [
        (["--quick"], [], "--quick"),
        (["--plain"], [], "pass --plain if you trust it"),
    ],
)
def test_shards_without_the_checks_of_enrollment_or_a_seal_are_refused(
    tmp_path: Path,
    home: Path,
    no_nets: None,
    capsys: pytest.CaptureFixture[str],
    embedded: Sequence[str],
    enrolled: Sequence[str],
    words: str,
) -> None:
    out = tmp_path / "out"
    assert embed(write(tmp_path / "s", {"ana/1.jpg": b"one"}), out, *embedded) == 0
    assert main(["bulk", "enroll", str(out), *enrolled]) == 2
    assert words in capsys.readouterr().err


def test_shards_of_another_model_are_refused_before_anything_is_stored(
    tmp_path: Path, home: Path, no_nets: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert embed(write(tmp_path / "s", {"ana/1.jpg": b"one"}), out, "--plain") == 0
    run_file = out / "run.json"
    said = json.loads(run_file.read_text())
    for wrong in ({"model_sha256": "0" * 64}, {"dims": 64}):
        run_file.write_text(json.dumps({**said, **wrong}))
        assert main(["bulk", "enroll", str(out), "--plain"]) == 10
    run_file.write_text(json.dumps(said))
    other = tmp_path / "other"
    assert embed(tmp_path / "s", other, "--plain", "--quick") == 0
    name = "shard-0000-00000.parquet"
    (out / name).write_bytes((other / name).read_bytes())
    assert main(["bulk", "enroll", str(out), "--plain"]) == 10
    assert main(["list"]) == 0
    assert "ana" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workers", "0"], "--workers"),
        (["--photo-limit", "0"], "--photo-limit"),
        (["--photo-limit", "nan"], "--photo-limit"),
        (["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "one of them"),
        (["--model", "nosuch"], "unknown model"),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    words: str,
) -> None:
    source = write(tmp_path / "s", {"ana/1.jpg": b"one"})
    line = ["bulk", "embed", str(source), "--out", str(tmp_path / "out"), *arguments]
    assert main(line) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
