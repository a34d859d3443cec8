"""One service in several processes: they share socket, limits and metrics, and are replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.web.conftest import HANG_TIMEOUT_S, Service, environment, start_service

from mien.cli.main import main
from mien.web.process_job import ProcessJob
from mien.web.server import ListenOptions

if sys.platform != "linux":
    pytest.skip("the processes of a service are found in /proc", allow_module_level=True)


def token_of(home: Path, scope: str) -> str:
    command = [sys.executable, "-m", "mien", "token", "create", scope, "--scope", scope, "--json"]
    done = subprocess.run(command, env=environment(home), capture_output=True, check=True)
    return str(json.loads(done.stdout)["token"])


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def wait_for_children(pid: int, count: int, other_than: int = 0) -> list[int]:
    """Ends after `HANG_TIMEOUT_S` only if something hangs."""
    end = time.monotonic() + HANG_TIMEOUT_S
    while time.monotonic() < end:
        found = children_of(pid)
        if len(found) == count and other_than not in found:
            return found
        time.sleep(0.02)  # nothing else tells when another process has begun
    pytest.fail(f"there are {children_of(pid)} in place of {count} processes")


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service of two processes, and a token that may do everything."""
    home = tmp_path_factory.mktemp("home")
    token = token_of(home, "admin")
    counts = home / "state" / "mien" / "service-usage.sqlite"
    counts.parent.mkdir(parents=True, exist_ok=True)
    counts.write_bytes(b"damaged by a power cut")  # which keeps no service from its start
    with start_service(home, "--workers", "2", "--no-page") as service:
        wait_for_children(service.process.pid, 2)
        yield service, token


def test_attempts_are_limited_together(admin: tuple[Service, str], shots: Path) -> None:
    """Each connection is new, so that both processes get some: the fifth failure is the last."""
    service, _ = admin
    token = token_of(service.home, "unlock")  # is not told who is enrolled
    photo, statuses = (shots / "her2.jpg").read_bytes(), []
    for _ in range(8):
        with service.client(token) as client:
            answer = client.post("/v1/unlock", data={"user": "nobody"}, files={"photo": photo})
            statuses.append(answer.status_code)
    assert statuses == [403] * 5 + [429] * 3


def test_metrics_are_those_of_all_processes(admin: tuple[Service, str]) -> None:
    service, token = admin

    def health_count() -> float:
        with service.client(token) as client:
            text = client.get("/metrics").text
        lines = [line for line in text.splitlines() if 'route="/v1/health",status="200"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if "_total" in line)

    before = health_count()
    for _ in range(20):
        with httpx.Client(timeout=HANG_TIMEOUT_S) as client:
            assert client.get(f"{service.address}/v1/health").status_code == 200
    assert [health_count() - before for _ in range(4)] == [20] * 4  # whichever process answers


def test_a_process_that_dies_is_replaced_and_the_log_says_so(admin: tuple[Service, str]) -> None:
    service, _ = admin
    victim = children_of(service.process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    wait_for_children(service.process.pid, 2, other_than=victim)
    with service.client("") as client:
        assert client.get("/v1/health").status_code == 200
    assert service.process.poll() is None


def test_a_challenge_is_refused_with_the_reason(admin: tuple[Service, str]) -> None:
    service, token = admin
    with service.client(token) as client:
        answer = client.post("/v1/challenge", data={"user": "ana"})
    assert answer.status_code == 400
    assert "without --workers" in answer.text


def test_sigterm_ends_all_of_them(tmp_path: Path) -> None:
    with start_service(tmp_path, "--workers", "2", "--no-page") as service:
        children = wait_for_children(service.process.pid, 2)
        with service.client("") as client:
            assert client.get("/v1/ready").status_code == 200
        assert service.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert all(json.loads(line) for line in service.log.read_text().splitlines())


def test_without_their_parent_they_end(tmp_path: Path) -> None:
    with start_service(tmp_path, "--workers", "2", "--no-page") as service:
        children = wait_for_children(service.process.pid, 2)
        service.process.kill()
        service.process.wait(HANG_TIMEOUT_S)
        end = time.monotonic() + HANG_TIMEOUT_S
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.mark.parametrize("number", ["0", "-1", "65"])
@pytest.mark.usefixtures("home")
def test_a_number_of_processes_that_cannot_be_is_refused(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", f"--workers={number}"]) == 2
    assert "--workers is a number from 1 to 64" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_a_service_that_requires_a_challenge_is_one_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_LIVENESS_SERVICE", "active")
    assert main(["serve", "--workers", "2"]) == 2
    assert "leave out --workers" in capsys.readouterr().err


def test_an_error_of_the_start_keeps_its_exit_code(tmp_path: Path) -> None:
    """The first process cannot count in this file; its error is the service's."""
    file = tmp_path / "state" / "mien" / "service-usage.sqlite"
    file.mkdir(parents=True)
    command = [sys.executable, "-m", "mien", "serve", "--workers", "2", "--port", "0"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 70
    assert done.stderr.count("\n") == 1
    assert "cannot count what its clients use" in done.stderr


def test_a_job_survives_its_line() -> None:
    options = ListenOptions(
        host="::1", port=0, certificate=Path("/c.pem"), key=Path("/k.pem"), names=("a", "b")
    )
    job = ProcessJob(options, "onnx", None, "secret\nwith a line", True, 3, 7)
    line = job.to_line()
    assert line.count(b"\n") == 1
    assert ProcessJob.from_line(line) == job
