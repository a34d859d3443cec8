"""Runs from and to file systems of fsspec: memory, and an S3 server on this machine."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.bulk import fragile
from tests.bulk.test_run import expect_each_once, request, rows

from mien.bulk.storage import LocalFolder, open_folder
from mien.errors import MissingExtra, Outcome, UnreadableImage, UsageError
from mien.settings import Settings, load_settings

fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install '.[cluster]'")
pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[cluster]'")

PHOTOS = {f"person {n % 4}/{n:02}.jpg": f"photo {n}".encode() for n in range(18)}


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """The address of a local S3 server, which listens on 127.0.0.1 only."""
    server = pytest.importorskip("moto.server", reason="needs moto: pip install '.[test]'")
    pytest.importorskip("s3fs", reason="needs s3fs: pip install '.[cluster]'")
    one = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    one.start()
    host, port = one.get_host_and_port()
    yield f"http://{host}:{port}"
    one.stop()


@pytest.fixture
def s3(s3_endpoint: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a new bucket, with credentials as a user has them."""
    import s3fs

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret of tests")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"photos-{uuid.uuid4().hex}"
    s3fs.S3FileSystem(use_listings_cache=False).mkdir(bucket)
    yield f"s3://{bucket}"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def memory(home: Path) -> str:
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture(params=["memory", "s3"])
def place(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


def put(url: str, photos: dict[str, bytes]) -> None:
    files, root = fsspec.core.url_to_fs(url)
    for name, content in photos.items():
        files.pipe_file(f"{root}/{name}", content)


def remove(url: str) -> None:
    files, root = fsspec.core.url_to_fs(url)
    files.rm(root)


@pytest.fixture
def own(home: Path) -> Settings:
    return load_settings()


def test_every_photo_is_in_one_shard_also_after_one_was_lost(place: str, own: Settings) -> None:
    source, out = f"{place}/people", f"{place}/shards"
    put(source, PHOTOS | {"person 0/exit.jpg": b"exit", "person 1/.hidden.jpg": b"exit"})
    first = fragile.embed(request(source, out), own)
    assert first.outcomes == {"ok": 18, "internal_error": 1}
    assert first.shards == 2
    expect_each_once(out, own, 19)
    with pytest.raises(UsageError, match="--resume"):
        fragile.embed(request(source, out), own)
    remove(f"{out}/shard-0000-00001.parquet.sealed")
    again = fragile.embed(request(source, out, resume=True), own)
    assert (again.before, again.shards) == (16, 1)
    expect_each_once(out, own, 19)
    assert {one.outcome for one in rows(out, own) if one.name.endswith("exit.jpg")} == {
        Outcome.INTERNAL_ERROR
    }


def test_the_process_that_decodes_gets_bytes_and_no_credentials(s3: str, own: Settings) -> None:
    put(f"{s3}/people", {"ana/1.jpg": b"environment"})
    fragile.embed(request(f"{s3}/people", f"{s3}/out"), own)
    [row] = rows(f"{s3}/out", own)
    assert "PATH" in row.error
    assert "AWS" not in row.error


def test_photos_of_a_url_may_get_shards_in_a_folder(
    memory: str, own: Settings, tmp_path: Path
) -> None:
    put(memory, PHOTOS)
    fragile.embed(request(memory, tmp_path / "out", seal=False), own)
    expect_each_once(tmp_path / "out", own, 18)


def test_a_photo_that_is_gone_or_too_large_is_unreadable(memory: str) -> None:
    put(memory, {"a.jpg": b"a", "empty.jpg": b""})
    folder = open_folder(memory)
    assert folder.photo("a.jpg") == b"a"
    for name in ("gone.jpg", "empty.jpg"):
        with pytest.raises(UnreadableImage):
            folder.photo(name)


def test_a_url_that_cannot_be_is_refused() -> None:
    with pytest.raises((UsageError, MissingExtra)):
        open_folder("nosuchscheme://x/y")
    with pytest.raises(UsageError):
        open_folder("s3://no-such-bucket-of-tests/x").read("run.json")


def test_an_outage_ends_the_run_and_blames_no_photo(
    memory: str, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(f"{memory}/people", PHOTOS)
    files, _ = fsspec.core.url_to_fs(memory)

    def fail(*given: object, **options: object) -> None:
        raise ConnectionResetError("the network is gone")

    with monkeypatch.context() as patch:
        patch.setattr(files, "open", fail)
        with pytest.raises(UsageError, match="network is gone"):
            fragile.embed(request(f"{memory}/people", f"{memory}/out"), own)
    fragile.embed(request(f"{memory}/people", f"{memory}/out", resume=True), own)
    assert {one.outcome for one in rows(f"{memory}/out", own)} == {Outcome.OK}


def test_missing_credentials_are_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs: pip install '.[cluster]'")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(UsageError, match="credentials"):
        open_folder("s3://bucket/x").names()
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_password_in_a_url_is_not_told(home: Path) -> None:
    pytest.importorskip("requests", reason="fsspec's ftp and sftp need more")
    from mien.bulk.storage import _without_password

    assert _without_password("sftp://me:secret@host/photos/a@b") == "sftp://host/photos/a@b"


@pytest.mark.parametrize("url", ["file://{}", "local://{}", "{}"])
def test_a_folder_of_this_machine_is_one_however_it_is_written(url: str, tmp_path: Path) -> None:
    found = open_folder(url.format(tmp_path))
    assert isinstance(found, LocalFolder)
    found.write("a.bin", b"content")
    assert found.read("a.bin") == b"content"
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o600
    assert found.names() == {"a.bin"}
    assert LocalFolder(tmp_path / "absent").names() == set()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, own: Settings) -> None:
    (tmp_path / "file").write_bytes(b"")
    source = tmp_path / "people"
    (source / "ana").mkdir(parents=True)
    (source / "ana" / "1.jpg").write_bytes(b"one")
    with pytest.raises(UsageError, match="cannot"):
        fragile.embed(request(source, tmp_path / "file" / "out"), own)


def listeners() -> set[tuple[str, int]]:
    """Addresses (hexadecimal) and ports that this process listens on, by /proc/net/tcp."""
    mine = set()
    for handle in os.listdir("/proc/self/fd"):
        try:
            mine.add(os.readlink(f"/proc/self/fd/{handle}"))
        except OSError:
            continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields: list[Any] = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


def test_nothing_listens_beyond_this_machine(s3: str, own: Settings) -> None:
    put(f"{s3}/people", PHOTOS)
    before = listeners()
    assert {address for address, _ in before} <= {"0100007F"}  # of the S3 server, 127.0.0.1
    fragile.embed(request(f"{s3}/people", f"{s3}/out"), replace(own), workers=2)
    assert listeners() <= before


class FailingFiles:
    """A file system every call of which raises this error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*given: object, **options: object) -> None:
            raise self._error

        return fail


def calls_of(folder: Any) -> list[Any]:
    return [
        folder.names,
        folder.photo_names,
        lambda: folder.read("a"),
        lambda: folder.photo("a"),
        lambda: folder.write("a", b""),
    ]


@pytest.mark.parametrize(
    "error", [ValueError("bug"), RuntimeError("bug"), KeyError("bug"), UnicodeError("bug")]
)
def test_a_fault_of_the_program_is_not_told_as_one_of_the_storage(
    error: Exception, memory: str
) -> None:
    folder: Any = open_folder(memory)
    folder._files = FailingFiles(error)
    for call in calls_of(folder):
        with pytest.raises(type(error), match="bug"):
            call()


def test_what_the_libraries_of_storage_raise_is_told_as_such(memory: str) -> None:
    exceptions = pytest.importorskip("botocore.exceptions", reason="needs s3fs")
    aiohttp = pytest.importorskip("aiohttp", reason="needs s3fs")
    for error in (
        OSError("full"),
        ConnectionResetError("gone"),
        fsspec.exceptions.FSTimeoutError("late"),
        NotImplementedError("this one only reads"),
        exceptions.NoCredentialsError(),
        exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        aiohttp.ClientConnectionError("gone"),
    ):
        folder: Any = open_folder(memory)
        folder._files = FailingFiles(error)
        for call in calls_of(folder):
            with pytest.raises(UsageError, match="check the address"):
                call()


@pytest.mark.parametrize("url", ["s3://no!such bucket/x", "s3://", "s3:///"])
@pytest.mark.parametrize("number", range(5))
def test_a_bucket_that_cannot_be_is_told(s3: str, url: str, number: int) -> None:
    with pytest.raises(UsageError):
        calls_of(open_folder(url))[number]()
