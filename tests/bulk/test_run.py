"""Runs of `mien bulk embed`: every photo exactly once, whatever ends the run or a worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.bulk import fragile

from mien.bulk.embedded_photo import EmbeddedPhoto
from mien.bulk.plan import RunInfo, plan_numbers, read_plan, read_run
from mien.bulk.run import RunRequest
from mien.bulk.shard_file import decode_shard
from mien.bulk.shard_seal import Sealer, open_sealer
from mien.bulk.storage import Folder, open_folder
from mien.errors import KeyUnavailable, Outcome, UsageError, VaultDamaged
from mien.settings import Settings, load_settings

pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[cluster]'")
pytest.importorskip("fsspec", reason="needs fsspec: pip install '.[cluster]'")

PROGRAM = (
    "import sys; from mien.settings import load_settings; from mien.bulk.run import RunRequest;"
    "from tests.bulk import fragile;"
    "fragile.embed(RunRequest(sys.argv[1], sys.argv[2], 'sface', resume=True), load_settings())"
)
PHOTOS = 40
SHARD = 16  # photos: the least


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty photos of eight people."""
    made = tmp_path / "people"
    for number in range(PHOTOS):
        photo = made / f"person {number // 5}" / f"{number:02}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(f"photo {number}".encode())
    (made / "person 0" / ".hidden.jpg").write_bytes(b"exit")
    (made / "person 0" / "notes.txt").write_bytes(b"exit")
    return made


@pytest.fixture
def own(home: Path) -> Settings:
    """Settings of an empty home."""
    return load_settings()


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


def test_an_empty_source_is_refused(tmp_path: Path, own: Settings) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no photo in"):
        fragile.embed(request(tmp_path / "empty", tmp_path / "out"), own)
    with pytest.raises(UsageError, match="no folder"):
        fragile.embed(request(tmp_path / "absent", tmp_path / "other"), own)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "other").exists()


# what others can read or change -----------------------------------------------------------------


def test_sealed_files_show_no_name_and_no_embedding_and_are_private(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    out = tmp_path / "out"
    fragile.embed(request(source, out), own)
    for path in out.iterdir():
        content = path.read_bytes()
        assert b"person 1" not in content
        assert fragile.vector_of(b"photo 0").tobytes()[:16] not in content
        assert path.stat().st_mode & 0o077 == 0


def test_sealed_shards_open_with_this_key_only(source: Path, tmp_path: Path, own: Settings) -> None:
    out = tmp_path / "out"
    fragile.embed(request(source, out), own)
    stranger = replace(own, key_path=tmp_path / "stranger" / "vault.key")
    with pytest.raises(KeyUnavailable, match="sealed shards"):
        rows(out, stranger)


def test_a_passphrase_can_be_the_key(source: Path, tmp_path: Path, own: Settings) -> None:
    own = replace(own, vault_key="passphrase")
    fragile.embed(request(source, tmp_path / "out"), own)
    expect_each_once(tmp_path / "out", own)
    assert not own.key_path.with_name("bulk.key").exists()


def test_an_altered_or_swapped_shard_is_refused(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    out = tmp_path / "out"
    fragile.embed(request(source, out), own)
    first, second = sorted(out.glob("shard-*"))[:2]
    whole = first.read_bytes()
    for wrong in (whole[:-1], whole[:40] + b"x" + whole[41:], second.read_bytes(), b"", b"PAR1"):
        first.write_bytes(wrong)
        with pytest.raises(VaultDamaged, match="embed --resume"):
            rows(out, own)


def test_plain_shards_are_parquet_that_others_read(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    import pyarrow.parquet

    out = tmp_path / "out"
    fragile.embed(request(source, out, seal=False), own)
    table = pyarrow.parquet.read_table(out / "shard-0000-00000.parquet")
    assert table.column_names == [
        *("id", "sha256", "box", "score", "quality", "embedding", "faces", "outcome", "error")
    ]
    # of no fixed size: pyarrow before 25 reads no null among lists of one
    assert {str(table.schema.field(name).type) for name in ("box", "embedding")} == {
        "list<element: float>"
    }
    said = json.loads(table.schema.metadata[b"mien"])
    assert said["model"] == "sface"
    assert len(said["model_sha256"]) == 64
    assert said["calibration"] == "shipped"
    assert said["version"]


def test_a_plain_shard_of_more_rows_than_a_shard_has_is_refused_before_they_are_read(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    import pyarrow
    import pyarrow.parquet

    out = tmp_path / "out"
    fragile.embed(request(source, out, seal=False), own)
    shard = out / "shard-0000-00000.parquet"
    table = pyarrow.parquet.read_table(shard)
    pyarrow.parquet.write_table(pyarrow.concat_tables([table] * 100), shard)
    with pytest.raises(VaultDamaged, match="embed --resume"):
        rows(out, own)


@pytest.mark.parametrize("name", ["{outside}", "../outside.jpg", "person 0/../../outside.jpg"])
def test_a_plan_that_was_edited_has_no_photo_read_outside_of_the_source(
    source: Path, tmp_path: Path, own: Settings, name: str
) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside.jpg"
    outside.write_bytes(b"photo 99")
    fragile.embed(request(source, out, seal=False), own)
    shard, plan = out / "shard-0000-00000.parquet", out / "plan-0000.json"
    shard.unlink()
    plan.write_text(plan.read_text().replace("person 0/00.jpg", name.format(outside=outside)))
    with pytest.raises(VaultDamaged, match="was altered"):
        fragile.embed(request(source, out, seal=False, resume=True), own)
    assert not shard.exists()


@pytest.mark.parametrize(
    ("field", "value"), [("model_sha256", 5), ("dims", "128"), ("carefully", 1), ("detector", [1])]
)
def test_a_description_with_a_value_of_another_type_is_refused(
    source: Path, tmp_path: Path, own: Settings, field: str, value: object
) -> None:
    fragile.embed(request(source, tmp_path / "out"), own)
    description = tmp_path / "out" / "run.json"
    description.write_text(json.dumps({**json.loads(description.read_text()), field: value}))
    with pytest.raises(VaultDamaged, match="was altered"):
        read_run(open_folder(str(tmp_path / "out")))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 1}', b'{"header": "zz"}', b"\xff"])
def test_a_damaged_description_is_refused(
    source: Path, tmp_path: Path, own: Settings, content: bytes
) -> None:
    out = tmp_path / "out"
    fragile.embed(request(source, out), own)
    for name in ("run.json", "plan-0000.json"):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(content)
        with pytest.raises((VaultDamaged, UsageError)):
            fragile.embed(request(source, out, resume=True), own)
        (out / name).write_bytes(whole)
