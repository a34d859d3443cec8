"""Many people are enrolled together, each name once."""

from __future__ import annotations

import pytest
from tests.vault.memory import open_memory_vault

from mien.app import enroll_people as module
from mien.app.enroll_people import BulkMode, enroll_people
from mien.app.pipeline import Pipeline
from mien.results import ByteArray


@pytest.mark.parametrize("at_once", [1, 100])  # the second one is stored later, or together
@pytest.mark.parametrize("mode", ["new", "replace", "replace_person"])
def test_another_spelling_of_a_name_never_takes_the_place_of_the_first(
    pipeline: Pipeline,
    shots: list[ByteArray],
    monkeypatch: pytest.MonkeyPatch,
    mode: BulkMode,
    at_once: int,
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    people = [("\u00fc", shots[:2]), ("u\u0308", shots[2:3])]
    with open_memory_vault() as vault:
        found = list(enroll_people(people, pipeline=pipeline, vault=vault, mode=mode))
        assert [one.enrollment is not None for one in found] == [True, False]
        assert "came before" in str(found[1].error)
        assert [one.outcome for one in vault.read_log()] == ["done"]
