"""More calls at once than a machine can take, a stop and a kill in the middle of them."""

from __future__ import annotations

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from tests.web.conftest import HANG_TIMEOUT_S, Service, start_service

from mien.settings import usable_cores

CALLS = 80


def enroll_her(service: Service, shots: Path) -> None:
    files = [
        ("photos", (f"{number}.jpg", (shots / f"her{number}.jpg").read_bytes(), "image/jpeg"))
        for number in (1, 2, 3)
    ]
    answer = httpx.post(
        f"{service.address}/v1/people/eileen",
        files=files,
        headers=service.headers,
        timeout=HANG_TIMEOUT_S,
    )
    assert answer.status_code == 200


def knock(service: Service, photo: bytes) -> int:
    """The status, or 0 where the service was gone."""
    try:
        return httpx.post(
            f"{service.address}/v1/unlock",
            data={"user": "eileen"},
            files={"photo": ("p.jpg", photo, "image/jpeg")},
            headers=service.headers,
            timeout=HANG_TIMEOUT_S,
        ).status_code
    except httpx.TransportError:
        return 0


def storm(service: Service, photo: bytes, calls: int, at_once: int) -> Counter[int]:
    with ThreadPoolExecutor(at_once) as pool:
        return Counter(pool.map(lambda _: knock(service, photo), range(calls)))


def test_past_its_limit_it_says_busy_at_once_and_nothing_else(
    service: Service, shots: Path
) -> None:
    enroll_her(service, shots)
    photo = (shots / "her4.jpg").read_bytes()
    statuses = storm(service, photo, CALLS, 16 * usable_cores())
    assert set(statuses) == {200, 503}
    assert statuses[200] >= 4 * usable_cores()
    assert knock(service, photo) == 200  # and it is not worn out


def test_told_to_stop_it_finishes_what_it_accepted(service: Service, shots: Path) -> None:
    enroll_her(service, shots)
    photo = (shots / "her4.jpg").read_bytes()
    with ThreadPoolExecutor(3 * usable_cores()) as pool:
        calls = [pool.submit(knock, service, photo) for _ in range(CALLS // 2)]
        calls[0].result()
        code = service.stop()
        statuses = Counter(call.result() for call in calls)
    assert code == 0
    assert set(statuses) <= {200, 503, 0}  # 0: it did not listen any more
    assert statuses[200] >= 1


def test_killed_in_the_middle_it_starts_again_with_nothing_lost(
    tmp_path: Path, shots: Path
) -> None:
    photo = (shots / "her4.jpg").read_bytes()
    with start_service(tmp_path) as service:
        enroll_her(service, shots)
        with ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(knock, service, photo) for _ in range(CALLS // 2)]
            calls[3].result()
            os.kill(service.process.pid, signal.SIGKILL)
            for call in calls:
                assert call.result() in (200, 503, 0)
    with start_service(tmp_path) as service, httpx.Client(headers=service.headers) as client:
        people = client.get(f"{service.address}/v1/people").json()["people"]
        assert [one["user"] for one in people] == ["eileen"]
        assert client.get(f"{service.address}/v1/log").json()["outcome"] == "verified"
        # each try that was killed counts as a failure; five shut the door, and say so
        assert knock(service, photo) in (200, 429)
