"""Which files are photos: arguments, folders, globs, and a tree of one folder per person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.errors import ExitCode, UnreadableImage, UsageError, one_line, quote_path
from mien.media.photo_paths import find_people_photos, find_photos, named_files


def make(root: Path, *names: str) -> list[Path]:
    """Empty files: only names matter here."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [root / name for name in names]


def test_files_keep_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    b, a = make(tmp_path, "b.jpg", "a.jpg")
    assert find_photos([str(b), str(a)]) == [b, a]


def test_a_file_that_is_named_may_have_any_suffix(tmp_path: Path) -> None:
    (odd,) = make(tmp_path, "photo.from-my-phone")
    assert find_photos([str(odd)]) == [odd]


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path: Path) -> None:
    make(tmp_path, "me10.jpg", "me2.JPEG", "me1.png", "notes.txt", ".hidden.jpg", "Me3.webp", "jpg")
    assert [p.name for p in find_photos([str(tmp_path)])] == [
        "me1.png",
        "me2.JPEG",
        "Me3.webp",
        "me10.jpg",
    ]


def test_a_folder_does_not_give_the_pictures_of_its_sub_folders(tmp_path: Path) -> None:
    make(tmp_path, "me.jpg", "somebody else/face.jpg", "folder.jpg/inside.jpg")
    assert find_photos([str(tmp_path)]) == [tmp_path / "me.jpg"]


def test_a_quoted_glob_gives_pictures_in_natural_order(tmp_path: Path) -> None:
    make(tmp_path, "me10.jpg", "me9.jpg", "me.txt", "you1.jpg", "me-dir/x.jpg")
    assert find_photos([str(tmp_path / "me*")]) == [tmp_path / "me9.jpg", tmp_path / "me10.jpg"]


def test_a_file_whose_name_looks_like_a_glob_is_the_file(tmp_path: Path) -> None:
    odd, _ = make(tmp_path, "me[1].jpg", "me1.jpg")
    assert find_photos([str(odd)]) == [odd]


def test_a_photo_named_twice_is_given_once(tmp_path: Path) -> None:
    a, b = make(tmp_path, "a.jpg", "b.jpg")
    assert find_photos([str(b), str(tmp_path), f"{tmp_path}/./a.jpg", str(b)]) == [b, a]


@pytest.mark.parametrize("pattern", ["*.jpg", "no/such/*.png", "[z-a].jpg", "\0*", "*/" * 100])
def test_a_glob_that_matches_nothing_is_a_usage_error(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match=r"gives no photo: .*; check it") as caught:
        find_photos([str(tmp_path / pattern)])
    assert str(caught.value).isprintable()


def test_a_folder_without_pictures_is_a_usage_error(tmp_path: Path) -> None:
    make(tmp_path, "notes.txt", "deeper/me.jpg")
    with pytest.raises(UsageError, match="no picture is directly in it"):
        find_photos([str(tmp_path)])


@pytest.mark.parametrize("arguments", [[], [""]])
def test_no_argument_and_an_empty_one_are_usage_errors(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=r"name files, a folder|name a file, a folder"):
        find_photos(arguments)


@pytest.mark.parametrize("name", ["none.jpg", "a\nb.jpg", "x" * 5000, "a\0b.jpg", "caf\udce9.jpg"])
def test_a_missing_file_is_an_unreadable_image(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableImage, match="there is no file") as caught:
        find_photos([os.path.join(tmp_path, name)])
    assert caught.value.exit_code is ExitCode.UNREADABLE_IMAGE
    assert str(caught.value).isprintable()


def test_people_are_sub_folders_in_sorted_order(tmp_path: Path) -> None:
    make(
        tmp_path, "bob/2.jpg", "bob/10.jpg", "Ann/b.png", "Ann/a.png", "flat.jpg", "empty/notes.md"
    )
    assert find_people_photos(tmp_path) == [
        (tmp_path / "Ann" / "a.png", "Ann"),
        (tmp_path / "Ann" / "b.png", "Ann"),
        (tmp_path / "bob" / "10.jpg", "bob"),
        (tmp_path / "bob" / "2.jpg", "bob"),
    ]


