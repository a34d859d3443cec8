"""The whole article in one go: faces, similarity, map, and a door that opens for one person."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.app.pipeline import Pipeline
from mien.compat.face_unlock import FaceUnlock
from mien.errors import UnreadableImage, UsageError, missing_extra, quote_path
from mien.lab.gallery import Gallery, Walk, analyse_photos, gallery_sections, made_folder
from mien.lab.names import shown_name
from mien.lab.plots import probe_card
from mien.lab.recapture import recapture
from mien.lab.report.html import Picture, Section, Table, write_report
from mien.media.image_file import read_image
from mien.media.photo_paths import find_photos
from mien.results import ByteArray, Decision

SMALL_NOTE = (
    "This is the small demo: one public-domain photograph, taken again by the computer. It shows "
    "that the parts work, not how well they tell people apart. Run mien demo --photos DIR on "
    "photos of your own."
)
ENROLLMENT_SHOTS = 4  # re-captured variants that the small demo enrolls


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One photo held before the door."""

    name: str
    image_rgb: ByteArray = field(repr=False)
    decision: Decision


@dataclass(frozen=True, slots=True, eq=False)
class DemoResult:
    """What the demo found, and where its report lies. note: empty but for the small demo."""

    owner: str
    probes: tuple[Probe, ...]
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
    progress: Walk = lambda photos: photos,
) -> DemoResult:
    """On a folder of people: `root/faces` with `root/faces_test`, or one folder per person.

    owner: whose door it is; without one `me`, else who has the most photos. Without
    a folder of probes the last photo of each person is held out as a probe.
    """
    split = os.path.isdir(root / "faces")  # Path.is_dir raises for a name that is too long
    gallery = analyse_photos(root / "faces" if split else root, pipeline, progress=progress)
    owner = _owner(gallery, owner)
    enrolled = [gallery.photos[row] for row in gallery.rows_of(owner)]
    if split and os.path.isdir(root / "faces_test"):
        held_out = find_photos([str(root / "faces_test")])
    else:
        held_out = _last_photos(gallery)
        enrolled = [photo for photo in enrolled if photo not in held_out]
    if not enrolled:
        raise UsageError(
            f"{quote_path(owner)} has one photo only; the demo needs one to enroll and one to try"
        )
    door = FaceUnlock(enrolled, pipeline=pipeline)
    probes, unread = _try_all(door, held_out)
    sections = gallery_sections(gallery, made_folder(out))
    report = _report(out, sections, probes, owner, len(door.enrollment.photos), note="")
    left_out = gallery.left_out + unread
    return DemoResult(owner, tuple(probes), report, len(gallery.crops), left_out, "")


def run_small_demo(
    out: Path, pipeline: Pipeline, rng: np.random.Generator, *, progress: Walk = lambda p: p
) -> DemoResult:
    """Offline, on scikit-image's photograph of the astronaut Eileen Collins (NASA)."""
    photo, no_person = _public_domain_photos()
    people = made_folder(out) / "photos"
    person = people / "eileen_collins"
    person.mkdir(parents=True, exist_ok=True)
    shots = [photo] + [recapture(photo, rng) for _ in range(ENROLLMENT_SHOTS)]
    for number, shot in enumerate(shots[:-1]):
        _save(shot, person / f"shot_{number + 1}.png")
    gallery = analyse_photos(people, pipeline, progress=progress)
    door = FaceUnlock([str(path) for path in gallery.photos], pipeline=pipeline)
    probes = [
        _try(door, "held-out shot", shots[-1]),
        _try(door, "a cat, no person", no_person),
    ]
    sections = gallery_sections(gallery, out)
    enrolled = len(door.enrollment.photos)
    report = _report(out, sections, probes, "eileen_collins", enrolled, note=SMALL_NOTE)
    return DemoResult(
        "eileen_collins",
        tuple(probes),
        report,
        len(gallery.crops),
        gallery.left_out,
        SMALL_NOTE,
    )


def probe_rows(probes: Sequence[Probe]) -> list[tuple[str, str, str, str, str]]:
    """Probe, decision, similarity, threshold, reason: the table of the demo."""
    return [
        (
            shown_name(probe.name),
            "unlocked" if probe.decision else "locked",
            f"{probe.decision.similarity:.3f}" if np.isfinite(probe.decision.similarity) else "-",
            f"{probe.decision.threshold.value:.3f}",
            probe.decision.reason,
        )
        for probe in probes
    ]


def _report(
    out: Path,
    sections: list[Section],
    probes: Sequence[Probe],
    owner: str,
    enrolled: int,
    *,
    note: str,
) -> Path:
    pictures = tuple(
        Picture(
            probe_card(probe.image_rgb, probe.decision, probe.name, out / f"probe_{number}.png"),
            f"{probe.name}: {'unlocked' if probe.decision else 'locked'}, {probe.decision.reason}",
        )
        for number, probe in enumerate(probes, start=1)
    )
    header = ("probe", "decision", "similarity", "threshold", "reason")
    door = Section(
        f"The door of {owner}",
        f"Enrolled from {enrolled} photos. A probe is accepted when its cosine to the centre of "
        "those photos reaches the threshold.",
        Table(header, tuple(probe_rows(probes))),
        pictures,
    )
    return write_report(out, "mien demo", [door, *sections], note=note)


def _public_domain_photos() -> tuple[ByteArray, ByteArray]:
    """A person and a cat, from inside scikit-image: both (h, w, 3) uint8 RGB."""
    try:
        from skimage import data
    except ImportError as error:
        raise missing_extra("the small demo needs scikit-image", "demo") from error
    person: ByteArray = data.astronaut()  # type: ignore[no-untyped-call]
    cat: ByteArray = data.chelsea()  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(person), np.ascontiguousarray(cat)


def _try(door: FaceUnlock, name: str, image: ByteArray) -> Probe:
    return Probe(name, image, door(image))


def _try_all(
    door: FaceUnlock, paths: Sequence[Path]
) -> tuple[list[Probe], tuple[tuple[Path, str], ...]]:
    """Each photo held before the door, and those that cannot be read, with why."""
    probes, unread = [], []
    for path in paths:
        try:
            probes.append(_try(door, path.name, read_image(path)))
        except UnreadableImage as error:
            unread.append((path, str(error)))
    if not probes:
        raise UsageError(f"none of the {len(unread)} photos to try can be read; give others")
    return probes, tuple(unread)


def _owner(gallery: Gallery, asked: str | None) -> str:
    people = list(dict.fromkeys(gallery.people))
    if asked is not None:
        if asked not in people:
            raise UsageError(
                f"no face of {quote_path(asked)} found; choose one of "
                f"{', '.join(map(quote_path, people))}"
            )
        return asked
    return "me" if "me" in people else max(people, key=lambda who: len(gallery.rows_of(who)))


def _last_photos(gallery: Gallery) -> list[Path]:
    people = dict.fromkeys(gallery.people)
    return [gallery.photos[gallery.rows_of(person)[-1]] for person in people]


def _save(image_rgb: ByteArray, path: Path) -> None:
    from PIL import Image

    Image.fromarray(image_rgb).save(path)
