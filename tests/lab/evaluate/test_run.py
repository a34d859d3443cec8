"""An evaluation from pictures to report, through real worker processes."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.cli.commands.evaluate import evaluate_folder, evaluate_pairs
from mien.errors import UsageError
from mien.lab.evaluate import run
from mien.lab.evaluate.embeddings import embed_photos
from mien.lab.evaluate.report import summary_lines, write_evaluation
from mien.lab.evaluate.run import MIN_CENTRING_PEOPLE, Evaluation, EvaluationPlan, Method
from mien.lab.recapture import recapture
from mien.matching.cohort import Cohort
from mien.results import ByteArray, Crop, FloatArray
from mien.settings import Settings

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install '.[lab]'")

NOW = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray) -> Path:
    """images/ana, ben, cleo: two variants of one face each, and a wall that is ben's third."""
    root = tmp_path_factory.mktemp("tree")
    rng = np.random.default_rng(4)
    head = np.ascontiguousarray(astronaut[0:256, 96:352])
    for name in ("ana", "ben", "cleo"):
        (root / "images" / name).mkdir(parents=True)
        for number in (1, 2):
            made = Image.fromarray(recapture(head, rng))
            made.save(root / "images" / name / f"{name}_{number:04d}.jpg")
    wall = Image.new("RGB", (200, 200), (150, 140, 130))
    wall.save(root / "images" / "ben" / "ben_0003.jpg")
    (root / "pairs.txt").write_text(
        "2 2\nana 1 2\nben 1 3\nana 1 ben 1\nana 2 ben 3\n"
        "ben 1 2\ncleo 1 2\nben 2 cleo 1\nana 2 cleo 2\n"
    )
    return root


@pytest.fixture(scope="module")
def private(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    cache = tmp_path_factory.mktemp("cache")
    shutil.copytree(settings.cache_dir / "graphs", cache / "graphs")
    yield replace(settings, cache_dir=cache)
    shutil.rmtree(cache)


@pytest.fixture(scope="module")
def found(tree: Path, private: Settings) -> Evaluation:
    plan = EvaluationPlan("sface", "centre", workers=2)
    return run.evaluate_pairs(tree / "pairs.txt", tree / "images", plan, settings=private)


def test_pairs_and_all_pairs_are_counted_and_nothing_is_dropped(found: Evaluation) -> None:
    assert len(found.people.photos) == 7
    assert [row for row, _ in found.failures] == [3]  # ben_0003, fourth to be named
    assert found.people.photos[3].name == "ben_0003.jpg"
    assert (found.lost_genuine, found.lost_impostor) == (1, 1)
    for method in found.methods:
        protocol, everybody = method.figures
        assert (protocol.genuine.n, protocol.impostor.n, protocol.n_lost) == (3, 3, 1)
        assert (everybody.genuine.n, everybody.impostor.n, everybody.n_lost) == (3, 12, 2)
        assert everybody.n_person_pairs == 3
        assert method.accuracy is not None
        assert method.accuracy.folds is not None
        assert method.accuracy.folds.folds == (1, 2)


def test_too_little_data_gives_no_figure_and_a_reason(found: Evaluation) -> None:
    lines = summary_lines(found)
    assert "7 photos of 3 people, no face in 1 of them" in lines[0]
    refused = [line for line in lines if "refused: " in line]
    assert len(refused) == 2 * (2 + 4)
    assert all("say nothing below FMR" in line for line in refused)


def test_plain_and_flip_averaged_scores_come_from_one_run(found: Evaluation) -> None:
    plain, averaged = found.methods
    assert (plain.name, averaged.name) == ("plain", "flip-averaged")
    apart = np.abs(np.sort(plain.genuine.scores) - np.sort(averaged.genuine.scores))
    assert 1e-6 < apart.max() < 0.2


def test_a_folder_has_no_folds_and_uses_the_same_cache(
    found: Evaluation, tree: Path, private: Settings
) -> None:
    plan = EvaluationPlan("sface", "centre", workers=1, methods=("flip-averaged",))
    again = run.evaluate_folder(tree / "images", plan, settings=private)
    assert again.computed == 0
    [method] = again.methods
    assert method.accuracy is None
    [figures] = method.figures
    assert (figures.genuine.n, figures.impostor.n) == (3, 12)
    np.testing.assert_allclose(
        np.sort(method.genuine.scores), np.sort(found.methods[1].genuine.scores), atol=1e-6
    )


def unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / lengths).astype(np.float32)


