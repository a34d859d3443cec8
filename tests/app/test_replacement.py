"""`enroll --replace` with another face: refused unless it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from tests.vault.memory import open_memory_vault

from mien.app.enroll import enroll
from mien.app.pipeline import Pipeline
from mien.errors import AnotherFace
from mien.results import ByteArray
from mien.vault.vault import Vault


def clock() -> datetime:
    return datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.fixture
def vault(pipeline: Pipeline, shots: list[ByteArray]) -> Iterator[Vault]:
    with open_memory_vault() as vault:
        enroll("eileen", shots[:2], pipeline=pipeline, vault=vault, mode="new", clock=clock)
        yield vault


def last_enrollment(vault: Vault) -> tuple[str, str]:
    entry = vault.read_log()[-1]
    return entry.kind, entry.outcome


def test_replacing_by_another_face_is_refused_and_stores_nothing(
    vault: Vault, pipeline: Pipeline, stranger: ByteArray
) -> None:
    before = vault.look_up("eileen")
    with pytest.raises(AnotherFace, match="another face than the one enrolled as eileen"):
        enroll("eileen", [stranger], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
    after = vault.look_up("eileen")
    assert before is not None
    assert after is not None
    assert after.record == before.record


def test_replacing_the_person_is_possible_and_in_the_log(
    vault: Vault, pipeline: Pipeline, stranger: ByteArray
) -> None:
    enroll("eileen", [stranger], pipeline=pipeline, vault=vault, mode="replace_person", clock=clock)
    assert last_enrollment(vault) == ("enroll", "replaced")


def test_replacing_by_the_same_face_asks_nothing(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    enroll("eileen", shots[2:4], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
    assert last_enrollment(vault) == ("enroll", "replaced")


def test_added_photos_are_named_so_in_the_log(
    vault: Vault, pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    assert last_enrollment(vault) == ("enroll", "done")
    enroll("eileen", shots[2:3], pipeline=pipeline, vault=vault, mode="add", clock=clock)
    assert last_enrollment(vault) == ("enroll", "added")


def test_replacing_nobody_is_an_enrollment(pipeline: Pipeline, stranger: ByteArray) -> None:
    with open_memory_vault() as vault:
        enroll("ana", [stranger], pipeline=pipeline, vault=vault, mode="replace", clock=clock)
        assert last_enrollment(vault) == ("enroll", "done")
