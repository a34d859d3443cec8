"""Optimised graphs give the same outputs bit by bit, and none is used but what was made here."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.small_disk import resize, small_disk

from mien.models import (
    MODEL_ROWS,
    ONET,
    PNET,
    RNET,
    ModelRow,
    Net,
    OptimisedStore,
    cached_graph_path,
    open_net,
    optimise,
    optimised,
    read_graph,
)
from mien.results import FloatArray
from mien.settings import Settings

pytestmark = pytest.mark.skipif(
    not optimised.processor(), reason="this system does not say what its processor can do"
)
SIDES = {"mtcnn-pnet": 61, "mtcnn-rnet": 24, "mtcnn-onet": 48, "sface": 112}


class Machine:
    """A cache folder, a data folder, and what was kept in them."""

    def __init__(self, folder: Path) -> None:
        self.store = OptimisedStore(None, folder / "cache", folder / "data")

    def make(self, row: ModelRow = PNET) -> None:
        """As the process does that a start of mien starts."""
        optimise.optimise_row(row, self.store)

    def open(self, row: ModelRow = PNET) -> Net:
        net = self.store.open(row, threads=1)
        assert net is not None
        return net

    def file(self, row: ModelRow = PNET) -> Path:
        (path,) = self.store.cache_dir.glob(f"graphs/{row.name}-*.optimised")
        return path

    def record(self, row: ModelRow = PNET) -> Path:
        return self.store.record_path(row)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which P-Net was optimised."""
    made = Machine(tmp_path)
    made.make()
    return made


def pixels(row: ModelRow = PNET) -> FloatArray:
    side = SIDES[row.name]
    return np.random.default_rng(5).uniform(0, 255, (3, 3, side, side)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(settings: Settings) -> Callable[[ModelRow], FloatArray]:
    """What the published graph gives."""

    def run(row: ModelRow) -> FloatArray:
        graph = read_graph(row, "onnxruntime", models_dir=None, cache_dir=settings.cache_dir)
        return open_net(graph, engine="onnxruntime", threads=1)(pixels(row))

    return run


Expected = Callable[[ModelRow], FloatArray]


@pytest.mark.parametrize("name", MODEL_ROWS)
def test_an_optimised_graph_gives_the_same_numbers_as_the_published_one(
    name: str, settings: Settings, expected: Expected, tmp_path: Path
) -> None:
    row = MODEL_ROWS[name]
    machine = Machine(tmp_path)
    published = cached_graph_path(row, "onnxruntime", settings.cache_dir)
    machine.store.cache_dir.joinpath("graphs").mkdir(parents=True)
    if published.is_file():  # or it is built here
        shutil.copy(published, machine.store.cache_dir / "graphs")
    machine.make(row)
    assert machine.store.is_kept(row)
    np.testing.assert_array_equal(machine.open(row)(pixels(row)), expected(row))


def test_what_is_missing_is_made_by_another_process_and_at_most_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, expected: Expected
) -> None:
    machine.store.prepare([PNET, RNET])
    np.testing.assert_array_equal(machine.open(RNET)(pixels(RNET)), expected(RNET))

    def fail(names: list[str], store: OptimisedStore) -> None:
        raise AssertionError(f"{names} were made again")

    monkeypatch.setattr(optimised, "_run_optimise", fail)
    machine.store.prepare([PNET, RNET])
    machine.store.keep(PNET, b"")  # as if it was tried in vain
    machine.store.prepare([PNET, RNET])


def test_the_file_and_its_record_are_for_this_user_alone(machine: Machine) -> None:
    for path in (machine.file(), machine.record()):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x40  # in the exponent of a weight: doubles it, or halves it
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a weight was changed": lambda path: _flip(path, -61),
    "the header was changed": lambda path: _flip(path, 20),
    "its length was changed": lambda path: _flip(path, 3),
    "it was cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "it is empty": lambda path: os.truncate(path, 0),
    "it is longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "it is gone": lambda path: path.unlink(),
    "it is a folder": lambda path: (path.unlink(), path.mkdir()),
    "it is a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "it is another net": lambda path: path.write_bytes(path.read_bytes()[::-1]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_never_used_and_is_made_again(
    machine: Machine, damage: str, expected: Expected
) -> None:
    DAMAGE[damage](machine.file())
    assert machine.store.open(PNET, threads=1) is None
    if damage == "it is a folder":
        return
    machine.store.prepare([PNET])
    np.testing.assert_array_equal(machine.open()(pixels()), expected(PNET))


def test_where_an_empty_file_is_what_the_record_says_it_is_not_used(machine: Machine) -> None:
    machine.record().write_text(
        changed(machine.record(), size=0, sha256=hashlib.sha256().hexdigest())
    )
    os.truncate(machine.file(), 0)
    assert machine.store.open(PNET, threads=1) is None


def test_a_file_that_cannot_be_read_for_want_of_memory_is_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, *, size: int, sha256: str) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(optimised, "read_optimised", fail)
    assert machine.store.open(PNET, threads=1) is None
    assert machine.store.is_kept(PNET)