@pytest.fixture(scope="module")
def strangers() -> Cohort:
    rows = np.random.default_rng(7).standard_normal((20, 128)).astype(np.float32)
    return Cohort(unit(rows), nearest=5, typical=0.3, least=-1.0)


def test_normalised_scores_are_plain_scores_minus_the_cohort_shift(
    tree: Path, private: Settings, strangers: Cohort
) -> None:
    plan = EvaluationPlan(
        "sface", "centre", workers=1, methods=("plain", "normalised"), cohort=strangers
    )
    made = run.evaluate_pairs(tree / "pairs.txt", tree / "images", plan, settings=private)
    plain, normalised = made.methods
    assert normalised.n_in_cohort == 0
    for before, after in zip(plain.figures, normalised.figures, strict=True):
        raised = after.genuine.values.mean() - before.genuine.values.mean()
        assert 0.0 < raised < 0.6  # nobody is near these strangers, who are noise
    photos = made.people.photos
    vectors = [
        embed_photos(
            [photos[row]], settings=private, model="sface", choice="centre", workers=1
        ).plain[0]
        for row in (plain.genuine.a[0], plain.genuine.b[0])
    ]
    expected = plain.genuine.scores[0] - strangers.shift(*vectors)
    assert normalised.genuine.scores[0] == pytest.approx(expected, abs=1e-5)


def test_people_of_the_cohort_are_not_evaluated_with_it(
    tree: Path, private: Settings, strangers: Cohort
) -> None:
    photo = tree / "images" / "ana" / "ana_0001.jpg"
    ana = embed_photos([photo], settings=private, model="sface", choice="centre", workers=1).plain
    cohort = replace(strangers, vectors=np.concatenate([strangers.vectors, ana]))
    plan = EvaluationPlan(
        "sface", "centre", workers=1, methods=("plain", "normalised"), cohort=cohort
    )
    made = run.evaluate_pairs(tree / "pairs.txt", tree / "images", plan, settings=private)
    plain, normalised = made.methods
    # all of this tree show one face: whoever is known to the cohort, both photos are left out
    assert normalised.n_in_cohort >= 2
    assert normalised.figures[-1].genuine.n < plain.figures[-1].genuine.n
    assert any("photos of the cohort" in line for line in summary_lines(made))


def test_centred_scores_are_cosines_after_subtracting_the_cohort_mean(
    tree: Path, private: Settings, strangers: Cohort
) -> None:
    rows = np.concatenate([strangers.vectors, strangers.vectors])[:MIN_CENTRING_PEOPLE]
    cohort = replace(strangers, vectors=rows)
    plan = EvaluationPlan("sface", "centre", workers=1, methods=("plain", "centred"), cohort=cohort)
    made = run.evaluate_folder(tree / "images", plan, settings=private)
    plain, centred = made.methods
    pair = [made.people.photos[row] for row in (plain.genuine.a[0], plain.genuine.b[0])]
    vectors = embed_photos(pair, settings=private, model="sface", choice="centre", workers=1).plain
    one, other = unit(vectors - rows.mean(axis=0))
    assert centred.genuine.scores[0] == pytest.approx(float(one @ other), abs=1e-5)


def test_centring_is_refused_for_the_cohort_of_a_household(strangers: Cohort) -> None:
    with pytest.raises(UsageError, match="at least 30 people, the cohort has 20"):
        EvaluationPlan("sface", "centre", workers=1, methods=("centred",), cohort=strangers)


@pytest.mark.parametrize("method", ["normalised", "centred"])
def test_a_model_without_a_cohort_has_no_normalised_scores(method: Method) -> None:
    with pytest.raises(ValueError, match="only a model with a cohort"):
        EvaluationPlan("sface", "centre", workers=1, methods=(method,))


