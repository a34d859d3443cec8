"""A real service in its own process, and a real browser whose camera shows photos."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.conftest import CACHE_HOME, share_optimised
from tests.web.page_actions import WAIT_S

from mien.lab.recapture import recapture
from mien.models import SFACE
from mien.results import ByteArray, Template
from mien.settings import load_settings
from mien.vault import Record, pack_template
from mien.vault.open import open_vault
from mien.vault.people import store_records

HANG_TIMEOUT_S = 120.0
"""Only so that a hang fails instead of hanging the tests; nothing is timed."""


@dataclass
class Service:
    """address: http://127.0.0.1:PORT. token: of the page, which may do everything; or "".

    tickets: those of the printed addresses; the first one was swapped for the token.
    """

    address: str
    token: str
    process: subprocess.Popen[str]
    home: Path
    log: Path
    reader: threading.Thread
    tickets: Queue[str]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client. token: None takes the service's own, "" sends none."""
        headers = self.headers if token is None and self.token else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.Client(base_url=self.address, headers=headers, timeout=HANG_TIMEOUT_S)

    def stop(self) -> int:
        """Stop it as a service manager would. Returns the exit code; the log is then complete."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(HANG_TIMEOUT_S)
        self.reader.join(HANG_TIMEOUT_S)
        return code


def environment(home: Path) -> dict[str, str]:
    """The environment of a user with this home, without any setting of mien."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    for variable, folder in (("DATA", "data"), ("CONFIG", "config"), ("STATE", "state")):
        environ[f"XDG_{variable}_HOME"] = str(home / folder)
    environ["HOME"] = str(home)
    environ["XDG_CACHE_HOME"] = CACHE_HOME
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    return environ


ADDRESS = re.compile(r"open (\S+)/#(\S+)")


def redeem(address: str, ticket: str) -> httpx.Response:
    """Swap a ticket of the printed address for a token."""
    headers = {"Authorization": f"Ticket {ticket}"}
    return httpx.post(
        f"{address}/v1/session", headers=headers, timeout=HANG_TIMEOUT_S, verify=False
    )


@contextmanager
def start_service(home: Path, *arguments: str) -> Iterator[Service]:
    """Run `mien serve` with these arguments, for a user with this home."""
    environ = environment(home)
    share_optimised(home / "data")
    log = home / "service.log"
    command = [sys.executable, "-m", "mien", "serve", "--port", "0", *arguments]
    with log.open("w") as errors:
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        first = process.stderr.readline()
        found = ADDRESS.search(first) or re.search(r'"listening": "(\S+)/()"', first)
        if found is None:
            pytest.fail(f"the service did not start: {process.communicate()[1]}")

        tickets: Queue[str] = Queue()

        def copy(lines: Iterable[str]) -> None:
            for line in lines:
                errors.write(line)
                if printed := ADDRESS.search(line):
                    tickets.put(printed[2])
            errors.flush()

        # a thread reads the rest, because a full pipe would block the service
        reader = threading.Thread(target=copy, args=[process.stderr])
        reader.start()
        try:
            token = redeem(found[1], found[2]).json()["token"] if found[2] else ""
            yield Service(found[1], token, process, home, log, reader, tickets)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(HANG_TIMEOUT_S)
            reader.join(HANG_TIMEOUT_S)
            process.stderr.close()


