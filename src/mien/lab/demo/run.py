"""The whole article in one run: faces, similarities, a map, and decisions on probe photos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.app.enroll import enroll_photos
from mien.app.pipeline import Pipeline
from mien.app.verify import verify_photo
from mien.errors import UnreadableImage, UsageError, quote_path
from mien.lab.demo.exhibits import gate_section, liveness_section, stranger_section
from mien.lab.demo.shipped_photos import shipped_photo
from mien.lab.explore.folder import AnalysedFolder, PhotoProgress, analyse_folder
from mien.lab.explore.report import draw_sections
from mien.lab.labels import display_name
from mien.lab.plots import draw_probe_card
from mien.lab.recapture import recapture
from mien.lab.report.html import Picture, ReportSection, Table, write_report
from mien.lab.report.output import make_folder
from mien.liveness.passive import ScoreFace
from mien.media.image_file import read_image
from mien.media.photo_paths import find_photos
from mien.results import ByteArray, Decision, Template

SMALL_NOTE = (
    "This is the small demo: one public-domain photograph, taken again by the computer. It shows "
    "that the parts work, not how well they tell people apart. Run mien demo --photos DIR on "
    "photos of your own."
)
SMALL_OWNER = "eileen_collins"
ENROLLMENT_SHOTS = 4  # re-captured variants that the small demo enrolls


@dataclass(frozen=True, slots=True, eq=False)
class ProbeResult:
    """One photo that was compared with the owner's template. image_rgb: (h, w, 3) uint8."""

    name: str
    image_rgb: ByteArray = field(repr=False)
    decision: Decision


@dataclass(frozen=True, slots=True, eq=False)
class DemoResult:
    """What the demo found, and the path of its report. note: empty but for the small demo.

    left_out: (photo, why) of photos without one face and of probes that cannot be read.
    """

    owner: str
    probes: tuple[ProbeResult, ...]
    report: Path
    faces: int
    left_out: tuple[tuple[Path, str], ...]
    note: str


def run_demo(
    root: Path,
    out: Path,
    pipeline: Pipeline,
    *,
    owner: str | None = None,
    progress: PhotoProgress = lambda photos: photos,
) -> DemoResult:
    """On a folder of people: `root/faces` with `root/faces_test`, or one folder per person.

    owner: who is enrolled; None for `me`, or else who has the most photos. Without
    a folder of probes the last photo of each person is held out as a probe.
    Raises UsageError if nobody can be enrolled, or no probe can be read.
    """
    split = os.path.isdir(root / "faces")  # Path.is_dir raises for a name that is too long
    analysed = analyse_folder(root / "faces" if split else root, pipeline, progress=progress)
    owner = _choose_owner(analysed, owner)
    enrolled = [analysed.photos[row] for row in analysed.rows_of(owner)]
    if split and os.path.isdir(root / "faces_test"):
        held_out = find_photos([str(root / "faces_test")])
    else:
        held_out = _last_photos(analysed)
        enrolled = [photo for photo in enrolled if photo not in held_out]
    if not enrolled:
        raise UsageError(
            f"{quote_path(owner)} has one photo only; the demo needs one to enroll "
            "and one as a probe"
        )
    template = enroll_photos(enrolled, pipeline).template
    probes, unread = _verify_all(held_out, template, pipeline)
    sections = draw_sections(analysed, make_folder(out))
    report = _write_report(out, sections, probes, owner, template, note="")
    left_out = analysed.left_out + unread
    return DemoResult(owner, tuple(probes), report, len(analysed.crops), left_out, "")


