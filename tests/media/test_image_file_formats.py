"""Names that are no picture files: missing, blocking, endless, forbidden, or strangely spelt."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from PIL import Image

from mien.errors import ExitCode, UnreadableImage
from mien.media.image_file import read_image

GUARD_S = 300.0
"""Only so that a hang fails instead of hanging the tests; nothing is timed."""


def refusal(source: object, **options: int) -> str:
    """The one line that a source is refused with."""
    with pytest.raises(UnreadableImage) as caught:
        read_image(source, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.isprintable()
    assert caught.value.exit_code is ExitCode.UNREADABLE_IMAGE
    return message


PROGRAM = """
import os, sys
from mien.errors import UnreadableImage
from mien.media.image_file import read_image
if sys.argv[1:] == ["as nobody"] and os.getuid() == 0:
    os.setuid(65534)
try:
    read_image("photo.png")
except UnreadableImage as error:
    print(error)
"""


def said_by_the_program(folder: str | Path, *arguments: str) -> str:
    """What `PROGRAM` prints about photo.png in this folder."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=GUARD_S
    )
    return done.stdout


def test_an_empty_file_and_no_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    assert "is empty; give a photo" in refusal(path)
    assert "is empty" in refusal(b"")


def test_a_file_of_too_many_bytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate(80_000_000)
    assert "has 80.0 MB, the limit is 48; shrink it" in refusal(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.jpg").startswith("there is no file ")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    assert refusal(tmp_path / "broken").startswith("there is no file ")


@pytest.mark.parametrize(
    "name",
    ["two\nlines.jpg", "../up.jpg", os.fsdecode(b"caf\xe9.jpg"), "\x1b[31mred.jpg", "a\u202eb"],
)
def test_a_strange_file_name_is_printed_on_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / name
    assert "there is no file '" in refusal(path)
    path.write_bytes(b"not a picture")
    assert "is not a picture that mien reads" in refusal(path)
    Image.new("RGB", (40, 30)).save(path, "PNG")
    assert read_image(path).shape == (30, 40, 3)


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 5000, "lone\ud800.jpg"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    assert refusal(os.path.join(tmp_path, name)).startswith("cannot open '")


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "round.jpg").symlink_to(tmp_path / "round.jpg")
    assert "cannot open '" in refusal(tmp_path / "round.jpg")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder; name a photo in it" in refusal(tmp_path)


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photo.png")
    # in a process of its own: a read that hangs there can be ended
    assert said_by_the_program(tmp_path).startswith("'photo.png' is a pipe, not a file")


def test_a_name_that_becomes_a_pipe_after_the_first_check_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo.jpg"
    os.mkfifo(path)
    regular = os.stat(__file__)
    monkeypatch.setattr(os, "stat", lambda *args, **kwargs: regular)
    thread = threading.Thread(target=lambda: answers.append(refusal(path)), daemon=True)
    answers: list[str] = []
    thread.start()
    thread.join(GUARD_S)
    monkeypatch.undo()
    assert answers, "reading the pipe hangs"
    assert "is a pipe, not a file" in answers[0]


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket holds about 100 letters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("photo.jpg")
        assert "is a socket, not a file" in refusal("photo.jpg")


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/urandom"])
def test_a_device_is_refused(device: str) -> None:
    if not os.path.exists(device):
        pytest.skip(f"this system has no {device}")
    assert "is a device, not a file" in refusal(device)


def test_a_file_of_the_kernel_without_a_size_is_refused() -> None:
    if not os.path.exists("/proc/self/environ"):
        pytest.skip("this system has no /proc")
    assert "is empty" in refusal("/proc/self/environ")


def test_a_file_without_permission_says_so() -> None:
    if not hasattr(os, "setuid"):
        pytest.skip("this system has no setuid; run the tests on Linux or macOS")
    # not tmp_path: other users may not enter pytest's folders, and may enter this one
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder, "photo.png")
        Image.new("RGB", (40, 30)).save(path)
        path.chmod(0)
        said = said_by_the_program(folder, "as nobody")
    assert said == "no permission to read 'photo.png'; change its mode or owner\n"
