"""The article's layout of a folder of people, and folders that hold several people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.app.pipeline import Pipeline
from mien.lab.people_layout import describe_mixed, people_root, warn_of_mixed


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def test_the_people_of_the_articles_layout_are_under_faces(tmp_path: Path) -> None:
    root = folders(tmp_path, "faces/ana", "faces/bea", "faces_test")
    found, notes = people_root(root)
    assert found == root / "faces"
    assert notes == [
        "the people are the sub-folders of faces, as in the article; faces_test is left out"
    ]


def test_faces_alone_are_enough(tmp_path: Path) -> None:
    found, notes = people_root(folders(tmp_path, "faces/ana"))
    assert found == tmp_path / "faces"
    assert notes == ["the people are the sub-folders of faces, as in the article"]


@pytest.mark.parametrize(
    "names", [("ana", "bea"), ("faces", "ana"), ("faces/ana", "bea"), ("faces",), ()]
)
def test_another_folder_is_taken_as_it_is(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert people_root(folders(tmp_path, *names)) == (tmp_path, [])


def test_a_folder_that_cannot_be_listed_is_left_to_the_command(tmp_path: Path) -> None:
    assert people_root(tmp_path / "none") == (tmp_path / "none", [])
    assert people_root(Path("zero\0byte")) == (Path("zero\0byte"), [])


def test_a_folder_of_which_half_the_pairs_do_not_match_is_named() -> None:
    people = ["ana", "ana", "bea", "bea", "bea", "cid"]
    matched = np.array([True, False, True, True, False, False])
    assert describe_mixed(people, matched) == [
        "warning: the folder 'ana' may hold several people: 1 of its 2 pairs of photos do not"
        " match; put each person into a folder of their own",
        "warning: the folder 'cid' may hold several people: 1 of its 1 pairs of photos do not"
        " match; put each person into a folder of their own",
    ]


def test_of_many_such_folders_five_are_named() -> None:
    said = describe_mixed([f"p{n}" for n in range(7)], np.zeros(7, bool))
    assert len(said) == 6
    assert said[-1] == "warning: and so may 2 more folders"


def test_strangers_in_one_folder_are_told_from_one_person(pipeline: Pipeline) -> None:
    rng = np.random.default_rng(1)
    strangers = rng.normal(size=(4, 128))
    one = strangers[:1] + 0.05 * rng.normal(size=(3, 128))
    vectors = np.concatenate([strangers, one]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = ["mixed"] * 4 + ["ana"] * 3
    said = warn_of_mixed(people, vectors, pipeline.matcher)
    assert len(said) == 1
    assert said[0].startswith("warning: the folder 'mixed' may hold several people: 6 of its 6")
    assert warn_of_mixed(["ana", "bea"], vectors[:2], pipeline.matcher) == []
