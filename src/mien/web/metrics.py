"""Counters in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

import threading
from collections import Counter

BUCKETS_S = (0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.5, 10.0)


def known_method(method: str) -> str:
    """The method, or "other": anybody can invent one."""
    return method if method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS") else "other"


class Metrics:
    """Requests by method, route and status, and how long they took. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._slower: Counter[tuple[str, float]] = Counter()
        self._sum_s: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()

    def note(self, method: str, route: str, status: int, took_s: float) -> None:
        """One request has ended. method: as `known_method` has it."""
        with self._lock:
            self._requests[method, route, status] += 1
            self._sum_s[route] += took_s  # type: ignore[assignment]
            for edge in BUCKETS_S:
                self._slower[route, edge] += took_s <= edge

    def outcome(self, name: str) -> None:
        """One try at a door has ended so."""
        with self._lock:
            self._outcomes[name] += 1

    def text(self, *, inside: int) -> str:
        """inside: calls that are worked on or wait."""
        with self._lock:
            requests = sorted(self._requests.items())
            routes = sorted({route for _, route, _ in self._requests})
            lines = ["# TYPE mien_requests_total counter"]
            lines += [
                f'mien_requests_total{{method="{method}",route="{route}",status="{status}"}}'
                f" {count}"
                for (method, route, status), count in requests
            ]
            lines.append("# TYPE mien_request_seconds histogram")
            for route in routes:
                count = sum(n for (_, of, _), n in requests if of == route)
                lines += [
                    f'mien_request_seconds_bucket{{route="{route}",le="{edge}"}} '
                    f"{self._slower[route, edge]}"
                    for edge in BUCKETS_S
                ]
                lines.append(f'mien_request_seconds_bucket{{route="{route}",le="+Inf"}} {count}')
                lines.append(
                    f'mien_request_seconds_sum{{route="{route}"}} {self._sum_s[route]:.6f}'
                )
                lines.append(f'mien_request_seconds_count{{route="{route}"}} {count}')
            lines.append("# TYPE mien_decisions_total counter")
            lines += [
                f'mien_decisions_total{{outcome="{name}"}} {count}'
                for name, count in sorted(self._outcomes.items())
            ]
        lines += ["# TYPE mien_calls_inside gauge", f"mien_calls_inside {inside}"]
        return "\n".join(lines) + "\n"
