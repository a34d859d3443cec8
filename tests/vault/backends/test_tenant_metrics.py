"""Health and metrics of two tenants in one real PostgreSQL database: kept apart without a name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.vault.sealed_parts import Clock, fail, opened
from tests.vault.tenants import as_role, made_tenants
from tests.web.in_process import InProcessService, Response, run_in_process, send_request

from mien.settings import load_settings
from mien.vault.vault import Vault
from mien.web import dependencies, metrics
from mien.web.metrics import tenant_label
from mien.web.readiness import Readiness

READY = re.compile(r'^mien_vault_ready(?:\{tenant="([0-9a-f]{16})"\})? ([01])\.0$', re.MULTILINE)


@pytest.fixture(autouse=True)
def _each_look_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the two seconds that an answer is kept tests/web/test_readiness.py tells."""
    times_s = iter(range(0, 100_000, 10))
    monkeypatch.setattr(
        dependencies, "Readiness", lambda check, clock: Readiness(check, lambda: next(times_s))
    )


@contextmanager
def vault_of(url: str, home: Path) -> Iterator[Vault]:
    settings = replace(load_settings({"HOME": str(home)}), vault_url=url)
    with opened(settings, Clock()) as vault:
        yield vault


def ask(service: InProcessService, path: str, *, token: str = "") -> Response:
    return asyncio.run(send_request(service.app, "GET", path, token=token))


def ready_of(service: InProcessService) -> tuple[str, int]:
    """The tenant's label, or "", and whether it is ready, by the metrics."""
    [(label, number)] = READY.findall(scraped(service))
    return label, int(number)


def scraped(service: InProcessService) -> str:
    response = ask(service, "/metrics", token=service.admin)
    assert response.status == 200
    return response.body.decode()


def service_of(stack: ExitStack, vault: Vault, folder: Path) -> InProcessService:
    folder.mkdir()
    parts: dict[str, Any] = {"pipeline_of": lambda model: None}
    return stack.enter_context(run_in_process(folder, vault=vault, **parts))


def test_each_tenant_has_its_health_and_a_label_without_a_name(
    postgres_url: str, tmp_path: Path
) -> None:
    with made_tenants(postgres_url) as (_, *roles), ExitStack() as stack:
        vaults = [
            stack.enter_context(vault_of(as_role(postgres_url, role), tmp_path / role))
            for role in roles
        ]
        acme, zeta = (
            service_of(stack, vault, tmp_path / f"service of {role}")
            for role, vault in zip(roles, vaults, strict=True)
        )
        assert ready_of(acme) == ("", 1)  # a vault that nobody was enrolled in is no fault
        for vault in vaults:
            fail(vault, "ana")
        [of_acme, of_zeta] = labels = [ready_of(one)[0] for one in (acme, zeta)]
        assert of_acme != of_zeta
        vaults[0].rotate()
        with vault_of(as_role(postgres_url, roles[0]), tmp_path / roles[0]) as elsewhere:
            again = service_of(stack, elsewhere, tmp_path / "another machine")
            assert [ready_of(one) for one in (acme, again)] == [(of_acme, 1)] * 2

        ids = [vault.vault_id() for vault in vaults]
        hidden = [*roles, "ana", *(one.hex() for one in ids if one is not None)]
        for service, label in zip((acme, zeta), labels, strict=True):
            text = scraped(service)
            lines = [line for line in text.splitlines() if not line.startswith("#")]
            assert len(lines) > 5
            assert all(f'tenant="{label}"' in line for line in lines), text
            assert [word for word in hidden if word in text] == []

        with psycopg.connect(postgres_url, autocommit=True) as db:
            db.execute(f"REVOKE SELECT ON mien.cell_meta FROM {roles[0]}")
        assert (ready_of(acme), ready_of(zeta)) == ((of_acme, 0), (of_zeta, 1))
        assert [ask(one, "/v1/ready").status for one in (acme, zeta)] == [500, 200]


def test_a_service_whose_vault_never_answered_has_metrics_without_a_label(
    postgres_url: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        absent = as_role(postgres_url, "nobody_of_that_name")
        vault = stack.enter_context(vault_of(absent, tmp_path / "home"))
        service = service_of(stack, vault, tmp_path / "service")
        assert ready_of(service) == ("", 0)
        assert 'tenant="' not in scraped(service)


def test_the_label_of_a_vault_is_one_for_ever() -> None:
    """Prometheus keeps it for years, so a release must not change it."""
    assert tenant_label(bytes(16)) == "974c761ed33a59ee"
    assert metrics.tenant_label(b"\1" * 16) != tenant_label(bytes(16))
