"""The OpenAPI description is true: every response to a request that it allows matches it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.web.conftest import HANG_TIMEOUT_S, start_service
from tests.web.in_process import run_in_process

from mien.web.auth import REQUIRED_SCOPES, SCOPES

schemathesis = pytest.importorskip("schemathesis", reason="pip install '.[test]'")


@pytest.fixture
def description(tmp_path: Path) -> dict[str, Any]:
    with run_in_process(tmp_path) as service:
        found: dict[str, Any] = service.app.app.openapi()
    return found


def operations(description: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, of_path in description["paths"].items()
        for method, operation in of_path.items()
    }


def test_every_operation_names_the_scope_that_it_requires(description: dict[str, Any]) -> None:
    found = operations(description)
    assert set(found) == set(REQUIRED_SCOPES)
    for key, expected in REQUIRED_SCOPES.items():
        assert found[key].get("security") == (expected and [{"token": [expected]}])
    scheme = description["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for scope in SCOPES:
        assert scope in scheme["description"]


def test_every_status_is_described_and_malformed_input_is_400(description: dict[str, Any]) -> None:
    for (method, path), operation in operations(description).items():
        responses = operation["responses"]
        expected = {"200", "400", "403", "421", "500"}
        if REQUIRED_SCOPES[method, path]:
            expected.add("401")
        if method == "POST":
            expected |= {"408", "413", "503"}
        assert expected <= set(responses)
        if path != "/metrics":
            assert "$ref" in responses["200"]["content"]["application/json"]["schema"]
        for status in set(responses) - {"200", "403", "422"}:
            schema = responses[status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}
    assert "HTTPValidationError" not in str(description)


def test_responses_to_generated_requests_match_the_description(tmp_path: Path) -> None:
    from schemathesis import checks
    from schemathesis.specs.openapi import checks as of_openapi

    expected = [
        checks.not_a_server_error,
        of_openapi.status_code_conformance,
        of_openapi.content_type_conformance,
        of_openapi.response_schema_conformance,
    ]
    with start_service(tmp_path) as service:
        schema = schemathesis.openapi.from_url(f"{service.address}/v1/openapi.json")
        statuses: Counter[int] = Counter()

        def call(case: Any) -> None:
            response = case.call(headers=service.headers, timeout=HANG_TIMEOUT_S)
            statuses[response.status_code] += 1
            case.validate_response(response, checks=expected)

        for found in schema.get_all_operations():
            asked = settings(
                max_examples=20,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            asked(given(case=found.ok().as_strategy())(call))()
        assert {200, 400, 422} <= set(statuses)
        with service.client() as client:
            assert client.get("/v1/health").status_code == 200