def test_people_come_in_the_order_of_torchvision(tmp_path: Path) -> None:
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        pytest.skip(f"needs a torchvision that imports beside torch: {error}")
    make(tmp_path, "b/z.jpg", "b/a/1.jpg", "b/a-b/1.jpg", "b/a/c/1.png", "B/x.jpg", "b c/q.jpg")
    theirs = datasets.ImageFolder(tmp_path)
    ours = find_people_photos(tmp_path)
    assert [str(path) for path, _ in ours] == [path for path, _ in theirs.samples]
    assert [name for _, name in ours] == [theirs.classes[label] for _, label in theirs.samples]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "ann/1.jpg", "ann/._1.jpg", "ann/.trash/2.jpg", ".git/3.jpg")
    assert find_people_photos(tmp_path) == [(tmp_path / "ann" / "1.jpg", "ann")]


@pytest.mark.parametrize("names", [["me.jpg", "you.jpg"], ["notes.txt"], ["ann/notes.txt"]])
def test_a_flat_folder_is_refused_with_the_expected_layout(
    tmp_path: Path, names: list[str]
) -> None:
    make(tmp_path, *names)
    with pytest.raises(UsageError, match="one sub-folder per person"):
        find_people_photos(tmp_path)


@pytest.mark.parametrize("name", ["missing", "file.jpg", "a\0b", "x" * 5000, "new\nline"])
def test_a_root_that_is_not_a_folder_is_a_usage_error(tmp_path: Path, name: str) -> None:
    make(tmp_path, "file.jpg")
    with pytest.raises(UsageError, match="cannot list the folder") as caught:
        find_people_photos(os.path.join(tmp_path, name))
    assert str(caught.value).isprintable()


def test_circular_links_are_followed_once(tmp_path: Path) -> None:
    make(tmp_path, "ann/1.jpg", "bob/1.jpg")
    (tmp_path / "ann" / "self").symlink_to(tmp_path / "ann")
    (tmp_path / "ann" / "up").symlink_to(tmp_path)
    (tmp_path / "bob" / "nowhere").symlink_to(tmp_path / "bob" / "nowhere")
    (tmp_path / "everyone").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert find_people_photos(tmp_path) == [
        (tmp_path / "ann" / "1.jpg", "ann"),
        (tmp_path / "bob" / "1.jpg", "bob"),
    ]


def test_a_linked_folder_of_photos_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/1.jpg", "people/ann/2.jpg")
    (tmp_path / "people" / "ann" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "people" / "bob").symlink_to(tmp_path / "elsewhere")
    names = [(path.name, person) for path, person in find_people_photos(tmp_path / "people")]
    assert names == [("2.jpg", "ann"), ("1.jpg", "ann"), ("1.jpg", "bob")]


def test_a_path_is_quoted_on_one_printable_line() -> None:
    assert quote_path("a\nb\x1b[31m.jpg") == r"'a\nb\x1b[31m.jpg'"
    assert quote_path(os.fsdecode(b"caf\xe9.jpg")) == r"'caf\udce9.jpg'"


def test_the_reason_of_another_library_is_put_on_one_line() -> None:
    assert one_line(ValueError("two\nlines \x1b")) == "two lines ?"
    assert one_line(ValueError()) == "ValueError"
    assert len(one_line(ValueError("x" * 999))) == 120


def test_a_folder_gives_the_pictures_of_cameras_and_those_that_will_be_named_as_unread(
    tmp_path: Path,
) -> None:
    names = ["a.HIF", "b.MPO", "c.apng", "d.jp2", "e.TGA", "f.dng"]
    make(tmp_path, *names, "g.mp3", "h.txt")
    assert [path.name for path in find_photos([str(tmp_path)])] == names


def test_a_tree_of_people_gives_the_readable_pictures_only(tmp_path: Path) -> None:
    make(tmp_path, "ana/a.HIF", "ana/d.jp2")
    assert find_people_photos(tmp_path) == [(tmp_path / "ana" / "a.HIF", "ana")]


def test_files_that_are_named_are_told_from_those_of_folders(tmp_path: Path) -> None:
    one, _ = make(tmp_path, "a.jpg", "folder/b.jpg")
    arguments = [str(one), str(tmp_path / "folder"), str(tmp_path / "*.jpg")]
    assert named_files(arguments) == {one}
