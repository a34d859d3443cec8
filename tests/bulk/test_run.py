"""Runs of `mien bulk embed`: every photo exactly once, whatever ends the run or a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.bulk import fragile
from tests.bulk.fragile import PHOTOS, SHARD

from mien.bulk.embedded_photo import EmbeddedPhoto
from mien.bulk.plan import RunInfo, Shard, plan_numbers, read_plan, read_run
from mien.bulk.run import Engine, RunRequest, run_in_processes
from mien.bulk.shard_file import decode_shard
from mien.bulk.shard_maker import MakerSpec, ShardSummary
from mien.bulk.shard_seal import Sealer, open_sealer
from mien.bulk.storage import Folder, open_folder
from mien.errors import Outcome, UsageError
from mien.settings import Settings

pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[cluster]'")
pytest.importorskip("fsspec", reason="needs fsspec: pip install '.[cluster]'")

PROGRAM = (
    "import sys; from mien.settings import load_settings; from mien.bulk.run import RunRequest;"
    "from tests.bulk import fragile;"
    "fragile.embed(RunRequest(sys.argv[1], sys.argv[2], 'sface', resume=True), load_settings())"
)


def request(source: Path | str, out: Path | str, **changes: object) -> RunRequest:
    return replace(RunRequest(str(source), str(out), "sface"), **changes)  # type: ignore[arg-type]


def opened(folder: Folder, settings: Settings) -> tuple[RunInfo, Sealer | None]:
    run = read_run(folder)
    assert run is not None
    if not run.is_sealed:
        return run, None
    ask = lambda: "a passphrase of tests"  # noqa: E731
    return run, open_sealer(bytes.fromhex(run.header), settings, ask)


def rows(place: Path | str, settings: Settings) -> list[EmbeddedPhoto]:
    """All records of all shards that are there."""
    folder = open_folder(str(place))
    run, sealer = opened(folder, settings)
    found: list[EmbeddedPhoto] = []
    for number in plan_numbers(folder):
        for shard in read_plan(folder, number, sealer):
            if shard.name in folder.names():
                content = folder.read(shard.name)
                content = content if sealer is None else sealer.open(content, shard.name)
                found += decode_shard(content, shard.name, dims=run.dims)[0]
    return found


def expect_each_once(place: Path | str, settings: Settings, photos: int = PHOTOS) -> None:
    counts = Counter(one.name for one in rows(place, settings))
    assert len(counts) == photos
    assert set(counts.values()) == {1}


def test_every_photo_is_a_row_with_its_embedding_or_the_reason(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    (source / "person 1" / "07.jpg").write_bytes(b"exit")
    (source / "person 2" / "13.jpg").write_bytes(b"wall")
    (source / "person 3" / "18.jpg").write_bytes(b"cut")
    summary = fragile.embed(request(source, tmp_path / "out"), own, workers=2)
    assert (summary.photos, summary.before, summary.shards) == (PHOTOS, 0, 3)
    assert summary.outcomes == {
        **{"ok": 37, "no_face": 1, "unreadable_image": 1, "internal_error": 1}
    }
    assert len(summary.failures) == 3
    expect_each_once(tmp_path / "out", own)
    found = {one.name: one for one in rows(tmp_path / "out", own)}
    assert "ended the process" in found["person 1/07.jpg"].error
    assert found["person 3/18.jpg"].outcome is Outcome.UNREADABLE_IMAGE
    good = found["person 0/00.jpg"]
    np.testing.assert_array_equal(good.vector, fragile.vector_of(b"photo 0"))
    assert good.face is not None
    np.testing.assert_array_equal(good.face.box_xyxy, [1, 2, 3, 4])
    assert len(good.sha256) == 64


def test_what_ended_a_process_is_told_before_what_has_no_face(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    (source / "person 0" / "00.jpg").write_bytes(b"wall")
    (source / "person 1" / "07.jpg").write_bytes(b"exit")
    summary = fragile.embed(request(source, tmp_path / "out"), own)
    assert [name for name, _, _ in summary.failures] == ["person 1/07.jpg", "person 0/00.jpg"]


def test_a_photo_that_hangs_is_a_row(source: Path, tmp_path: Path, own: Settings) -> None:
    (source / "person 1" / "07.jpg").write_bytes(b"hang")
    fragile.embed(request(source, tmp_path / "out", limit_s=1.0), own)
    expect_each_once(tmp_path / "out", own)
    found = {one.name: one for one in rows(tmp_path / "out", own)}
    assert "more than 1 s" in found["person 1/07.jpg"].error


def test_a_run_that_is_killed_goes_on_and_has_each_photo_once(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    out = tmp_path / "out"
    # the last shard hangs, so that the kill comes in the middle
    (source / "person 7" / "39.jpg").write_bytes(b"hang")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(source), str(out)],
        cwd=Path(__file__).parents[2],
    )
    deadline_s = 120.0
    while len(list(out.glob("shard-*"))) < 2 and process.poll() is None and deadline_s > 0:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        deadline_s -= 0.05
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*-*")}
    assert len(rows(out, own)) == 2 * SHARD
    (source / "person 7" / "39.jpg").write_bytes(b"photo 39")
    summary = fragile.embed(request(source, out, resume=True), own)
    assert (summary.before, summary.shards) == (2 * SHARD, 1)
    expect_each_once(out, own)
    assert all((out / name).stat().st_mtime_ns == at for name, at in before.items())
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == [".run.lock"]


def test_a_finished_run_has_nothing_to_do_and_later_photos_get_a_later_plan(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    out = tmp_path / "out"
    fragile.embed(request(source, out), own)
    plan = (out / "plan-0000.json").read_bytes()
    again = fragile.embed(request(source, out, resume=True), own)
    assert (again.before, again.shards, dict(again.outcomes)) == (PHOTOS, 0, {})
    (source / "person 0" / "later.jpg").write_bytes(b"later")
    (source / "person 0" / "00.jpg").unlink()
    more = fragile.embed(request(source, out, resume=True), own)
    assert (more.photos, more.shards) == (PHOTOS + 1, 1)
    assert (out / "plan-0000.json").read_bytes() == plan
    expect_each_once(out, own, PHOTOS + 1)


def test_runs_that_begin_at_the_same_time_are_one_run(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(source), str(tmp_path / "out")]
    began = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(3)]
    assert [one.wait(120) for one in began] == [0, 0, 0]
    expect_each_once(tmp_path / "out", own)


def test_a_run_whose_description_another_one_wrote_over_makes_no_shard(
    source: Path, tmp_path: Path, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, out = tmp_path / "other", tmp_path / "out"
    fragile.embed(request(source, other), own)

    def write_over(folder: Folder, *rest: object, **options: object) -> None:
        folder.write("run.json", (other / "run.json").read_bytes())

    monkeypatch.setattr("mien.bulk.run.write_plans", write_over)
    with pytest.raises(UsageError, match="another run began"):
        fragile.embed(request(source, out), own)


def test_a_destination_with_a_run_is_not_touched_without_resume(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    fragile.embed(request(source, tmp_path / "out"), own)
    with pytest.raises(UsageError, match="--resume"):
        fragile.embed(request(source, tmp_path / "out"), own)


@pytest.mark.parametrize(
    ("change", "words"), [({"carefully": False}, "carefully"), ({"seal": False}, "sealed or plain")]
)
def test_a_run_goes_on_only_as_it_was_begun(
    source: Path, tmp_path: Path, own: Settings, change: dict[str, object], words: str
) -> None:
    fragile.embed(request(source, tmp_path / "out"), own)
    with pytest.raises(UsageError, match=f"differs in {words}"):
        fragile.embed(request(source, tmp_path / "out", resume=True, **change), own)


def test_two_names_of_files_are_two_ids(source: Path, tmp_path: Path, own: Settings) -> None:
    for name in (b"\\xff.jpg", b"\xff.jpg", b"\\udcff.jpg", b"\\\\xff.jpg"):
        with open(os.fsencode(source) + b"/" + name, "wb") as photo:
            photo.write(name)
    fragile.embed(request(source, tmp_path / "out"), own)
    expect_each_once(tmp_path / "out", own, PHOTOS + 4)


def moving(folder: Path, *, put_in_place: bool) -> Engine:
    """After the first shard the folder is moved away. put_in_place: an empty one."""
    engine = run_in_processes(1)

    def run(spec: MakerSpec, shards: Iterable[Shard]) -> Iterator[ShardSummary]:
        for done, shard in enumerate(shards):
            if done == 1:
                folder.rename(folder.with_name("moved"))
                if put_in_place:
                    folder.mkdir()
            yield from engine(spec, [shard])

    return run


@pytest.mark.parametrize("put_in_place", [False, True])
def test_a_source_that_is_unmounted_is_no_fault_of_its_photos(
    source: Path,
    tmp_path: Path,
    own: Settings,
    put_in_place: bool,
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="cannot find the photos"):
        fragile.embed(request(source, out), own, engine=moving(source, put_in_place=put_in_place))
    if put_in_place:
        source.rmdir()
    (tmp_path / "moved").rename(source)
    fragile.embed(request(source, out, resume=True), own)
    assert {one.outcome for one in rows(out, own)} == {Outcome.OK}
    expect_each_once(out, own)


def test_a_source_that_another_folder_replaces_during_a_shard_is_told(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    out = tmp_path / "out"
    (source / "person 0" / "00.jpg").write_bytes(b"move")
    with pytest.raises(UsageError, match="another folder took the place"):
        fragile.embed(request(source, out), own)
    assert not list(out.glob("shard-*"))


def test_a_destination_that_is_removed_gets_no_shard(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=r"has no run\.json"):
        fragile.embed(request(source, out), own, engine=moving(out, put_in_place=False))
    assert not out.exists()


def test_an_empty_source_is_refused(tmp_path: Path, own: Settings) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no photo in"):
        fragile.embed(request(tmp_path / "empty", tmp_path / "out"), own)
    with pytest.raises(UsageError, match="no folder"):
        fragile.embed(request(tmp_path / "absent", tmp_path / "other"), own)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "other").exists()
