"""The audit: what is done to photos, and one run from a folder to report, chart and JSON."""

from __future__ import annotations

import json
import re
import shutil
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.app.pipeline import Pipeline
from mien.cli.commands import audit as audit_commands
from mien.cli.output import CommandResult
from mien.errors import ExitCode, ModelMissing, UsageError
from mien.lab.audit.conclusion import conclusion
from mien.lab.audit.report import (
    HEADER,
    audit_data,
    describe_share,
    mirror_findings,
    share_cell,
    table_rows,
    write_audit,
)
from mien.lab.audit.run import MAX_SIDE_PX, Audit, limit_size, run_audit
from mien.lab.audit.statistics import Share
from mien.lab.audit.steps import FLIP, KINDS, MIRROR, STEPS
from mien.lab.recapture import CHANGES, recapture
from mien.results import ByteArray

pytest.importorskip("matplotlib", reason="reports need matplotlib: pip install '.[lab]'")

# what is done to photos --------------------------------------------------------------------


def test_every_change_of_recapture_is_audited_with_the_mirror_image_first() -> None:
    assert {kind.change for kind in KINDS} == set(CHANGES)
    assert (MIRROR, MIRROR.kind, MIRROR.strength) == (STEPS[0], FLIP, 1.0)
    assert all(0 < abs(step.strength) <= 1 for step in STEPS)


@pytest.mark.parametrize("seed", range(5))
def test_a_direction_does_not_depend_on_the_seed(astronaut: ByteArray, seed: int) -> None:
    def mean(change: str, strength: float) -> float:
        step = next(s for s in STEPS if (s.kind.change, s.strength) == (change, strength))
        return float(step.apply(small, np.random.default_rng(seed)).mean())

    small = astronaut[::8, ::8].copy()
    as_it_is = float(small.mean())
    assert mean("brightness", -0.5) < as_it_is < mean("brightness", 0.5)
    assert mean("gamma", 0.5) < as_it_is < mean("gamma", -0.5)  # an exponent over 1 is darker


@pytest.mark.parametrize("seed", range(5))
def test_a_positive_rotation_is_counter_clockwise(seed: int) -> None:
    photo = np.zeros((101, 101, 3), np.uint8)
    photo[45:56, 85:96] = 255  # to the right of the middle
    turns = {step.strength: step for step in STEPS if step.kind.change == "rotate"}
    rows = {
        strength: np.argwhere(turns[strength].apply(photo, np.random.default_rng(seed)))[:, 0]
        for strength in (-1.0, 1.0)
    }
    assert rows[1.0].mean() < 40 < 60 < rows[-1.0].mean()  # up is a smaller row
    assert turns[1.0].amount == "30 degrees counter-clockwise"
    assert turns[-0.25].amount == "7.5 degrees clockwise"


def test_the_flip_step_always_mirrors(astronaut: ByteArray) -> None:
    for seed in range(5):
        mirrored = MIRROR.apply(astronaut, np.random.default_rng(seed))
        np.testing.assert_array_equal(mirrored, astronaut[:, ::-1])


def test_amounts_are_given_in_units() -> None:
    ends = {step.kind.change: step.amount for step in STEPS if step.strength == 1}
    assert ends == {
        "flip": "mirrored",
        "brightness": "times 2.00",
        "gamma": "exponent 2.50",
        "blur": "deviation 2 % of the short side",
        "jpeg": "quality 5",
        "noise": "deviation 40 levels",
        "downscale": "8 times smaller",
        "rotate": "30 degrees counter-clockwise",
        "occlude": "50 % of the photo covered",
        "crop_shift": "20 % of each side cut off",
    }


# one run -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A folder that was audited, what was found, and what was written."""

    folder: Path
    audit: Audit
    report: Path