def run_small_demo(
    out: Path,
    pipeline: Pipeline,
    rng: np.random.Generator,
    *,
    score_face: ScoreFace | None = None,
    progress: PhotoProgress = lambda photos: photos,
) -> DemoResult:
    """Offline, on a photograph of the astronaut Eileen Collins (NASA) that comes with mien.

    score_face: the passive check for a living person, where its models were added.
    """
    photo, no_person = shipped_photo("astronaut"), shipped_photo("cat")
    folder = make_folder(out) / "photos"
    shots = [photo] + [recapture(photo, rng) for _ in range(ENROLLMENT_SHOTS)]
    for number, shot in enumerate(shots[:-1], start=1):
        _save(shot, make_folder(folder / SMALL_OWNER) / f"shot_{number}.png")
    analysed = analyse_folder(folder, pipeline, progress=progress)
    template = enroll_photos(list(analysed.photos), pipeline).template
    probes = [
        _verify("held-out shot", shots[-1], template, pipeline),
        _verify("a cat, no person", no_person, template, pipeline),
    ]
    shown = [
        stranger_section(template, pipeline, out),
        gate_section(photo, pipeline, out),
        liveness_section(photo, pipeline, score_face, rng, out),
    ]
    sections = [*draw_sections(analysed, out), *(one for one in shown if one is not None)]
    report = _write_report(out, sections, probes, SMALL_OWNER, template, note=SMALL_NOTE)
    faces = len(analysed.crops)
    return DemoResult(SMALL_OWNER, tuple(probes), report, faces, analysed.left_out, SMALL_NOTE)


def probe_rows(probes: Sequence[ProbeResult]) -> list[tuple[str, str, str, str, str]]:
    """The table of the demo: probe, decision, similarity, threshold and reason of each."""
    return [
        (
            display_name(probe.name),
            _state(probe.decision),
            f"{probe.decision.similarity:.3f}" if np.isfinite(probe.decision.similarity) else "-",
            f"{probe.decision.threshold.value:.3f}",
            probe.decision.reason,
        )
        for probe in probes
    ]


def _write_report(
    out: Path,
    sections: list[ReportSection],
    probes: Sequence[ProbeResult],
    owner: str,
    template: Template,
    *,
    note: str,
) -> Path:
    pictures = tuple(
        Picture(
            draw_probe_card(
                probe.image_rgb, probe.decision, probe.name, out / f"probe_{number}.png"
            ),
            f"{probe.name}: {_state(probe.decision)}, {probe.decision.reason}",
        )
        for number, probe in enumerate(probes, start=1)
    )
    header = ("probe", "decision", "similarity", "threshold", "reason")
    decisions = ReportSection(
        f"Unlocking for {owner}",
        f"Enrolled from {len(template.vectors)} photos. A probe is accepted when its cosine to "
        "the centre of those photos reaches the threshold.",
        Table(header, tuple(probe_rows(probes))),
        pictures,
    )
    return write_report(out, "mien demo", [decisions, *sections], note=note)


def _state(decision: Decision) -> str:
    return "unlocked" if decision else "locked"


def _verify(name: str, image: ByteArray, template: Template, pipeline: Pipeline) -> ProbeResult:
    return ProbeResult(name, image, verify_photo(image, template, pipeline))


def _verify_all(
    paths: Sequence[Path], template: Template, pipeline: Pipeline
) -> tuple[list[ProbeResult], tuple[tuple[Path, str], ...]]:
    """A decision on each photo, and the photos that cannot be read, with the reason."""
    probes, unread = [], []
    for path in paths:
        try:
            probes.append(_verify(path.name, read_image(path), template, pipeline))
        except UnreadableImage as error:
            unread.append((path, str(error)))
    if not probes:
        raise UsageError(f"none of the {len(unread)} probes can be read; give others")
    return probes, tuple(unread)


def _choose_owner(analysed: AnalysedFolder, asked: str | None) -> str:
    people = list(dict.fromkeys(analysed.people))
    if asked is not None:
        if asked not in people:
            raise UsageError(
                f"no face found for {quote_path(asked)}; choose one of "
                f"{', '.join(map(quote_path, people))}"
            )
        return asked
    return "me" if "me" in people else max(people, key=lambda who: len(analysed.rows_of(who)))


def _last_photos(analysed: AnalysedFolder) -> list[Path]:
    people = dict.fromkeys(analysed.people)
    return [analysed.photos[analysed.rows_of(person)[-1]] for person in people]


def _save(image_rgb: ByteArray, path: Path) -> None:
    from PIL import Image

    Image.fromarray(image_rgb).save(path)
