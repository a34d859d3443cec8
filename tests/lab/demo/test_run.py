"""The demo: on a folder of people, on the article's photos, and the small one that needs none."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.app.pipeline import Pipeline
from mien.cli.main import main
from mien.errors import Outcome, UsageError
from mien.lab.demo.run import SMALL_NOTE, DemoResult, probe_rows, run_demo, run_small_demo
from mien.lab.recapture import recapture
from mien.results import ByteArray

PICTURES = {"faces.png", "similarity.png", "map.png", "report.html"}


# the small demo ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(
    astronaut: ByteArray, pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> DemoResult:
    return run_small_demo(tmp_path_factory.mktemp("small"), pipeline, np.random.default_rng(1))


def light_files(folder: Path) -> set[str]:
    """The files of a report, without the dark twins of its charts."""
    names = {path.name for path in folder.iterdir() if path.is_file()}
    return {name for name in names if not name.endswith("-dark.png")}


def test_the_small_demo_unlocks_for_a_held_out_photo_and_not_for_a_cat(small: DemoResult) -> None:
    shot, cat = small.probes
    assert shot.decision
    assert shot.decision.similarity > 0.8
    assert cat.decision.outcome is Outcome.NO_FACE
    assert small.owner == "eileen_collins"
    assert small.faces == 4
    assert small.left_out == ()


def test_the_held_out_photo_was_not_enrolled(small: DemoResult) -> None:
    enrolled = sorted((small.report.parent / "photos" / "eileen_collins").iterdir())
    assert [path.name for path in enrolled] == [f"shot_{number}.png" for number in (1, 2, 3, 4)]
    for path in enrolled:
        with Image.open(path) as opened:
            assert not np.array_equal(np.asarray(opened), small.probes[0].image_rgb)


def test_the_small_demo_says_that_it_is_small(small: DemoResult) -> None:
    assert small.note == SMALL_NOTE
    assert "This is the small demo" in small.report.read_text(encoding="utf-8")


def test_the_report_is_one_file(small: DemoResult) -> None:
    folder = small.report.parent
    assert light_files(folder) == PICTURES | {
        "probe_1.png",
        "probe_2.png",
        "strangers.png",
        *(f"refused_{number}.png" for number in (1, 2, 3)),
        *(f"held_up_{number}.png" for number in (1, 2, 3)),
    }
    html = small.report.read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 18
    assert "Unlocking for eileen_collins" in html
    assert "Enrolled from 4 photos" in html
    assert "held-out shot" in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)


def test_the_same_seed_gives_the_same_demo(
    small: DemoResult, pipeline: Pipeline, tmp_path: Path
) -> None:
    again = run_small_demo(tmp_path, pipeline, np.random.default_rng(1))
    np.testing.assert_array_equal(again.probes[0].image_rgb, small.probes[0].image_rgb)
    assert again.probes[0].decision.similarity == pytest.approx(
        small.probes[0].decision.similarity, abs=1e-5
    )


def test_a_missing_number_in_the_table_is_described_in_words(small: DemoResult) -> None:
    shot, cat = probe_rows(small.probes)
    assert shot[:2] == ("held-out shot", "unlocked")
    assert re.fullmatch(r"0\.\d{3}", shot[2])
    assert re.fullmatch(r"0\.4\d\d", shot[3])
    assert cat[:3] == ("a cat, no person", "locked", "-")
    assert cat[4].startswith("no face found")


def test_offline_and_without_photos_the_command_runs_the_small_demo(
    home: Path,
    tmp_path: Path,
    astronaut: ByteArray,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    # graphs that are built already, and no photos of an earlier day
    cache = tmp_path / "cache" / "mien"
    from mien.settings import load_settings

    shutil.copytree(load_settings().cache_dir / "graphs", cache / "graphs")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    assert main(["demo"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("This is the small demo: one public-domain photograph")
    assert "unlocking for eileen_collins, 4 faces found" in said.out
    assert (place / "mien-report" / "report.html").is_file()


# on a folder of people ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def shots(astronaut: ByteArray, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shots")
    rng = np.random.default_rng(2)
    paths = [folder / f"{number}.png" for number in range(4)]
    for path in paths:
        Image.fromarray(recapture(astronaut, rng)).save(path)
    return paths


def filled(root: Path, files: dict[str, Path]) -> Path:
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / name)
    return root


def test_the_last_photo_of_each_person_is_held_out(
    pipeline: Pipeline, shots: list[Path], tmp_path: Path
) -> None:
    root = filled(
        tmp_path / "people",
        {
            "ana/1.png": shots[0],
            "ana/2.png": shots[1],
            "ana/3.png": shots[2],
            "zoe/9.png": shots[3],
        },
    )
    result = run_demo(root, tmp_path / "out", pipeline)
    assert result.owner == "ana"  # who has the most photos
    assert [probe.name for probe in result.probes] == ["3.png", "9.png"]
    assert result.faces == 4
    assert result.note == ""
    assert "Enrolled from 2 photos" in result.report.read_text(encoding="utf-8")


def test_probes_of_a_folder_are_decided_and_unreadable_ones_left_out(
    pipeline: Pipeline, shots: list[Path], tmp_path: Path
) -> None:
    root = filled(
        tmp_path / "people",
        {
            "faces/me/1.png": shots[0],
            "faces/zoe/1.png": shots[1],
            "faces/zoe/2.png": shots[2],
            "faces_test/probe.png": shots[3],
        },
    )
    (root / "faces_test" / "bad.jpg").write_text("no picture")
    result = run_demo(root, tmp_path / "out", pipeline)
    assert result.owner == "me"
    assert [(probe.name, bool(probe.decision)) for probe in result.probes] == [("probe.png", True)]
    assert [path.name for path, _ in result.left_out] == ["bad.jpg"]
    (root / "faces_test" / "probe.png").unlink()
    with pytest.raises(UsageError, match="none of the 1 probes can be read"):
        run_demo(root, tmp_path / "out", pipeline)


def test_the_owner_can_be_chosen_and_must_be_in_the_folder(
    pipeline: Pipeline, shots: list[Path], tmp_path: Path
) -> None:
    root = filled(
        tmp_path / "people",
        {
            "ana/1.png": shots[0],
            "ana/2.png": shots[1],
            "ben/1.png": shots[2],
        },
    )
    with pytest.raises(UsageError, match="no face found for 'zoe'; choose one of 'ana', 'ben'"):
        run_demo(root, tmp_path / "out", pipeline, owner="zoe")
    with pytest.raises(UsageError, match="'ben' has one photo only"):
        run_demo(root, tmp_path / "out", pipeline, owner="ben")
    assert not (tmp_path / "out").exists()


def test_the_articles_demo_decides_all_four_probes_right(
    pipeline: Pipeline, shared_photos: Path, tmp_path: Path
) -> None:
    result = run_demo(shared_photos, tmp_path, pipeline)
    assert result.owner == "me"
    assert result.faces == 8
    assert result.left_out == ()
    assert [probe.name for probe in result.probes if probe.decision] == ["me_test.jpg"]
    assert len(result.probes) == 4
    assert light_files(tmp_path) == PICTURES | {f"probe_{number}.png" for number in (1, 2, 3, 4)}