@pytest.fixture(scope="module")
def ran(pipeline: Pipeline, astronaut: ByteArray, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """ana: two shots, a wall and a text; zoe: one shot of the same woman."""
    folder = tmp_path_factory.mktemp("audited") / "people <b>"
    (folder / "ana").mkdir(parents=True)
    (folder / "zoe").mkdir()
    rng = np.random.default_rng(3)
    head = np.asarray(Image.fromarray(astronaut[:300, 60:400]).resize((204, 180)))
    for name in ("ana/1.png", "ana/2.png", "zoe/only.png"):
        Image.fromarray(recapture(head, rng)).save(folder / name)
    Image.new("RGB", (200, 200), (150, 140, 130)).save(folder / "ana" / "wall.png")
    (folder / "ana" / "text.jpg").write_text("this is no picture")
    audit = run_audit(folder, [pipeline], np.random.default_rng(1))
    out = folder.parent / "out"
    return Run(folder, audit, write_audit(out, audit, title="mien audit people <b>", seed=1))


def test_photos_that_give_no_face_are_listed_by_file_name(ran: Run) -> None:
    assert ran.audit.left_out == (("text.jpg", "unreadable_image"), ("wall.png", "no_face"))
    assert (ran.audit.people, ran.audit.photos, ran.audit.single) == (2, 3, 1)


def test_every_step_counts_every_photo(ran: Run) -> None:
    (one,) = ran.audit.models
    assert len(one.steps) == len(STEPS)
    for figures in (one.unchanged, *one.steps):
        assert figures.found.tried == 3
        assert figures.similarity.n == figures.found.accepted
        assert figures.genuine.tried == 2
        assert figures.genuine_itself.tried == 1
        assert figures.impostor.tried == 3  # each photo against the one other person


def test_an_unchanged_photo_has_similarity_one_to_itself_and_a_changed_one_less(ran: Run) -> None:
    (one,) = ran.audit.models
    assert one.unchanged.similarity.lowest == pytest.approx(1.0, abs=1e-5)
    assert one.unchanged.genuine == Share(2, 2)
    mirror = one.steps[0].similarity.mean
    assert mirror is not None
    assert one.threshold.value < mirror < 0.999
    blurs = [f.similarity.mean or 0.0 for s, f in zip(STEPS, one.steps, strict=True)
             if s.kind.change == "blur"]  # fmt: skip
    assert blurs[0] > blurs[-1]


def test_flip_averaging_makes_a_photo_and_its_mirror_image_more_similar(ran: Run) -> None:
    (one,) = ran.audit.models
    plain, averaged = one.steps[0].similarity.mean, one.gain.similarity.mean
    assert plain is not None
    assert averaged is not None
    assert averaged > plain
    assert one.gain.increased.tried == 2


def test_a_large_photo_is_shrunk_before_it_is_changed() -> None:
    tall = np.zeros((3 * MAX_SIDE_PX, MAX_SIDE_PX, 3), np.uint8)
    assert limit_size(tall).shape == (MAX_SIDE_PX, round(MAX_SIDE_PX / 3), 3)
    small = tall[:MAX_SIDE_PX]
    assert limit_size(small) is small


def test_the_given_pipeline_is_unchanged(ran: Run, pipeline: Pipeline) -> None:
    assert pipeline.embedder.flip_average is False


def test_the_same_seed_gives_the_same_figures(ran: Run, pipeline: Pipeline, tmp_path: Path) -> None:
    shutil.copytree(ran.folder / "zoe", tmp_path / "zoe")
    first, again = (
        run_audit(tmp_path, [pipeline], np.random.default_rng(5)).models[0].steps for _ in range(2)
    )
    for one, other in zip(first, again, strict=True):
        assert one.similarity.mean == pytest.approx(other.similarity.mean, abs=1e-5)
        assert one.found == other.found


# what is written ---------------------------------------------------------------------------


def test_the_report_begins_with_the_result_and_has_a_chart_and_a_table(ran: Run) -> None:
    html = ran.report.read_text(encoding="utf-8")
    assert "mien audit people &lt;b&gt;" in html
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", html)
    assert headings == [
        "Does a mirror image change the embedding?",
        "Flip averaging",
        "Similarity against strength",
        "Every change, sface",
        "Left out",
    ]
    assert "The mean similarity between a photo and its mirror image is 0." in html
    assert "1 of the 3 photos are the only ones of their person" in html
    assert html.count("data:image/png;base64,") == 2  # the chart in light and in dark colours
    assert html.count("<tr>") > len(STEPS)


def test_the_json_holds_figures_and_neither_path_nor_person_nor_embedding(ran: Run) -> None:
    text = (ran.report.parent / "audit.json").read_text(encoding="utf-8")
    data = json.loads(text)
    assert str(ran.folder) not in text
    assert "ana" not in text.replace("unreadable", "")
    assert data["left_out"][0] == {"photo": "text.jpg", "why": "unreadable_image"}
    (model,) = data["models"]
    assert [change["change"] for change in model["changes"]] == [s.kind.change for s in STEPS]
    assert model["changes"][0]["found"] == {"accepted": 3, "tried": 3, "share": 1.0}
    assert set(model["changes"][0]["similarity"]["percentiles"]) == {"5", "25", "50", "75", "95"}
    assert set(model["flip_average"]) >= {"plain", "averaged", "genuine_rose"}
    lists = re.findall(r"\[[^\[\]{}]*\]", text)
    assert not [found for found in lists if found.count(",") > 5]  # a vector would be one


def test_a_table_row_has_a_cell_for_each_column(ran: Run) -> None:
    rows = table_rows(ran.audit.models[0])
    assert {len(row) for row in rows} == {len(HEADER)}
    assert rows[0][:3] == ("unchanged", "", "3/3 (100.0%)")
    assert rows[1][:2] == ("Mirror image", "mirrored")


def test_shares_are_given_with_their_counts() -> None:
    assert describe_share(Share(172, 180)) == "172 of 180 (95.6 %)"
    assert describe_share(Share(1, 10_620)) == "1 of 10,620 (0.01 %)"
    assert describe_share(Share(9_999, 10_000)) == "9,999 of 10,000 (99.99 %)"
    assert share_cell(Share(1, 10_620)) == "1/10620 (0.01%)"
    assert share_cell(Share(0, 0)) == describe_share(Share(0, 0)) == "\N{EN DASH}"


def test_one_photo_of_one_person_is_audited_against_itself(
    ran: Run, pipeline: Pipeline, tmp_path: Path
) -> None:
    shutil.copytree(ran.folder / "zoe", tmp_path / "people" / "zoe")
    audit = run_audit(tmp_path / "people", [pipeline], np.random.default_rng(1))
    mirror, averaging = mirror_findings(audit)
    assert "mirrored in 1 of 1 (100.0 %) against the photo itself." in mirror
    assert "the gain cannot be measured; add a second photo" in averaging
    write_audit(tmp_path / "out", audit, title="one", seed=1)
    model = json.loads((tmp_path / "out" / "audit.json").read_text())["models"][0]
    assert model["unchanged"]["impostor"] == {"accepted": 0, "tried": 0, "share": None}
    assert model["flip_average"]["plain"]["d_prime"] is None
    assert audit_data(audit, seed=1)["photos_compared_with_themselves"] == 1


def test_the_conclusion_is_one_sentence_with_what_costs_most(ran: Run) -> None:
    first = ran.audit.models[0]
    refused = replace(first.steps[5], genuine=Share(0, 2), impostor=Share(1, 2))
    others = [replace(one, genuine=Share(2, 2), impostor=Share(0, 2)) for one in first.steps]
    steps = (*others[:5], refused, *others[6:])
    unchanged = replace(first.unchanged, genuine=Share(2, 2))
    audit = replace(ran.audit, models=(replace(first, steps=steps, unchanged=unchanged),))
    said = conclusion(audit)
    assert said.startswith("in short: a mirrored face is the same face; the change that costs most")
    name = f"is {STEPS[5].kind.title.lower()}, {STEPS[5].amount}, with the owner accepted in 0 of 2"
    assert name in said
    assert f"strangers were accepted in 1 of {2 * len(steps)} (" in said
    assert said.endswith(" tries.")
    assert "\n" not in said


# the command -------------------------------------------------------------------------------


def test_the_command_prints_the_answer_a_short_table_and_the_path(
    ran: Run, home: Path, tmp_path: Path
) -> None:
    shutil.copytree(ran.folder / "zoe", tmp_path / "people" / "zoe")
    answer = audited(tmp_path / "people", tmp_path / "out", None)
    assert answer.exit_code is ExitCode.OK
    assert answer.lines[0] == "1 photo of 1 person"
    assert answer.lines[1].startswith("sface: yes, but little. The mean similarity")
    assert answer.lines[-2] == f"report: {tmp_path / 'out' / 'report.html'}"
    assert answer.lines[-1] == answer.data["conclusion"]
    assert any(line.split()[:2] == ["Mirror", "image"] for line in answer.lines)
    others = [line for line in answer.lines if line.startswith("skipped: ")]
    assert any("mien models add facenet-vggface2" in line for line in others)
    assert answer.data["outcome"] == "audited"
    assert json.loads(json.dumps(answer.data))["models"][0]["model"] == "sface"


def test_a_model_that_was_not_added_is_skipped_and_alone_is_an_error(
    ran: Run, home: Path, tmp_path: Path
) -> None:
    shutil.copytree(ran.folder / "zoe", tmp_path / "people" / "zoe")
    answer = audited(tmp_path / "people", tmp_path / "out", ["facenet-vggface2", "sface"])
    assert [model["model"] for model in answer.data["models"]] == ["sface"]  # type: ignore[attr-defined]
    assert [line for line in answer.lines if line.startswith("skipped: ")] == [
        f"skipped: {why}"
        for why in answer.data["skipped"]  # type: ignore[attr-defined]
    ]
    with pytest.raises(ModelMissing, match="mien models add facenet-vggface2"):
        audited(tmp_path / "people", tmp_path / "out", ["facenet-vggface2"])
    with pytest.raises(UsageError, match="unknown model"):
        audited(tmp_path / "people", tmp_path / "out", ["facenet"])


def test_a_folder_in_which_no_face_is_found_is_a_usage_error(home: Path, tmp_path: Path) -> None:
    (tmp_path / "people" / "wall").mkdir(parents=True)
    Image.new("RGB", (200, 200), (9, 99, 199)).save(tmp_path / "people" / "wall" / "1.png")
    with pytest.raises(UsageError, match="no face found in the 1 photos"):
        audited(tmp_path / "people", tmp_path / "out", None)
    assert not (tmp_path / "out").exists()


def audited(folder: Path, out: Path, models: list[str] | None) -> CommandResult:
    args = Namespace(folder=folder, out=out, model=models, json=False, attacks=False)
    return audit_commands.audit(args)
