"""The files of a run: who can read them, and that what others wrote into them is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bulk import fragile
from tests.bulk.fragile import SHARD
from tests.bulk.test_run import expect_each_once, request, rows

from mien.bulk.plan import read_run
from mien.bulk.storage import open_folder
from mien.errors import KeyUnavailable, UsageError, VaultDamaged
from mien.settings import Settings

pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[cluster]'")
pytest.importorskip("fsspec", reason="needs fsspec: pip install '.[cluster]'")


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


def edit_row(shard: Path, **values: object) -> None:
    """Write the plain shard again with other values in the first row."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(shard)
    first, *others = table.to_pylist()
    edited = pyarrow.Table.from_pylist([{**first, **values}, *others], schema=table.schema)
    pyarrow.parquet.write_table(edited, shard)


@pytest.mark.parametrize(
    "values",
    [
        {"box": [1.0, float("nan"), 3.0, 4.0]},
        {"box": [1.0, 2.0, float("inf"), 4.0]},
        {"box": [3.0, 2.0, 1.0, 4.0]},
        {"box": [1.0, 2.0]},
        {"score": float("nan")},
        {"score": 1.5},
        {"embedding": [float("nan")] * 128},
        {"embedding": [float("inf")] * 128},
        {"embedding": [1.0] + [0.0] * 126},
        {"faces": -1},
        {"sha256": "z" * 64},
        {"outcome": "no_face"},
        {"error": "x" * 40_000},
    ],
)
def test_a_plain_shard_with_a_row_that_mien_does_not_write_is_refused(
    source: Path, tmp_path: Path, own: Settings, values: dict[str, object]
) -> None:
    out = tmp_path / "out"
    fragile.embed(request(source, out, seal=False), own)
    edit_row(out / "shard-0000-00000.parquet", **values)
    with pytest.raises(VaultDamaged, match="embed --resume"):
        rows(out, own)


def test_words_of_a_plain_shard_cannot_write_to_the_terminal(
    source: Path, tmp_path: Path, own: Settings
) -> None:
    out = tmp_path / "out"
    fragile.embed(request(source, out, seal=False), own)
    shard = out / "shard-0000-00000.parquet"
    edit_row(shard, quality="\x1b[31mred")
    assert rows(out, own)[0].faults == ("?[31mred",)
    edit_row(shard, embedding=None, outcome="no_face", error="\x1b[31mred\n")
    assert rows(out, own)[0].error == "?[31mred?"


@pytest.mark.parametrize("column", ["error", "embedding"])
def test_a_small_plain_shard_that_stands_for_gigabytes_is_refused_before_they_are_read(
    source: Path, tmp_path: Path, own: Settings, column: str
) -> None:
    import pyarrow
    import pyarrow.parquet

    out = tmp_path / "out"
    fragile.embed(request(source, out, seal=False), own)
    shard = out / "shard-0000-00000.parquet"
    table = pyarrow.parquet.read_table(shard)
    at = table.column_names.index(column)
    large: list[object] = (
        ["x" * 5_000_000] * SHARD if column == "error" else [[0.0] * 99_999] * SHARD
    )
    table = table.set_column(at, column, pyarrow.array(large, table.schema.field(at).type))
    pyarrow.parquet.write_table(table, shard, use_dictionary=column != "error", compression="zstd")
    assert shard.stat().st_size < 100_000
    with pytest.raises(VaultDamaged, match="embed --resume") as refusal:
        rows(out, own)
    assert str(refusal.value.__cause__) == "more than a shard has"


@pytest.mark.parametrize(
    "shards",
    [
        {"shard-0000-00009.parquet": [f"{number}.jpg" for number in range(1001)]},
        {"shard-0000-00009.parquet": ["person 0/00.jpg"]},  # which another shard has
        {"shard-0000-00009.parquet": []},
        {"shard-0000-00009.parquet": [""]},
        {"shard-0000-00009.parquet": [5]},
        {"shard-0000-00009.parquet": "abc"},
        {"shard-0001-00009.parquet": ["a.jpg"]},
        {"shard-0000-00009.parquet.sealed": ["a.jpg"]},
    ],
)
def test_a_plan_with_a_shard_that_mien_does_not_plan_is_refused(
    source: Path, tmp_path: Path, own: Settings, shards: dict[str, object]
) -> None:
    out = tmp_path / "out"
    fragile.embed(request(source, out, seal=False), own)
    plan = out / "plan-0000.json"
    said = json.loads(plan.read_text())
    plan.write_text(json.dumps({**said, "shards": {**said["shards"], **shards}}))
    with pytest.raises(VaultDamaged, match="was altered"):
        fragile.embed(request(source, out, seal=False, resume=True), own)
    assert len(list(out.glob("shard-*"))) == 3


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
