"""A large file arrives whole and right, over a line that is cut, or it is not used."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelAltered, ModelMissing
from mien.models.download import fetch_file

CONTENT = np.random.default_rng(0).bytes(1_000_000)
SUM = hashlib.sha256(CONTENT).hexdigest()


class FileServer(ThreadingHTTPServer):
    """Serves `content` on 127.0.0.1. cut_after: bytes sent of each answer before it hangs up.

    ranges: whether it knows them. announces: whether it says how long the answer is.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.content = CONTENT
        self.cuts: list[int] = []
        self.ranges = True
        self.announces = True
        self.starts: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/weights.pt"


class Answering(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.server.ranges:
            start = int(asked[1])
        self.server.starts.append(start)
        rest = self.server.content[start:]
        if start and not rest:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            total = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if self.server.announces:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.server.cuts.pop(0)] if self.server.cuts else rest)

    def log_message(self, format: str, *args: object) -> None:
        """Silence on the terminal."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FileServer() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "weights.part"


def fetch(server: FileServer, part: Path, told: list[tuple[int, int]] | None = None) -> bytes:
    heard = [] if told is None else told
    return fetch_file(
        server.url,
        part,
        size=len(CONTENT),
        sha256=SUM,
        tell=lambda done, total: heard.append((done, total)),
    )


def test_a_file_is_downloaded_whole_with_progress(server: FileServer, part: Path) -> None:
    told: list[tuple[int, int]] = []
    assert fetch(server, part, told) == CONTENT
    assert told == sorted(told)
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_an_interrupted_download_resumes(server: FileServer, part: Path) -> None:
    server.cuts = [300_000, 200_000]
    assert fetch(server, part) == CONTENT
    assert server.starts == [0, 300_000, 500_000]


def test_a_stalled_download_stops_and_the_next_call_resumes(server: FileServer, part: Path) -> None:
    server.cuts = [300_000, 0]
    with pytest.raises(
        ModelMissing, match="300000 of 1000000 bytes were received; run the command"
    ):
        fetch(server, part)
    assert part.stat().st_size == 300_000
    assert fetch(server, part) == CONTENT
    assert server.starts == [0, 300_000, 300_000]


def test_a_download_gives_up_after_repeated_interruptions(server: FileServer, part: Path) -> None:
    server.cuts = [1000] * 50
    with pytest.raises(ModelMissing, match="--file PATH"):
        fetch(server, part)
    assert len(server.starts) < 10


def test_a_server_without_ranges_sends_the_whole_file_again(server: FileServer, part: Path) -> None:
    server.ranges = False
    server.cuts = [300_000]
    assert fetch(server, part) == CONTENT
    assert server.starts == [0, 0]


def test_a_complete_file_is_not_requested(server: FileServer, part: Path) -> None:
    fetch(server, part)
    assert fetch(server, part) == CONTENT
    assert server.starts == [0]


def test_a_file_with_another_hash_is_deleted(server: FileServer, part: Path) -> None:
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(ModelAltered, match="gave a different file") as caught:
        fetch(server, part)
    assert not part.exists()
    assert "\n" not in str(caught.value)


def test_a_damaged_partial_file_is_deleted(server: FileServer, part: Path) -> None:
    part.parent.mkdir()
    part.write_bytes(b"\0" * 1000)
    with pytest.raises(ModelAltered, match="it was deleted"):
        fetch(server, part)
    assert fetch(server, part) == CONTENT


@pytest.mark.parametrize("size", [999_999, 1_000_001, 0])
def test_a_file_with_another_announced_size_is_not_downloaded(
    server: FileServer, part: Path, size: int
) -> None:
    server.content = (CONTENT * 2)[:size]
    with pytest.raises(ModelAltered, match=f"is {size} bytes long, expected 1000000"):
        fetch(server, part)
    assert not part.exists()


def test_an_endless_file_is_read_one_byte_past_its_size_and_deleted(
    server: FileServer, part: Path
) -> None:
    server.announces = False
    server.content = CONTENT * 3
    told: list[tuple[int, int]] = []
    with pytest.raises(ModelAltered, match="gave a different file"):
        fetch(server, part, told)
    assert max(done for done, _ in told) == len(CONTENT)
    assert not part.exists()


def test_a_partial_file_that_is_too_long_is_deleted_without_a_request(
    server: FileServer, part: Path
) -> None:
    part.parent.mkdir()
    part.write_bytes(CONTENT + b"more")
    with pytest.raises(ModelAltered):
        fetch(server, part)
    assert not part.exists()
    assert server.starts == []


def test_a_refused_connection_is_reported_on_one_line(server: FileServer, part: Path) -> None:
    url = server.url.replace("weights.pt", "")
    server.server_close()  # the port is free again: connections are refused
    with pytest.raises(ModelMissing, match="0 of 10 bytes") as caught:
        fetch_file(url, part, size=10, sha256=SUM, tell=lambda done, total: None)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_created_is_reported_on_one_line(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "downloads").write_text("in the way")
    with pytest.raises(ModelMissing, match="cannot download"):
        fetch(server, tmp_path / "downloads" / "weights.part")
