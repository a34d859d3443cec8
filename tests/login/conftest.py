"""The machine of the tests of login, made once for a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.login.enrolled_machine import enrolled_machine
from tests.login.system import Machine

from mien.results import ByteArray


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray, liveness_files: Path
) -> Iterator[Machine]:
    scratch = tmp_path_factory.mktemp("scratch")
    with enrolled_machine(scratch, astronaut, liveness_files) as made:
        yield made
