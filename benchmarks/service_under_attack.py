"""Measure the unlocks of one client of `mien serve` while another one misbehaves.

    python benchmarks/service_under_attack.py OWNER_DIR PROBE [--seconds 6] [--json]

Starts the service on loopback with an enrolled owner. For each kind of misbehaviour a second
process attacks the service while the first one unlocks, one call after the other. Prints the
median and the 99th percentile of the unlocks, and how many were not answered with 200. Last it
sends SIGTERM under load, and prints how long the service takes to end.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from figures import Figures, add_json_option

BOUNDARY = "mienmienmien"


def form(**fields: bytes | tuple[str, bytes]) -> bytes:
    """multipart/form-data; a tuple is a file."""
    parts = []
    for name, value in fields.items():
        file = f'; filename="{value[0]}"' if isinstance(value, tuple) else ""
        content = value[1] if isinstance(value, tuple) else value
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(port: int, path: str, token: str, body: bytes) -> int:
    """The status of one POST on a connection of its own; 0 for none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def tiled(photo: Path) -> bytes:
    """A legal picture of 2000 x 2000 with some 1,700 small faces: the costliest kind."""
    face = Image.open(photo).convert("RGB")
    face.thumbnail((48, 48))
    whole = Image.new("RGB", (2000, 2000))
    for left in range(0, 2000, face.width):
        for top in range(0, 2000, face.height):
            whole.paste(face, (left, top))
    return jpeg(whole)


def repeat(threads: int, call: Callable[[], object]) -> None:
    """Make the calls on so many threads until the process is killed."""

    def loop() -> None:
        while True:
            call()

    for _ in range(threads):
        threading.Thread(target=loop, daemon=True).start()
    signal.pause()


def idle_connections(port: int, token: str, probe: Path) -> None:
    kept: list[socket.socket] = []
    while True:
        try:
            kept.append(socket.create_connection(("127.0.0.1", port)))
        except OSError:
            time.sleep(0.01)
        if len(kept) > 1100:
            kept.pop(0).close()


def blank_pictures(port: int, token: str, probe: Path) -> None:
    photo = ("p.jpg", jpeg(Image.new("RGB", (640, 480), (120, 120, 120))))
    repeat(32, lambda: post(port, "/v1/unlock", token, form(user=b"nobody", photo=photo)))


def tiled_pictures(port: int, token: str, probe: Path) -> None:
    photo = ("p.jpg", tiled(probe))
    repeat(8, lambda: post(port, "/v1/unlock", token, form(user=b"nobody", photo=photo)))


def readiness(port: int, token: str, probe: Path) -> None:
    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/v1/ready")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    repeat(24, ask)


def slow_bodies(port: int, token: str, probe: Path) -> None:
    def send() -> None:
        head = (
            f"POST /v1/unlock HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}"
            f"\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            f"Content-Length: {32 * 1024 * 1024}\r\n\r\n"
        )
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(head.encode() + bytes(31 * 1024 * 1024))
                connection.settimeout(40)
                connection.recv(1)
        except OSError:
            pass

    repeat(8, send)


ATTACKS = {
    "1,100 idle connections": idle_connections,
    "32 connections of blank pictures": blank_pictures,
    "8 connections of pictures tiled with faces": tiled_pictures,
    "24 clients that ask whether it is ready": readiness,
    "8 bodies of 32 MB that do not end": slow_bodies,
}


@contextmanager
def service(home: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "mien", "serve", "--port", "0"]
    environ = {**os.environ, "HOME": home}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    port = int(re.search(r":(\d+)/", process.stderr.readline())[1])  # type: ignore[index]
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


@contextmanager
def attack(name: str | None, port: int, token: str, probe: Path) -> Iterator[None]:
    if name is None:
        yield
        return
    command = [sys.executable, __file__, "--attack", name, str(port), token, str(probe)]
    process = subprocess.Popen(command)
    time.sleep(1.5)  # until the attack is at its height
    try:
        yield
    finally:
        process.kill()
        process.wait()


def unlocks(port: int, token: str, probe: Path, seconds: float) -> tuple[list[float], int]:
    """Milliseconds of each unlock, and how many were not answered with 200."""
    body = form(user=b"owner", photo=("p.jpg", probe.read_bytes()))
    times, failed, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        failed += post(port, "/v1/unlock", token, body) != 200
        times.append((time.perf_counter() - started) * 1e3)
    return times, failed


def measure(photos: Path, probe: Path, seconds: float, report: Figures) -> None:
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "HOME": home}

        def mien(*arguments: str) -> str:
            command = [sys.executable, "-m", "mien", *arguments]
            return subprocess.run(
                command, env=environ, check=True, capture_output=True, text=True
            ).stdout

        mien("enroll", "owner", str(photos))
        door, attacker = (
            re.search(r"mien_\S+", mien("token", "create", name))[0]  # type: ignore[index]
            for name in ("door", "attacker")
        )
        with service(home) as (process, port):
            for name in (None, *ATTACKS):
                with attack(name, port, attacker, probe):
                    times, failed = unlocks(port, door, probe, seconds)
                percentiles = statistics.quantiles(times, n=100)
                report.add(
                    name or "nobody misbehaves",
                    unlocks=len(times),
                    failed=failed,
                    median_ms=percentiles[49],
                    p99_ms=percentiles[98],
                )
            with attack("8 connections of pictures tiled with faces", port, attacker, probe):
                started = time.monotonic()
                process.terminate()
                code = process.wait()
                took_s = time.monotonic() - started
                report.add("SIGTERM under load", ended_after_s=took_s, exit_code=code)


def main() -> None:
    if sys.argv[1:2] == ["--attack"]:
        name, port, token, probe = sys.argv[2:]
        ATTACKS[name](int(port), token, Path(probe))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="folder with the owner's photos")
    parser.add_argument("probe", type=Path)
    parser.add_argument("--seconds", type=float, default=6.0)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    measure(args.photos, args.probe, args.seconds, report)
    report.end()


if __name__ == "__main__":
    main()
