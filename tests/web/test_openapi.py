"""Whatever the OpenAPI description allows, and much that it does not, breaks nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from tests.web.conftest import GUARD_S, serving

schemathesis = pytest.importorskip("schemathesis", reason="pip install 'mien[test]'")


def test_no_generated_request_breaks_the_service(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        schema = schemathesis.openapi.from_url(f"{service.address}/v1/openapi.json")
        statuses: set[int] = set()

        def call(case: Any) -> None:
            answer = case.call(headers=service.headers, timeout=GUARD_S)
            statuses.add(answer.status_code)
            assert answer.status_code < 500, answer.text

        for found in schema.get_all_operations():
            asked = settings(
                max_examples=15,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            asked(given(case=found.ok().as_strategy())(call))()
        assert {200, 400} <= statuses
        assert httpx.get(f"{service.address}/v1/health").status_code == 200
