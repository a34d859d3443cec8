"""What the small demo shows beside its probes: strangers, refused photos, a held-up picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.app.enroll import enroll_photos
from mien.app.pipeline import Pipeline
from mien.errors import MienError, NoFaceFound, SeveralFacesFound
from mien.faces.geometry import cut_around
from mien.lab.audit.simulated_attacks import AROUND, SPECIES
from mien.lab.plots import draw_score_histogram
from mien.lab.report.html import Picture, ReportSection, Table
from mien.liveness.passive import ScoreFace, judge_frames
from mien.metrics import as_scores
from mien.results import ByteArray, Template
from mien.vectors import centre_of

CAMERA_AWAY = 1.2  # widths of the photo
TURN_DEGREES = 65.0  # of the flat photo about its vertical axis: the head looks far past the camera
CUT_OFF = 0.2  # of the face's height, at the chin
BLUR_PX = 4.0

STRANGERS_TEXT = (
    "The similarity of {count:,} strangers, the model's cohort, to the centre of her photos, and "
    "of her own photos to the centre of the others. The threshold lies between them: the nearest "
    "stranger has {closest:.3f}, and {near:.3f} is left up to the least of her photos."
)
GATE_TEXT = (
    "Templates of poor photos resemble each other, whoever they show, so such photos are not "
    "enrolled. Here are three that she could have sent, and the answer to each."
)
LIVENESS_TEXT = (
    "Her photo held up to a camera, simulated: paper and a screen. To the embedder it is her. A "
    "simulation is no recording; it shows what the passive check looks at, and that is all."
)
NOT_ADDED = "not checked: the models are not there; run: mien models add liveness"


def stranger_section(template: Template, pipeline: Pipeline, folder: Path) -> ReportSection | None:
    """The histogram of the cohort against the template; None for a model without a cohort."""
    strangers = pipeline.matcher.stranger_similarities(centre_of(template.vectors))
    if strangers is None:
        return None
    own = pipeline.matcher.check_consistency(template.vectors).leave_one_out
    threshold = pipeline.matcher.threshold_for(photos=len(template.vectors))
    path = draw_score_histogram(
        as_scores(np.asarray(own, np.float32)),
        as_scores(strangers),
        [("unlocks from here", threshold.value)],
        folder / "strangers.png",
    )
    closest = float(strangers.max())
    words = STRANGERS_TEXT.format(count=len(strangers), near=min(own) - closest, closest=closest)
    picture = Picture(path, f"Histogram of {len(strangers)} strangers and her own photos")
    return ReportSection("Strangers", words, pictures=(picture,))


def gate_section(photo: ByteArray, pipeline: Pipeline, folder: Path) -> ReportSection:
    """Three poor photos made of a good one, and why each is not enrolled."""
    pictures, rows = [], []
    for number, (name, make) in enumerate(POOR.items(), start=1):
        poor = make(photo, pipeline)
        answer = _enrolled_or_why(poor, pipeline)
        path = _saved(poor, folder / f"refused_{number}.png")
        pictures.append(Picture(path, f"{name}: {answer}"))
        rows.append((name, answer))
    table = Table(("photo", "answer"), tuple(rows))
    return ReportSection("Photos that are not enrolled", GATE_TEXT, table, tuple(pictures))


def liveness_section(
    photo: ByteArray,
    pipeline: Pipeline,
    score_face: ScoreFace | None,
    rng: np.random.Generator,
    folder: Path,
) -> ReportSection:
    """Simulated prints and a screen. score_face: None where the models were not added."""
    face = pipeline.door_face(photo)
    shown = cut_around(photo, face, AROUND * face.height_px)
    pictures, rows = [], []
    for number, (name, present) in enumerate(SPECIES.items(), start=1):
        scene = present(shown, rng)
        answer = _judged(scene, pipeline, score_face)
        pictures.append(Picture(_saved(scene, folder / f"held_up_{number}.png"), name))
        rows.append((name, answer))
    table = Table(("held up to the camera", "passive check"), tuple(rows))
    return ReportSection("A picture in place of a person", LIVENESS_TEXT, table, tuple(pictures))


def _enrolled_or_why(photo: ByteArray, pipeline: Pipeline) -> str:
    try:
        enroll_photos([photo], pipeline)
    except MienError as error:
        return str(error).rpartition("photo 1: ")[2]
    return "enrolled"


def _judged(scene: ByteArray, pipeline: Pipeline, score_face: ScoreFace | None) -> str:
    if score_face is None:
        return NOT_ADDED
    try:
        score = score_face(scene, pipeline.door_face(scene))
    except (NoFaceFound, SeveralFacesFound) as error:
        return str(error)
    return f"{'passes' if judge_frames([score]) else 'refused'}, score {score:.1f}"


def _turned(photo: ByteArray, pipeline: Pipeline) -> ByteArray:
    """The photo as a flat sheet that is turned about the face's vertical axis."""
    from PIL import Image

    height, width = photo.shape[:2]
    face = pipeline.door_face(photo)
    x, y = (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    angle, away = math.radians(TURN_DEGREES), CAMERA_AWAY * width
    from_axis = corners[:, 0] - x
    nearer = away / (away + from_axis * math.sin(angle))  # a side comes to the camera, one goes
    seen_x = x + from_axis * math.cos(angle) * nearer
    seen_y = y + (corners[:, 1] - y) * nearer
    turned = Image.fromarray(photo).transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        _perspective(np.stack([seen_x, seen_y], axis=1), corners),
        Image.Resampling.BICUBIC,
    )
    return np.asarray(turned)


def _perspective(
    source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]
) -> tuple[float, ...]:
    """(a .. h) that map source to target, (4, 2) each: X = (ax + by + c) / (gx + hy + 1)."""
    rows, values = [], []
    for (x, y), (to_x, to_y) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -x * to_x, -y * to_x])
        rows.append([0, 0, 0, x, y, 1, -x * to_y, -y * to_y])
        values += [to_x, to_y]
    return tuple(float(one) for one in np.linalg.solve(np.array(rows), np.array(values)))


def _cut_off(photo: ByteArray, pipeline: Pipeline) -> ByteArray:
    face = pipeline.door_face(photo)
    return np.ascontiguousarray(photo[: round(face.box_xyxy[3] - CUT_OFF * face.height_px)])


def _blurred(photo: ByteArray, pipeline: Pipeline) -> ByteArray:
    from PIL import Image, ImageFilter

    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(BLUR_PX)))


POOR: Mapping[str, Callable[[ByteArray, Pipeline], ByteArray]] = {
    "turned far away": _turned,
    "too tight, the chin cut off": _cut_off,
    "out of focus": _blurred,
}


def _saved(image_rgb: ByteArray, path: Path) -> Path:
    from PIL import Image

    Image.fromarray(image_rgb).save(path)
    return path
