"""A folder of people analysed: which faces are found, what is left out and why, and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.app.pipeline import Pipeline
from mien.errors import UsageError
from mien.lab.explore.folder import AnalysedFolder, analyse_folder
from mien.lab.explore.report import draw_sections, explore_folder
from mien.lab.recapture import recapture
from mien.results import ByteArray


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray) -> Path:
    """ana with three photos, zoe with one good photo and four that are left out."""
    root = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(2)
    for name in ("ana/1", "ana/2", "ana/3", "zoe/a"):
        (root / name).parent.mkdir(exist_ok=True)
        Image.fromarray(recapture(astronaut, rng)).save(root / f"{name}.png")
    Image.fromarray(np.hstack([astronaut, astronaut])).save(root / "zoe" / "b_crowd.png")
    (root / "zoe" / "c_empty.jpg").write_bytes(b"")
    Image.new("RGB", (200, 200), (120, 120, 120)).save(root / "zoe" / "d_wall.png")
    (root / "zoe" / "e_text.jpg").write_text("no picture")
    (root / "zoe" / "notes.txt").write_text("not looked at")
    return root


@pytest.fixture(scope="module")
def analysed(root: Path, pipeline: Pipeline) -> AnalysedFolder:
    return analyse_folder(root, pipeline)


def test_every_face_is_cropped_embedded_and_named(analysed: AnalysedFolder, root: Path) -> None:
    assert analysed.people == ("ana", "ana", "ana", "zoe")
    assert analysed.photos == tuple(
        root / name for name in ("ana/1.png", "ana/2.png", "ana/3.png", "zoe/a.png")
    )
    assert analysed.vectors.shape == (4, 128)
    np.testing.assert_allclose(np.linalg.norm(analysed.vectors, axis=1), 1.0, atol=1e-6)
    assert [crop.shape for crop in analysed.crops] == [(112, 112, 3)] * 4
    assert analysed.rows_of("ana") == [0, 1, 2]
    assert analysed.rows_of("zoe") == [3]
    assert analysed.rows_of("nobody") == []


def test_photos_without_one_face_are_listed_with_name_and_reason(
    analysed: AnalysedFolder, root: Path
) -> None:
    why = {path.name: words for path, words in analysed.left_out}
    assert list(why) == ["b_crowd.png", "c_empty.jpg", "d_wall.png", "e_text.jpg"]
    assert "2 faces of similar size" in why["b_crowd.png"]
    assert "is empty" in why["c_empty.jpg"]
    assert "no face found" in why["d_wall.png"]
    assert "not a picture" in why["e_text.jpg"]
    for name, words in why.items():
        assert words.startswith(repr(str(root / "zoe" / name)))
        assert words.count(name) == 1


def test_every_photo_is_counted_once_with_progress(root: Path, pipeline: Pipeline) -> None:
    walked = []

    def progress(photos):  # type: ignore[no-untyped-def]
        for photo in photos:
            walked.append(photo)
            yield photo

    analyse_folder(root, pipeline, progress=progress)
    assert len(walked) == len(set(walked)) == 8


def test_a_folder_in_which_no_face_is_found_is_refused(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "ana").mkdir()
    Image.new("RGB", (99, 99)).save(tmp_path / "ana" / "black.png")
    with pytest.raises(UsageError, match="no face found in the 1 photos"):
        analyse_folder(tmp_path, pipeline)


def test_a_folder_without_people_is_refused(tmp_path: Path, pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="one sub-folder per person"):
        analyse_folder(tmp_path, pipeline)


def test_exploring_writes_three_pictures_and_a_report_of_all(
    root: Path, pipeline: Pipeline, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    analysed, report = explore_folder(root, out, pipeline)
    assert len(analysed.crops) == 4
    assert report == out / "report.html"
    assert sorted(path.name for path in out.iterdir()) == [
        *("faces-dark.png", "faces.png"),
        *("map-dark.png", "map.png"),
        "report.html",
        *("similarity-dark.png", "similarity.png"),
    ]
    for path in out.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 100
    html = report.read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 6
    assert f"mien explore {root.name}" in html
    for heading in ("Faces", "Similarity", "Map", "Left out"):
        assert f">{heading}</h2>" in html
    assert "d_wall.png" in html


def test_a_single_face_can_be_explored(
    astronaut: ByteArray, pipeline: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "people" / "ana").mkdir(parents=True)
    Image.fromarray(astronaut).save(tmp_path / "people" / "ana" / "1.png")
    analysed, report = explore_folder(tmp_path / "people", tmp_path / "out", pipeline)
    assert len(analysed.crops) == 1
    assert "Left out" not in report.read_text(encoding="utf-8")


def test_a_report_of_many_faces_shows_an_even_selection_and_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((70, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    many = AnalysedFolder(
        crops=tuple(np.full((16, 16, 3), row * 3, np.uint8) for row in range(70)),
        vectors=vectors,
        people=tuple(f"person {row // 10}" for row in range(70)),
        photos=tuple(Path(f"{row}.png") for row in range(70)),
        left_out=(),
    )
    sections = draw_sections(many, tmp_path)
    captions = [picture.caption for section in sections for picture in section.pictures]
    assert captions == ["60 of 70 faces"] * 3


def test_a_path_that_cannot_be_a_folder_is_refused(
    root: Path, pipeline: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="cannot make the folder"):
        explore_folder(root, tmp_path / "file", pipeline)
