"""Measure the service over HTTP: latency, throughput, overload, memory; and verifyface's service.

    python benchmarks/service.py PHOTO... [--seconds 5] [--runs 3] [--requests 10000]
        [--json]

All photos but the last are enrolled; the last is the probe, cropped to 640x480. The clients share
the cores with the service. Every run is printed, because runs differ. At the end one client sends
the same photo to mien and to `verifyface serve` in turn; verifyface's liveness check is off,
because mien has none.
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
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from figures import Figures, add_json_option

BOUNDARY = "mien-benchmark"
Form = tuple[bytes, dict[str, str]]


def encode_form(fields: list[tuple[str, str | bytes]]) -> Form:
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


def encode_json(fields: dict[str, object]) -> Form:
    return json.dumps(fields).encode(), {"Content-Type": "application/json"}


def crop_probe(path: Path) -> bytes:
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
    """One connection that stays open."""

    def __init__(self, address: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, form: Form) -> int:
        body, headers = form
        self._connection.request("POST", path, body, {**self._headers, **headers})
        response = self._connection.getresponse()
        response.read()
        return response.status


@dataclass
class Results:
    """times_ms: of the accepted requests. statuses: of all requests."""

    times_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    duration_s: float = 0.0

    def figures(self) -> dict[str, float]:
        p50, p99 = np.percentile(self.times_ms, [50, 99])
        rates = {"unlocks_per_s": len(self.times_ms) / self.duration_s}
        counts = {f"status_{status}": count for status, count in sorted(self.statuses.items())}
        return {**rates, "p50_ms": float(p50), "p99_ms": float(p99), **counts}

    @property
    def p50_ms(self) -> float:
        return float(np.median(self.times_ms))


def send_load(
    address: str,
    token: str,
    form: Form,
    clients: int,
    seconds: float,
    *,
    ignore_retry_after: bool = False,
    path: str = "/v1/unlock",
) -> Results:
    """Send the same form repeatedly from several clients at once."""
    results, lock = Results(), threading.Lock()
    start = time.perf_counter()

    def send() -> None:
        client = Client(address, token)
        while time.perf_counter() < start + seconds:
            sent = time.perf_counter()
            status = client.post(path, form)
            with lock:
                results.statuses[status] += 1
                if status == 200:
                    results.times_ms.append((time.perf_counter() - sent) * 1000)
            if status == 503 and not ignore_retry_after:
                time.sleep(1.0)  # what Retry-After asks for

    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.duration_s = time.perf_counter() - start
    return results


def resident_mb(process: int) -> float:
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def mien(environ: dict[str, str], *arguments: str) -> str:
    """What a command of mien prints; it must succeed."""
    command = [sys.executable, "-m", "mien", *arguments]
    return subprocess.run(
        command, env=environ, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@contextlib.contextmanager
def run_mien(environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address."""
    command = [sys.executable, "-m", "mien", "serve", "--port", "0"]
    service = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        address = re.search(r"open (\S+)/#", service.stderr.readline())[1]
        threading.Thread(target=service.stderr.read, daemon=True).start()
        yield service, address
    finally:
        service.terminate()
        service.wait()


@contextlib.contextmanager
def run_verifyface(environ: dict[str, str]) -> Iterator[str]:
    """The address of verifyface's service."""
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


def compare_with_verifyface(
    address: str,
    token: str,
    form: Form,
    peer: str,
    photos: list[bytes],
    args: argparse.Namespace,
    report: Figures,
) -> None:
    enroll = {"name": "owner", "images": [data_uri(photo) for photo in photos[:-1]]}
    assert Client(peer, "").post("/api/enroll", encode_json(enroll)) == 200
    request = encode_json({"name": "owner", "image": data_uri(photos[-1])})
    ratios = []
    for run in range(1, args.runs + 1):
        ours = send_load(address, token, form, 1, args.seconds)
        theirs = send_load(peer, "", request, 1, args.seconds, path="/api/verify")
        report.add(f"mien, run {run}", **ours.figures())
        report.add(f"verifyface, run {run}", **theirs.figures())
        ratios.append(ours.p50_ms / theirs.p50_ms)
    report.add(p50_ratio=statistics.median(ratios))


def watch_memory(
    process: int, address: str, token: str, form: Form, requests: int, report: Figures
) -> None:
    marks, client = [], Client(address, token)
    for number in range(requests):
        client.post("/v1/unlock", form)
        if number % (requests // 5) == 0:
            marks.append(round(resident_mb(process)))
    marks.append(round(resident_mb(process)))
    fifths = {f"after_{number}_fifths_mb": mark for number, mark in enumerate(marks)}
    report.add(f"memory over {requests} requests", **fifths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--requests", type=int, default=0, help="also send so many and print the memory"
    )
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    photos = [path.read_bytes() for path in args.photos[:-1]] + [crop_probe(args.photos[-1])]
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "HOME": home}
        for name in ("DATA", "CONFIG", "STATE"):
            environ[f"XDG_{name}_HOME"] = f"{home}/{name}"
        mien(environ, "enroll", "owner", *map(str, args.photos[:-1]))
        token = re.search(r"mien_\S+", mien(environ, "token", "create", "door"))[0]
        with run_mien(environ) as (service, address):
            client = Client(address, token)
            form = encode_form([("user", "owner"), ("photo", photos[-1])])
            assert client.post("/v1/unlock", form) == 200
            for clients, ignore in ((1, False), (4, False), (16, False), (32, False), (32, True)):
                for run in range(1, args.runs + 1):
                    results = send_load(
                        address, token, form, clients, args.seconds, ignore_retry_after=ignore
                    )
                    who = f"{clients} clients{' that do not wait' if ignore else ''}"
                    report.add(f"{who}, run {run}", **results.figures())
            with run_verifyface(environ) as peer:
                compare_with_verifyface(address, token, form, peer, photos, args, report)
            if args.requests:
                watch_memory(service.pid, address, token, form, args.requests, report)
    report.end()


if __name__ == "__main__":
    main()
