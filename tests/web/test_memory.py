"""Memory does not grow with the number of requests; benchmarks/service.py sends ten thousand."""

from __future__ import annotations

import asyncio
import gc
import re
from itertools import pairwise
from pathlib import Path

import httpx
from tests.web.conftest import Service
from tests.web.in_process import FORM, InProcessService, run_in_process, send_request, whole_body

FORM_WITHOUT_PICTURE = (
    b'--x\r\nContent-Disposition: form-data; name="user"\r\n\r\nana\r\n'
    b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p.jpg"\r\n\r\nno picture\r\n'
    b"--x--\r\n"
)
LEAK_OF_A_PICTURE_MB = 640 * 480 * 3 / 1e6


async def send_some_of_each(service: InProcessService, times: int) -> None:
    """Requests that succeed, and that are refused by the middleware, a route and the router."""
    form = [("content-type", FORM)]
    for _ in range(times):
        for method, path, token in (
            ("GET", "/v1/health", ""),
            ("GET", "/v1/log", service.admin),
            ("DELETE", "/v1/people/ana", service.admin),
            ("POST", "/v1/look", ""),
            ("GET", "/nothing", ""),
        ):
            await send_request(service.app, method, path, token=token)
        response = await send_request(
            service.app, "POST", "/v1/unlock", token=service.admin, headers=form,
            body=whole_body(FORM_WITHOUT_PICTURE),
        )  # fmt: skip
        assert response.status == 422


async def objects_left(service: InProcessService, times: int) -> int:
    await send_some_of_each(service, times)
    gc.collect()
    return len(gc.get_objects())


def test_a_thousand_requests_leave_no_objects_behind(tmp_path: Path) -> None:
    async def count() -> tuple[int, int]:
        return await objects_left(service, 50), await objects_left(service, 170)

    with run_in_process(tmp_path) as service:
        before, after = asyncio.run(count())
    assert after - before < 100  # not one for each ten


def own_memory_mb(service: Service) -> float:
    """Without pages of files, such as the weights, which the system drops and reads again."""
    text = Path(f"/proc/{service.process.pid}/status").read_text()
    kilobytes = re.findall(r"(?:RssAnon|VmSwap):\s+(\d+)", text)
    assert len(kilobytes) == 2
    return sum(map(int, kilobytes)) / 1000


def test_unlocks_and_refusals_do_not_make_the_process_larger(service: Service, shots: Path) -> None:
    """A leak shows in every round; what allocators, threads and models take and keep does not."""
    photo = ("p.jpg", (shots / "her4.jpg").read_bytes(), "image/jpeg")

    def load(client: httpx.Client, unlocks: int, others: int) -> float:
        for _ in range(others):
            assert client.post("/v1/look", files={"photo": ("p", b"x")}).status_code == 422
        for _ in range(unlocks):
            tried = client.post("/v1/unlock", data={"user": "ana"}, files=[("photo", photo)])
            assert tried.status_code == 200
        return own_memory_mb(service)

    with service.client() as client:
        assert client.post("/v1/people/ana", files=[("photos", photo)]).status_code == 200
        rounds = [load(client, unlocks=25, others=250) for _ in range(4)]
    least = min(after - before for before, after in pairwise(rounds))
    assert least < 25 * LEAK_OF_A_PICTURE_MB / 3
