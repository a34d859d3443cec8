"""Counters in the Prometheus text format, made by prometheus_client.

Processes of one service keep them in files of one folder, which prometheus_client finds by
`SHARED_FOLDER` in the environment when it is imported; each of them then gives those of all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS")


def known_method(method: str) -> str:
    """The HTTP method, or "other": a client may invent any number of methods."""
    return method if method in _METHODS else "other"


def tenant_label(vault_id: bytes) -> str:
    """16 hexadecimal digits for a vault: the same on every machine, after a rotation and in a
    restored copy. They tell neither a name nor the id itself."""
    return hashlib.sha256(b"mien tenant of metrics" + vault_id).hexdigest()[:16]


class Metrics:
    """Counts of requests and decisions, and response times. Safe to use from several threads.

    Labels have few values and never a name: a route is its pattern, not its path. tenant: a
    `tenant_label`, which every line then has; "" until the vault was read.
    """

    def __init__(self) -> None:
        self.tenant = ""
        self._registry = registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("mien_requests", "Requests.", labels, registry=registry)
        self._seconds = Histogram(
            "mien_request_seconds",
            "Time from the request's headers to the end of its response.",
            ("route",),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._decisions = Counter(
            "mien_decisions", "Decisions of unlock and identify.", ("outcome",), registry=registry
        )
        self._active = Gauge(
            "mien_active_calls",
            "Calls that are running or queued.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def record_request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one finished request. method: from `known_method`."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(duration_s)

    def record_decision(self, outcome: str) -> None:
        """Count one decision of unlock or identify."""
        self._decisions.labels(outcome).inc()

    def set_active(self, calls: int) -> None:
        """How many calls of this process are running or queued now."""
        self._active.set(calls)

    def render(self, *, is_ready: bool) -> bytes:
        """All metrics in the text format 0.0.4. is_ready: whether models and vault work now."""
        counts = self._registry
        if SHARED_FOLDER in os.environ:
            counts = CollectorRegistry()
            MultiProcessCollector(counts)  # type: ignore[no-untyped-call]
        all_of_them = CollectorRegistry()
        all_of_them.register(_OfTenant(counts, self.tenant, is_ready=is_ready))
        return generate_latest(all_of_them)


@dataclass(frozen=True, slots=True)
class _OfTenant:
    """A collector that adds to others' metrics the tenant, and whether it is ready."""

    counts: CollectorRegistry
    tenant: str
    is_ready: bool

    def collect(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily(
            "mien_vault_ready", "1 if models and vault work, as GET /v1/ready says, else 0."
        )
        ready.add_metric([], float(self.is_ready))
        for metric in (ready, *self.counts.collect()):
            if self.tenant:
                metric.samples = [
                    one._replace(labels={**one.labels, "tenant": self.tenant})
                    for one in metric.samples
                ]
            yield metric


def forget_process(pid: int, folder: str) -> None:
    """A process of the service has ended: its counts stay, its calls do not."""
    mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
