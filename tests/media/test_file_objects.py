"""File objects as sources: seekable or not, and those that give no bytes."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.errors import UnreadableImage
from mien.media import file_bytes
from mien.media.image_file import read_image

PICTURE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def png() -> io.BytesIO:
    """A PNG in memory; the position is at its end, as after saving."""
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, "PNG")
    return file


def refusal(source: Any) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(source)
    return str(caught.value)


class Pieces:
    """A file object that is not seekable and gives these pieces, whatever is asked for."""

    def __init__(self, *pieces: Any) -> None:
        self._pieces = list(pieces)
        self.sizes: list[int] = []

    def seekable(self) -> bool:
        return False

    def read(self, size: int) -> Any:
        self.sizes.append(size)
        return self._pieces.pop(0) if self._pieces else b""


def test_an_open_file_is_read_and_stays_open(tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(png().getvalue())
    with open(tmp_path / "me.png", "rb") as file:
        assert (read_image(file) == PICTURE).all()
        assert not file.closed


def test_a_seekable_file_is_read_from_its_start_again_and_again() -> None:
    file = png()
    assert file.tell() > 0
    for _ in range(2):
        assert (read_image(file) == PICTURE).all()


def test_a_temporary_file_in_memory_is_read() -> None:
    with tempfile.SpooledTemporaryFile() as file:
        file.write(png().getvalue())
        assert (read_image(file) == PICTURE).all()


def test_a_file_that_only_reads_is_read_to_its_end_in_pieces() -> None:
    content = png().getvalue()
    assert (read_image(Pieces(content[:10], content[10:11], content[11:])) == PICTURE).all()


def test_a_file_object_without_seek_methods_is_read() -> None:
    class Reader:
        def __init__(self) -> None:
            self.read = io.BytesIO(png().getvalue()).read

    assert (read_image(Reader()) == PICTURE).all()  # type: ignore[arg-type]


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, png().getvalue())
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert (read_image(file) == PICTURE).all()


def test_no_more_than_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_bytes, "MAX_FILE_BYTES", 100)
    endless = Pieces(*[b"x" * 60] * 9)
    assert "the file object given has 0.0 MB, the limit is" in refusal(endless)
    assert endless.sizes == [101, 41]


def test_a_file_of_exactly_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_bytes, "MAX_FILE_BYTES", len(png().getvalue()))
    assert (read_image(png()) == PICTURE).all()


def test_the_error_for_a_text_file_says_to_open_it_in_binary_mode(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words")
    with open(tmp_path / "text", encoding="utf-8") as file:
        assert "gives str, not bytes; open it in binary mode, 'rb'" in refusal(file)


def test_a_file_without_bytes_ready_is_refused() -> None:
    assert "has no bytes ready" in refusal(Pieces(None))


def test_an_empty_file_a_closed_file_and_a_failing_file_are_refused() -> None:
    assert "the file object given is empty; give a photo" in refusal(io.BytesIO())
    closed = png()
    closed.close()
    assert "cannot read the file object given: I/O operation on closed file" in refusal(closed)

    class Failing(Pieces):
        def read(self, size: int) -> bytes:
            raise OSError(5, "Input/output error")

    assert "cannot read the file object given: Input/output error" in refusal(Failing())
