"""Counters in the Prometheus text format, made by prometheus_client."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS")


def known_method(method: str) -> str:
    """The HTTP method, or "other": a client may invent any number of methods."""
    return method if method in _METHODS else "other"


class Metrics:
    """Counts of requests and decisions, and response times. Safe to use from several threads.

    Labels have few values and never a name: a route is its pattern, not its path.
    """

    def __init__(self) -> None:
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
            "mien_active_calls", "Calls that are running or queued.", registry=registry
        )

    def record_request(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one finished request. method: from `known_method`."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(duration_s)

    def record_decision(self, outcome: str) -> None:
        """Count one decision of unlock or identify."""
        self._decisions.labels(outcome).inc()

    def render(self, *, active_calls: int) -> bytes:
        """All metrics in the text format 0.0.4. active_calls: running and queued ones."""
        self._active.set(active_calls)
        return generate_latest(self._registry)
