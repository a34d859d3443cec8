"""Pictures of a person held up to a camera, simulated, and how many pass the passive check.

A simulation is no recording: it has the coarse traces of paper and screens (less contrast, a white
border, a grid of pixels, a bend) and none of the fine ones. It shows that the check still works,
and says nothing of a real print; `mien evaluate attacks` measures those.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, SeveralFacesFound
from mien.faces.geometry import cut_around
from mien.liveness.passive import ScoreFace, judge_frames
from mien.metrics import ErrorRate, independent_rate
from mien.results import ByteArray

Present = Callable[[ByteArray, np.random.Generator], ByteArray]

SCENE_H, SCENE_W = 480, 640
PICTURE_H, PICTURE_W = 360, 280  # of the print or screen in the scene
AROUND = 0.55  # face heights on each side of the box that the picture shows
BORDER_PX = 14


def simulated_print(shown: ByteArray, rng: np.random.Generator) -> ByteArray:
    """A flat print in a room: (H, W, 3) uint8 RGB of a face to a scene of 480 x 640."""
    return _in_room(_on_paper(_sized(shown), rng), rng)


def simulated_bent_print(shown: ByteArray, rng: np.random.Generator) -> ByteArray:
    """The same print, bent about a vertical axis."""
    paper = _on_paper(_sized(shown), rng)
    width = paper.shape[1]
    bend = rng.uniform(0.6, 1.1)  # radians from the middle to the edge
    places = np.sin(np.linspace(-bend, bend, width)) / math.sin(bend)
    columns = np.clip(np.rint((places + 1) / 2 * (width - 1)), 0, width - 1).astype(int)
    shade = 0.75 + 0.25 * np.cos(np.linspace(-bend, bend, width))
    bent = paper[:, columns] * shade[np.newaxis, :, np.newaxis]
    return _in_room(np.clip(bent, 0, 255).astype(np.uint8), rng)


def simulated_screen(shown: ByteArray, rng: np.random.Generator) -> ByteArray:
    """A phone or tablet in a room: blue light, a grid that beats with the sensor's, a frame."""
    picture = _sized(shown).astype(np.float64) / 255
    picture = picture**0.9 * np.array([0.96, 1.0, 1.1])
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    period, tilt = rng.uniform(3.0, 7.0), rng.uniform(-0.3, 0.3)
    grid = 1 + 0.05 * np.sin(2 * np.pi * (x + tilt * y) / period)
    glare = 0.12 * np.clip(1 - np.hypot(x - 60, y - 40) / 200, 0, 1)
    lit = picture * grid[..., np.newaxis] + glare[..., np.newaxis]
    framed = np.pad(
        np.clip(lit * 255, 0, 255), ((BORDER_PX,) * 2, (BORDER_PX,) * 2, (0, 0)), constant_values=15
    )
    return _in_room(framed.astype(np.uint8), rng)


SPECIES: Mapping[str, Present] = {
    "simulated print": simulated_print,
    "simulated bent print": simulated_bent_print,
    "simulated screen": simulated_screen,
}


def measure_simulated(
    photos: Iterable[ByteArray],
    pipeline: Pipeline,
    score_face: ScoreFace,
    rng: np.random.Generator,
) -> dict[str, ErrorRate]:
    """The share of simulated attacks that pass the passive check, by species.

    photos: (H, W, 3) uint8 RGB; those without one face, and simulations in which no face is found,
    are not counted. Species without any are left out.
    """
    passed: dict[str, list[bool]] = {name: [] for name in SPECIES}
    for photo in photos:
        shown = _face_and_surroundings(photo, pipeline)
        if shown is None:
            continue
        for name, present in SPECIES.items():
            scene = present(shown, rng)
            try:
                score = score_face(scene, pipeline.door_face(scene))
            except (NoFaceFound, SeveralFacesFound, ValueError):
                continue
            passed[name].append(bool(judge_frames([score])))
    return {name: independent_rate(sum(got), len(got)) for name, got in passed.items() if got}


def _face_and_surroundings(photo: ByteArray, pipeline: Pipeline) -> ByteArray | None:
    try:
        face = pipeline.door_face(photo)
    except (NoFaceFound, SeveralFacesFound):
        return None
    return cut_around(photo, face, AROUND * face.height_px)


def _sized(shown: ByteArray) -> ByteArray:
    from PIL import Image

    image = Image.fromarray(shown).resize((PICTURE_W, PICTURE_H), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _on_paper(picture: ByteArray, rng: np.random.Generator) -> ByteArray:
    """Less contrast and colour, the grain of ink, a white border."""
    grey = picture.mean(axis=2, keepdims=True)
    faded = 30 + 0.78 * (grey + 0.8 * (picture - grey))
    inked = faded + rng.normal(0, 6, (*picture.shape[:2], 1))
    sides = ((BORDER_PX, BORDER_PX), (BORDER_PX, BORDER_PX), (0, 0))
    paper: ByteArray = np.pad(np.clip(inked, 0, 255), sides, constant_values=235).astype(np.uint8)
    return paper


def _in_room(held: ByteArray, rng: np.random.Generator) -> ByteArray:
    """Before a wall with light from one side, as a camera of a laptop sees and compresses it."""
    from PIL import Image

    wall = rng.uniform(70, 150, 3) + np.linspace(-25, 25, SCENE_W)[np.newaxis, :, np.newaxis]
    scene = np.broadcast_to(wall, (SCENE_H, SCENE_W, 3)).copy()
    height, width = held.shape[:2]
    top = int(rng.integers(0, SCENE_H - height + 1))
    left = int(rng.integers(0, SCENE_W - width + 1))
    scene[top : top + height, left : left + width] = held
    scene += rng.normal(0, 3, scene.shape)
    stream = io.BytesIO()
    seen = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))
    seen.save(stream, "JPEG", quality=85)
    return np.asarray(Image.open(stream).convert("RGB"))
