"""The service over HTTP: latency of one client, throughput of several, overload, and a peer.

    python benchmarks/service.py PHOTO... [--seconds 5] [--runs 3] [--requests 10000]

The first photos enroll, the last is the probe, made 640x480. Clients share the cores with the
service. Every run is printed: the same set-up varies. Then one client asks mien and
`verifyface serve` in turns, on the same photo; its liveness check is off, as mien has none.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import io
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

BOUNDARY = "mien-benchmark"
Form = tuple[bytes, dict[str, str]]


def form(fields: list[tuple[str, str | bytes]]) -> Form:
    parts = []
    for name, value in fields:
        is_file = isinstance(value, bytes)
        what = f'; filename="{name}.jpg"\r\nContent-Type: image/jpeg' if is_file else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{what}\r\n\r\n'
        parts.append(head.encode() + (value if is_file else value.encode()) + b"\r\n")
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def data_uri(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


def peer_form(fields: dict[str, object]) -> Form:
    return json.dumps(fields).encode(), {"Content-Type": "application/json"}


def probe_of(path: Path) -> bytes:
    with Image.open(path) as photo:
        picture = photo.convert("RGB")
    scale = max(640 / picture.width, 480 / picture.height)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    top = (picture.height - 480) // 3
    left = (picture.width - 640) // 2
    stream = io.BytesIO()
    picture.crop((left, top, left + 640, top + 480)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


class Client:
    """One connection that is kept."""

    def __init__(self, address: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, made: Form) -> int:
        body, headers = made
        self._connection.request("POST", path, body, {**self._headers, **headers})
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def load(
    address: str,
    token: str,
    made: Form,
    clients: int,
    seconds: float,
    *,
    rude: bool = False,
    path: str = "/v1/unlock",
) -> dict[str, object]:
    times: list[float] = []
    statuses: Counter[int] = Counter()
    until = time.perf_counter() + seconds
    lock = threading.Lock()

    def one() -> None:
        client = Client(address, token)
        while time.perf_counter() < until:
            start = time.perf_counter()
            status = client.post(path, made)
            took_ms = (time.perf_counter() - start) * 1000
            with lock:
                statuses[status] += 1
                if status == 200:
                    times.append(took_ms)
            if status == 503 and not rude:
                time.sleep(1.0)  # as Retry-After says

    threads = [threading.Thread(target=one) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - start
    return {
        "per_s": len(times) / took_s,
        "p50": float(np.percentile(times, 50)),
        "p99": float(np.percentile(times, 99)),
        "statuses": dict(statuses),
    }


def show(who: str, got: dict[str, object]) -> None:
    print(
        f"{who:16} {got['per_s']:6.1f} unlocks/s p50 {got['p50']:6.1f} ms"
        f" p99 {got['p99']:6.1f} ms {got['statuses']}",
        flush=True,
    )


def rss_mb(process: int) -> float:
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


@contextlib.contextmanager
def mien(environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, its address and its token."""
    command = [sys.executable, "-m", "mien", "serve", "--port", "0"]
    service = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        address, token = re.search(r"open (\S+)/#(\S+)", service.stderr.readline()).groups()
        threading.Thread(target=service.stderr.read, daemon=True).start()
        yield service, address, token
    finally:
        service.terminate()
        service.wait()


@contextlib.contextmanager
def verifyface(environ: dict[str, str]) -> Iterator[str]:
    """The peer's address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "verifyface", "serve", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    service = subprocess.Popen(command, env=environ, **quiet)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        service.terminate()
        service.wait()


def beside_peer(
    address: str, token: str, made: Form, peer: str, photos: list[bytes], given: argparse.Namespace
) -> None:
    enroll = {"name": "owner", "images": [data_uri(photo) for photo in photos[:-1]]}
    assert Client(peer, "").post("/api/enroll", peer_form(enroll)) == 200
    asked = peer_form({"name": "owner", "image": data_uri(photos[-1])})
    ratios = []
    for _ in range(given.runs):
        ours = load(address, token, made, 1, given.seconds)
        theirs = load(peer, "", asked, 1, given.seconds, path="/api/verify")
        show("mien", ours)
        show("verifyface", theirs)
        ratios.append(ours["p50"] / theirs["p50"])
    print(f"ratio of p50: {statistics.median(ratios):.2f}")


def watch_memory(process: int, address: str, token: str, made: Form, requests: int) -> None:
    marks, client = [], Client(address, token)
    for number in range(requests):
        client.post("/v1/unlock", made)
        if number % (requests // 5) == 0:
            marks.append(round(rss_mb(process)))
    marks.append(round(rss_mb(process)))
    print(f"memory over {requests} requests, MB: {marks}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=0, help="then so many, watching memory")
    given = parser.parse_args()
    photos = [path.read_bytes() for path in given.photos[:-1]] + [probe_of(given.photos[-1])]
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "HOME": home}
        for name in ("DATA", "CONFIG", "STATE"):
            environ[f"XDG_{name}_HOME"] = f"{home}/{name}"
        with mien(environ) as (service, address, token):
            client = Client(address, token)
            assert (
                client.post("/v1/people/owner", form([("photos", p) for p in photos[:-1]])) == 200
            )
            made = form([("user", "owner"), ("photo", photos[-1])])
            assert client.post("/v1/unlock", made) == 200
            for clients, rude in ((1, False), (4, False), (16, False), (32, False), (32, True)):
                for _ in range(given.runs):
                    got = load(address, token, made, clients, given.seconds, rude=rude)
                    show(f"{clients:>3} {'rude ' if rude else ''}clients", got)
            with verifyface(environ) as peer:
                beside_peer(address, token, made, peer, photos, given)
            if given.requests:
                watch_memory(service.pid, address, token, made, given.requests)


if __name__ == "__main__":
    main()