RECORDS: dict[str, Callable[[Path], object]] = {
    "another hash": lambda path: path.write_text(changed(path, sha256="0" * 64)),
    "another size": lambda path: path.write_text(changed(path, size=10)),
    "a size without bounds": lambda path: path.write_text(changed(path, size=1 << 60)),
    "no size": lambda path: path.write_text(changed(path, size=0)),
    "a negative size": lambda path: path.write_text(changed(path, size=-1)),
    "no number": lambda path: path.write_text(changed(path, size="1")),
    "another key": lambda path: path.write_text(changed(path, key="0" * 16)),
    "an unknown field": lambda path: path.write_text(changed(path, more=1)),
    "a list": lambda path: path.write_text("[]"),
    "no JSON": lambda path: path.write_bytes(b"\xff{"),
    "deep JSON": lambda path: path.write_text("[" * 4000),
    "writable for everybody": lambda path: path.chmod(0o666),
    "gone": lambda path: path.unlink(),
}


def changed(path: Path, **fields: object) -> str:
    return json.dumps({**json.loads(path.read_text()), **fields})


@pytest.mark.parametrize("damage", RECORDS)
def test_with_a_damaged_record_the_file_is_not_used_and_both_are_made_again(
    machine: Machine, damage: str, expected: Expected
) -> None:
    RECORDS[damage](machine.record())
    assert machine.store.open(PNET, threads=1) is None
    machine.store.prepare([PNET])
    np.testing.assert_array_equal(machine.open()(pixels()), expected(PNET))


def test_whoever_writes_to_the_file_after_it_was_checked_changes_nothing(
    machine: Machine, expected: Expected
) -> None:
    net = machine.open()
    with machine.file().open("r+b") as file:  # the same file, not one that replaces it
        file.write(bytes(machine.file().stat().st_size))
    np.testing.assert_array_equal(net(pixels()), expected(PNET))


@pytest.mark.parametrize("what", ["processor", "describe_onnxruntime", "FORM"])
def test_for_another_processor_or_version_it_is_made_again(
    machine: Machine, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = machine.file()
    content = before.read_bytes()
    other = 9 if what == "FORM" else lambda: "flags : none of these"
    monkeypatch.setattr(optimised, what, other)
    renamed = before.with_name(f"{PNET.name}-{optimised.key_of(PNET)}.optimised")
    renamed.write_bytes(content)
    assert machine.store.open(PNET, threads=1) is None
    renamed.unlink()
    machine.make()
    assert machine.file() != before  # and the old one is gone


def test_where_the_processor_is_not_known_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimised, "processor", lambda: "")
    machine = Machine(tmp_path)
    machine.store.prepare([PNET])
    assert list(tmp_path.iterdir()) == []


def test_a_graph_with_other_outputs_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine whose optimised graph is that of other weights stands for a faulty one."""
    machine, write = Machine(tmp_path), optimise.write_optimised

    def write_other(graph: bytes, path: Path) -> None:
        other = bytearray(graph)
        other[-4000:-3990] = bytes(byte ^ 1 for byte in other[-4000:-3990])
        write(bytes(other), path)

    monkeypatch.setattr(optimise, "write_optimised", write_other)
    machine.make()
    assert not list(tmp_path.rglob("*.optimised"))
    assert machine.store.find(PNET) is not None  # so that it is not tried at every start
    assert machine.store.open(PNET, threads=1) is None


def test_a_process_that_is_killed_while_it_optimises_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path)

    def die(graph: bytes, path: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(optimise, "write_optimised", die)
    with pytest.raises(MemoryError):
        machine.make()
    monkeypatch.undo()
    machine.store.prepare([PNET])
    assert not machine.store.is_kept(PNET)
    machine.store.forget(PNET)  # as `mien doctor` does
    machine.store.prepare([PNET])
    assert machine.store.is_kept(PNET)


@pytest.mark.parametrize("folder", ["cache", "data"])
def test_on_a_full_disk_nothing_is_tried_until_there_is_room(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path)
    with small_disk(tmp_path / folder, 16 << 20) as disk:
        with monkeypatch.context() as without:
            without.delattr(optimised, "_run_optimise")
            machine.store.prepare([PNET])
        assert machine.store.find(PNET) is None
        resize(disk, 200 << 20)
        machine.store.prepare([PNET])
        assert machine.store.is_kept(PNET)


def test_a_disk_that_becomes_full_meanwhile_leaves_no_record_of_a_failure(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with small_disk(tmp_path / "cache", 200 << 10):
        with pytest.raises(OSError, match="No space left"):
            machine.make(ONET)
        assert machine.store.find(ONET) is None


@pytest.mark.parametrize("folder", ["cache", "data"])
def test_with_a_file_in_place_of_a_folder_nothing_is_made(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # unlike a folder without rights, this stops root as well
    (tmp_path / folder).write_text("in the way")
    machine = Machine(tmp_path)
    monkeypatch.delattr(optimised, "_run_optimise")
    machine.store.prepare([PNET])
    assert machine.store.open(PNET, threads=1) is None


def test_a_program_that_contains_python_is_not_started_as_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    monkeypatch.delattr(optimised, "_run_optimise")
    Machine(tmp_path).store.prepare([PNET])


def test_the_optimised_graph_of_one_net_does_not_stand_for_another(machine: Machine) -> None:
    machine.make(ONET)
    machine.file(ONET).write_bytes(machine.file(PNET).read_bytes())
    assert machine.store.open(ONET, threads=1) is None
