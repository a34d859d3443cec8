"""A full disk, or a read-only one: every change is refused, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.small_disk import make_read_only, small_disk

Mien = Callable[..., Any]
ROOM = 200 << 10


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", ROOM) as folder:
        yield folder


def test_on_a_full_disk_every_change_is_refused_and_nothing_is_lost(
    mien: Mien, album: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_VAULT", f"sqlite:///{disk}/vault.sqlite")
    assert mien("enroll", "ana", album / "me/1.png").code == 0
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(ROOM))  # writes what goes in
    for command in (
        ("enroll", "ben", album / "probe.png"),
        ("unlock", "ana", album / "probe.png"),
        ("forget", "ana"),
        ("vault", "rotate"),
    ):
        refused = mien(*command)
        assert refused.code == 8
        assert "free some space" in refused.complaint
    filler.unlink()
    assert mien("vault", "verify").code == 0
    assert mien("unlock", "ana", album / "probe.png").code == 0
    assert mien("unlock", "ben", album / "probe.png").code == 6


def test_nothing_is_changed_if_the_rollback_guard_cannot_be_written(
    mien: Mien, album: Path, vault: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of what was seen is on the full disk, and the vault is not."""
    monkeypatch.setenv("XDG_STATE_HOME", str(disk))
    assert mien("enroll", "zoe", album / "probe.png").code == 0
    seen = mien("vault", "status", "--json").json["change"]
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(ROOM))
    for command in (
        ("enroll", "zed", album / "probe.png"),
        ("unlock", "ana", album / "probe.png"),
        ("forget", "ana"),
        ("vault", "rotate"),
        ("vault", "centroids", "on"),
    ):
        refused = mien(*command)
        assert refused.code == 8
        assert "which remembers the vault's last state: No space left" in refused.complaint
        assert refused.complaint.endswith("free some space and try again")
    assert mien("vault", "status", "--json").json["change"] == seen
    filler.unlink()
    assert mien("vault", "verify").code == 0
    assert [one["user"] for one in mien("list", "--json").json["people"]] == ["ana", "ben", "zoe"]


def test_where_the_folder_of_the_last_state_is_read_only_nothing_is_to_be_accepted(
    mien: Mien, album: Path, vault: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`mien vault verify --accept` could write there no more than an unlock."""
    monkeypatch.setenv("XDG_STATE_HOME", str(disk))
    make_read_only(disk)
    refused = mien("unlock", "ana", album / "probe.png")
    assert refused.code == 8
    assert refused.complaint.endswith("make its file system writable and try again")
