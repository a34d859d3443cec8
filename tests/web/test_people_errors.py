"""Errors about people say over HTTP what to send, and never name a command of a shell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mien.errors import UsageError
from mien.results import ModelId
from mien.vault import Record
from mien.vault.records.kept_faces import mark_unlock, numbered_face
from mien.vault.records.record import MAX_KEPT, KeptFace
from mien.web.people_errors import errors_for_http

AT = "2026-01-31T12:00:00+00:00"
VECTOR = np.eye(8, dtype="<f4")[0].tobytes()
MARKED = Record(
    *("ana", ModelId("sface", "ab" * 32), AT, b""),
    kept=(KeptFace("not_me", AT, VECTOR),) * MAX_KEPT["not_me"],
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda: mark_unlock(MARKED, KeptFace("unlock", AT, VECTOR)),
            "8 unlocks of ana are marked already, and no more are kept; remove a mark that is"
            " wrong, or enroll again with better photos (mode=replace)",
        ),
        (
            lambda: numbered_face(MARKED, "learned", 1),
            "nothing of that kind is kept of ana; GET /v1/people lists what is",
        ),
    ],
)
def test_what_is_kept_of_a_person_is_told_in_words_for_http(
    change: Callable[[], object], said: str
) -> None:
    with pytest.raises(UsageError) as caught, errors_for_http("ana"):
        change()
    assert str(caught.value) == said