def test_the_report_shows_photos_and_the_json_identifies_nobody(
    found: Evaluation, tree: Path, tmp_path: Path
) -> None:
    crop = Crop(np.full((112, 112, 3), 90, np.uint8), "warp112")
    report = write_evaluation(found, tmp_path / "out", cut=lambda photo: crop, now=NOW)
    names = sorted(path.name for path in report.parent.iterdir())
    dark = {f"{name[:-4]}-dark.png" for name in names if name.endswith(".png")} & set(names)
    assert len(dark) == 5
    assert sorted(set(names) - dark) == [
        "det.png", "evaluation.json", "false_matches.png", "false_non_matches.png",
        "report.html", "roc.png", "scores.png",
    ]  # fmt: skip
    page = report.read_text()
    for words in ("Failures to acquire", "ben_0003.jpg", "The hardest pairs", "2026-01-31 12:00"):
        assert words in page
    text = (report.parent / "evaluation.json").read_text()
    for name in (str(tree), "ana", "ben", "cleo"):
        assert name not in text
    data = json.loads(text)
    assert data["data"] == "images"
    assert data["failure_to_acquire_rate"] == pytest.approx(1 / 7)
    assert data["date"] == "2026-01-31T12:00:00+00:00"
    assert longest_list(data) < 10  # an embedding would be a list of 128


def longest_list(data: object) -> int:
    inside = data.values() if isinstance(data, dict) else data if isinstance(data, list) else []
    own = len(data) if isinstance(data, list) else 0
    return max([own, *(longest_list(item) for item in inside)])


def test_the_same_evaluation_gives_the_same_bytes(found: Evaluation, tmp_path: Path) -> None:
    crop = Crop(np.full((112, 112, 3), 90, np.uint8), "warp112")
    for name in ("one", "two"):
        write_evaluation(found, tmp_path / name, cut=lambda photo: crop, now=NOW)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_no_face_in_any_photo_is_refused(tmp_path: Path, private: Settings) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (60, 60), (9, 9, len(name))).save(tmp_path / name / "1.png")
    plan = EvaluationPlan("sface", "largest", workers=1)
    with pytest.raises(UsageError, match="no face found in the 2 photos"):
        run.evaluate_folder(tmp_path, plan, settings=private)


@pytest.mark.usefixtures("home")
def test_both_commands_print_figures_and_the_path_of_the_report(tree: Path, tmp_path: Path) -> None:
    shared = {
        "model": "sface", "engine": None, "workers": 1, "flip_average": "no", "no_cache": True,
        "centre": False,
        "out": tmp_path / "out",
    }  # fmt: skip
    answer = evaluate_pairs(Namespace(pairs=tree / "pairs.txt", images=tree / "images", **shared))
    assert answer.exit_code == 0
    assert answer.data["photos"] == 7
    assert (tmp_path / "out" / "report.html").is_file()
    assert any("accuracy" in line for line in answer.lines)
    answer = evaluate_folder(Namespace(folder=tree / "images", face="largest", **shared))
    assert answer.data["protocol"] == "folder"
    assert answer.data["face"] == "largest"


def test_the_first_pairs_of_lfw_are_separated(
    shared_lfw: Path, private: Settings, tmp_path: Path
) -> None:
    lines = (shared_lfw / "pairs.txt").read_text().splitlines()
    few = ["2\t10"]
    for fold in range(2):
        start = 1 + 600 * fold
        few += lines[start : start + 10] + lines[start + 300 : start + 310]
    (tmp_path / "pairs.txt").write_text("\n".join(few) + "\n")
    plan = EvaluationPlan("sface", "centre", workers=2)
    made = run.evaluate_pairs(tmp_path / "pairs.txt", shared_lfw / "images", plan, settings=private)
    assert made.failures == ()
    for method in made.methods:
        assert method.accuracy is not None
        assert method.accuracy.folds is not None
        assert method.accuracy.folds.mean >= 0.95
        assert method.figures[-1].impostor.n > 1000