@pytest.fixture(scope="session", autouse=True)
def _optimised(optimised_records: Path) -> None:
    """The services that the tests start find their graphs optimised."""


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray) -> Path:
    """her1.jpg to her4.jpg, wall.jpg of nobody, crowd.jpg of two."""
    folder = tmp_path_factory.mktemp("shots")
    rng = np.random.default_rng(2)
    for number in range(1, 5):
        Image.fromarray(recapture(astronaut, rng)).save(folder / f"her{number}.jpg", quality=92)
    Image.new("RGB", (320, 240), (150, 140, 130)).save(folder / "wall.jpg")
    Image.fromarray(np.hstack([astronaut, astronaut])).save(folder / "crowd.jpg")
    return folder


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with an empty vault."""
    with start_service(tmp_path) as service:
        yield service


def fill_vault(home: Path, people: int) -> None:
    """Enroll `user 000` and on with random templates, from another process than the service's."""
    vectors = np.random.default_rng(0).normal(size=(people, 1, SFACE.dims)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    settings = load_settings(environment(home))
    with (
        open_vault(settings, create=True, surface="library", environ={}) as vault,
        vault._transactions.writing() as transaction,
    ):
        store_records(
            (
                Record(
                    f"user {number:03}",
                    SFACE.id,
                    "2026-01-31T12:00:00+00:00",
                    pack_template(Template(rows, SFACE.id)),
                )
                for number, rows in enumerate(vectors)
            ),
            transaction,
        )


def picture(field: str, path: Path) -> tuple[str, tuple[str, bytes, str]]:
    return field, (path.name, path.read_bytes(), "image/jpeg")


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory, shots: Path) -> Iterator[Service]:
    """With eileen enrolled. A test with failed attempts uses a name of its own."""
    with start_service(tmp_path_factory.mktemp("home")) as service:
        with service.client() as client:
            files = [picture("photos", shots / f"her{number}.jpg") for number in (1, 2, 3)]
            assert client.post("/v1/people/eileen", files=files).status_code == 200
        yield service


@pytest.fixture
def client(shared_service: Service) -> Iterator[httpx.Client]:
    with shared_service.client() as client:
        yield client


def create_token(service: Service, scope: str) -> str:
    """Create a token with the command line, for the running service."""
    name = f"{scope}-{os.urandom(4).hex()}"
    command = [sys.executable, "-m", "mien", "token", "create", name, "--scope", scope, "--json"]
    environ = environment(service.home)
    ran = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    secret: str = json.loads(ran.stdout)["token"]
    return secret


CHROMIUM = "/usr/bin/chromium"
CSP = "Content Security Policy"


def write_y4m(photos: list[Path], target: Path, *, frames_each: int = 10) -> Path:
    """Write a film for a fake camera: 640x480, 10 frames a second, each photo for a second."""
    with target.open("wb") as film:
        film.write(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n")
        for photo in photos:
            with Image.open(photo) as opened:
                planes = np.asarray(opened.convert("RGB").resize((640, 480)).convert("YCbCr"))
            luma, chroma = planes[..., 0], planes[::2, ::2]
            frame = luma.tobytes() + chroma[..., 1].tobytes() + chroma[..., 2].tobytes()
            film.write((b"FRAME\n" + frame) * frames_each)
    return target


CAMERA = "--use-fake-device-for-media-stream"
ALLOWED = "--use-fake-ui-for-media-stream"  # every page may use the camera
PLAIN_NAME = "mien.example"
"""A name that the browser resolves to this machine, and that is no secure origin over HTTP."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Callable[..., Any]]:
    """Starts a real browser with further arguments; skips if none is installed."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="drives the browser: pip install '.[test]'"
    )
    if not Path(CHROMIUM).exists():
        pytest.skip(f"needs a real browser at {CHROMIUM}: apt install chromium")
    # the tests run as root, in a container: no sandbox
    common = ["--no-sandbox", f"--host-resolver-rules=MAP {PLAIN_NAME} 127.0.0.1"]
    with playwright.sync_playwright() as driver, ExitStack() as opened:

        def start(*arguments: str) -> Any:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*common, *arguments])
            opened.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="module")
def browser(
    chromium: Callable[..., Any], shots: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """A browser whose camera shows the person of her1.jpg to her4.jpg."""
    film = write_y4m([shots / "her4.jpg"], tmp_path_factory.mktemp("film") / "her.y4m")
    return chromium(ALLOWED, CAMERA, f"--use-file-for-fake-video-capture={film}")


@pytest.fixture
def page(browser: Any, service: Service) -> Iterator[Any]:
    """The page, opened at the printed address. An error in a script fails the test."""
    context = browser.new_context(permissions=["camera"], viewport={"width": 900, "height": 900})
    context.set_default_timeout(WAIT_S * 1000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if CSP in line.text else None)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(f"{service.address}/#{service.token}")
    page.wait_for_selector("#view-enroll:not([hidden]), #view-unlock:not([hidden])")
    yield page
    context.close()
    assert errors == []
    own = (service.address, "data:", "blob:")
    assert [url for url in requested if not url.startswith(own)] == []  # it works offline
