"""Pairs files and folders of people: what is read, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.lab.evaluate.protocols import read_pairs, read_people

GOOD = "2\t1\nana\t1\t2\nana\t1\tben\t1\nben\t1\t2\nana\t2\tben\t2\n"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name in ("ana", "ben"):
        (root / name).mkdir(parents=True)
        for number in (1, 2):
            (root / name / f"{name}_{number:04d}.jpg").write_bytes(b"never opened")
    return root


def _written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "pairs.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_pairs_are_read_as_rows_of_photos_with_fold_and_kind(tmp_path: Path, images: Path) -> None:
    pairs = read_pairs(_written(tmp_path, GOOD), images)
    assert [photo.name for photo in pairs.people.photos] == [
        "ana_0001.jpg", "ana_0002.jpg", "ben_0001.jpg", "ben_0002.jpg",
    ]  # fmt: skip
    assert pairs.people.names == ("ana", "ben")
    np.testing.assert_array_equal(pairs.people.person, [0, 0, 1, 1])
    np.testing.assert_array_equal(pairs.a, [0, 0, 2, 1])
    np.testing.assert_array_equal(pairs.b, [1, 2, 3, 3])
    np.testing.assert_array_equal(pairs.same, [True, False, True, False])
    np.testing.assert_array_equal(pairs.fold, [1, 1, 2, 2])


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\t", "  "),
        "\ufeff" + GOOD,
        GOOD.rstrip("\n"),
        GOOD + "\n\n",
    ],
    ids=["windows", "spaces", "byte order mark", "no last line end", "empty lines at the end"],
)
def test_the_same_file_may_be_written_in_other_ways(
    content: str, tmp_path: Path, images: Path
) -> None:
    assert len(read_pairs(_written(tmp_path, content), images).a) == 4


def test_a_header_of_one_number_is_one_fold(tmp_path: Path, images: Path) -> None:
    pairs = read_pairs(_written(tmp_path, "1\nana 1 2\nana 1 ben 1\n"), images)
    np.testing.assert_array_equal(pairs.fold, [1, 1])


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "not a header"),
        ("ten 300\n", 1, "not a header"),
        ("10 300 1\n", 1, "not a header"),
        ("-1 1\n", 1, "not a header"),
        ("9999999999 1\n", 1, "not a header"),
        ("0 5\n", 1, "has a zero"),
        ("1 2\nana 1 2\n", 2, "has 1 pairs, its header says 4"),
        ("999999 999999\nana 1 2\n", 2, "its header says"),
        ("1 1\nana 1 ben 1\nana 1 2\n", 2, "4 columns, expected 3: genuine"),
        ("1 1\nana 1 2\nana 1 2\n", 3, "3 columns, expected 4: impostor"),
        ("1 1\nana 1 2 3 4\nana 1 ben 1\n", 2, "5 columns"),
        ("1 1\nana 1 x\nana 1 ben 1\n", 2, "image number 'x'"),
        ("1 1\nana 1 -2\nana 1 ben 1\n", 2, "image number '-2'"),
        ("1 1\nana 1 ٢\nana 1 ben 1\n", 2, "expected 1 to 6 digits"),
        ("1 1\nana 1 1\nana 1 ben 1\n", 2, "with itself"),
        ("1 1\nana 1 2\nana 1 ana 2\n", 3, "impostor pair of one person"),
        ("1 1\nana 1 3\nana 1 ben 1\n", 2, "'ana/ana_0003.jpg', which is not in"),
        ("1 1\n../ana 1 2\nana 1 ben 1\n", 2, "which is not allowed for a folder"),
        ("1 1\nana 1 2\nana 1 /etc 1\n", 3, "which is not allowed for a folder"),
        ("1 1\n.. 1 2\nana 1 ben 1\n", 2, "which is not allowed for a folder"),
        ("1 1\n. 1 2\nana 1 ben 1\n", 2, "which is not allowed for a folder"),
        ("1 1\na\\b 1 2\nana 1 ben 1\n", 2, "which is not allowed for a folder"),
        ("1 1\n\t1\t2\nana 1 ben 1\n", 2, "which is not allowed for a folder"),
        ("1 1\na\x00b 1 2\nana 1 ben 1\n", 2, "which is not allowed for a folder"),
        ("1 1\n\u202ena 1 2\nana 1 ben 1\n", 2, "which is not allowed for a folder"),
        ("1 1\n" + "x" * 5000 + "\nana 1 ben 1\n", 2, "over 1000 characters"),
        (b"1 1\nana 1 2\n\xff\xfe 1 ben 1\n", 3, "not UTF-8"),
    ],
)
def test_a_wrong_line_is_reported_with_its_number_on_one_line(
    content: str | bytes, line: int, words: str, tmp_path: Path, images: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        read_pairs(_written(tmp_path, content), images)
    message = str(refused.value)
    assert f"pairs.txt', line {line}: " in message
    assert words in message
    assert message.isprintable()


def test_a_pairs_file_that_is_not_a_file_is_refused(tmp_path: Path, images: Path) -> None:
    for path in (tmp_path / "missing\n.txt", tmp_path):
        with pytest.raises(UsageError, match="there is no pairs file") as refused:
            read_pairs(path, images)
        assert str(refused.value).isprintable()


def test_a_folder_of_people_gives_each_photo_its_person(images: Path) -> None:
    people = read_people(images)
    assert people.names == ("ana", "ben")
    np.testing.assert_array_equal(people.person, [0, 0, 1, 1])
    assert people.name_of(3) == "ben"


def test_a_folder_of_one_person_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ana").mkdir()
    (tmp_path / "ana" / "1.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="only one person"):
        read_people(tmp_path)
