"""The article's photos: found nearby, kept in the cache, or fetched and checked to the byte."""

from __future__ import annotations

import hashlib
import socketserver
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mien.lab.demo import article_photos
from mien.lab.demo.article_photos import BASE_URL, MAX_BYTES, PHOTOS, fetch_url, find_article_photos

CONTENTS = {"faces/me/me_1.jpg": b"one", "faces_test/me_test.jpg": b"two"}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of two small files in the place of the twelve photos."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    monkeypatch.setattr(article_photos, "PHOTOS", hashes)


class Web:
    """A fetch function with a memory of what it was asked for."""

    def __init__(self, **answers: bytes | OSError) -> None:
        self.asked: list[str] = []
        self.answers = {BASE_URL + name: content for name, content in CONTENTS.items()}
        self.changed = answers

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        answer = self.changed.get(Path(url).stem, self.answers[url])
        if isinstance(answer, OSError):
            raise answer
        return answer


def never(url: str) -> bytes:
    raise AssertionError(f"asked for {url}")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_table_holds_twelve_photos_of_one_pinned_commit() -> None:
    assert len(PHOTOS) == 12
    assert all(len(digest) == 64 for digest in PHOTOS.values())
    assert BASE_URL.startswith("https://")
    assert len(BASE_URL.rstrip("/").split("/")[-1]) == 40
    assert sum(name.startswith("faces_test/") for name in PHOTOS) == 4


def test_the_hashes_are_those_of_the_photos(shared_photos: Path) -> None:
    for name, digest in PHOTOS.items():
        content = (shared_photos / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert len(content) < MAX_BYTES


def test_a_local_folder_is_used_unchanged(tmp_path: Path) -> None:
    (tmp_path / "near" / "faces").mkdir(parents=True)
    found = find_article_photos(nearby=tmp_path / "near", cache_dir=tmp_path / "c", fetch=never)
    assert found == tmp_path / "near"
    assert not (tmp_path / "c").exists()


def test_downloaded_photos_are_checked_and_cached(tmp_path: Path, table: None) -> None:
    web = Web()
    found = find_article_photos(nearby=tmp_path / "no", cache_dir=tmp_path, fetch=web)
    assert found is not None
    for name, content in CONTENTS.items():
        assert (found / name).read_bytes() == content
        assert (found / name).stat().st_mode & 0o777 == 0o600
    assert web.asked == [BASE_URL + name for name in CONTENTS]


def test_cached_photos_are_not_downloaded_again(tmp_path: Path, table: None) -> None:
    first = find_article_photos(nearby=tmp_path / "no", cache_dir=tmp_path, fetch=Web())
    again = find_article_photos(nearby=tmp_path / "no", cache_dir=tmp_path, fetch=never)
    assert again == first


def test_only_missing_photos_are_downloaded_with_progress(tmp_path: Path, table: None) -> None:
    find_article_photos(nearby=tmp_path / "no", cache_dir=tmp_path, fetch=Web())
    (tmp_path / "article-photos" / "faces_test" / "me_test.jpg").unlink()
    walked: list[str] = []

    def progress(names: Iterable[str]) -> Iterable[str]:
        for name in names:
            walked.append(name)
            yield name

    web = Web()
    assert find_article_photos(
        nearby=tmp_path / "no", cache_dir=tmp_path, fetch=web, progress=progress
    )
    assert web.asked == [BASE_URL + "faces_test/me_test.jpg"]
    assert walked == ["faces_test/me_test.jpg"]


def test_a_file_with_a_wrong_hash_is_not_kept(tmp_path: Path, table: None) -> None:
    web = Web(me_1=b"something else")
    assert find_article_photos(nearby=tmp_path / "no", cache_dir=tmp_path, fetch=web) is None
    assert files_in(tmp_path) == []
    assert len(web.asked) == 1


@pytest.mark.parametrize("error", [OSError("offline"), TimeoutError(), ConnectionResetError()])
def test_offline_there_are_no_photos_and_no_error(
    tmp_path: Path, table: None, error: OSError
) -> None:
    web = Web(me_1=error)
    assert find_article_photos(nearby=tmp_path / "no", cache_dir=tmp_path, fetch=web) is None
    assert files_in(tmp_path) == []


def test_with_an_unwritable_cache_there_are_no_photos_and_no_error(
    tmp_path: Path, table: None
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert find_article_photos(nearby=tmp_path, cache_dir=tmp_path / "file", fetch=Web()) is None
    # the folder can be made, the file not: a folder of its name is there
    (tmp_path / "article-photos" / "faces" / "me" / "me_1.jpg").mkdir(parents=True)
    assert find_article_photos(nearby=tmp_path / "no", cache_dir=tmp_path, fetch=Web()) is None


# the real fetch, from a server on this machine ---------------------------------------------


@contextmanager
def server(answer: bytes) -> Iterator[str]:
    """Says these bytes to whoever connects; gives its address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}/photo.jpg"
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_fetch_url_returns_the_bytes_of_the_response() -> None:
    with server(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nphoto") as url:
        assert fetch_url(url) == b"photo"


def test_fetch_url_stops_at_its_limit() -> None:
    with server(b"HTTP/1.0 200 OK\r\n\r\n" + bytes(MAX_BYTES + 1000)) as url:
        assert len(fetch_url(url)) == MAX_BYTES


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        b"HTTP/1.0 500 Broken\r\n\r\n",
        b"this is no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n900\r\ncut short",
        b"",
    ],
    ids=["404", "500", "no HTTP", "cut short", "silent"],
)
def test_any_other_response_is_an_os_error(answer: bytes) -> None:
    with server(answer) as url, pytest.raises(OSError):  # noqa: PT011 - the kind is the promise
        fetch_url(url)


def test_a_refused_connection_is_an_os_error() -> None:
    with server(b"") as url:
        pass
    with pytest.raises(OSError, match="refused"):
        fetch_url(url)
