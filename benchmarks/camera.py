"""Measure how many frames of a camera a CPU second finds and embeds, with and without following.

    python benchmarks/camera.py [PHOTO] [--frames 90] [--rounds 5] [--json]

Films of 30 frames a second are made from a photograph (default: the one that mien ships), at two
sizes: the head moves before surroundings that stay, as before a camera that stands; and all of it
moves, as before a camera that is held. Every frame has sensor noise. "whole" searches each frame
whole, "followed" as an unlock does (`mien.app.frame_search`); they take turns. Times are processor
time of one thread. Also how far the faces differ, and how many frames were lost: a face that the
whole search finds and following does not.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from unittest import mock

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does, before numpy is loaded

import cv2
import numpy as np

from figures import Figures, add_json_option
from mien.app.frame_search import FrameSearch
from mien.app.pipeline import Pipeline, Probe, open_pipeline
from mien.errors import NoFaceFound
from mien.lab.demo.shipped_photos import shipped_photo
from mien.media.frame import Frame
from mien.media.image_file import read_image
from mien.results import ByteArray
from mien.settings import load_settings

FPS = 30.0
SIZES_WH = ((640, 480), (1280, 720))
FACE_SHARE = 0.4  # of the height of a frame: an arm's length from the camera of a laptop
SWAY_SHARE = 0.15  # of the height of the face, to each side
NOISE_LEVELS = 3.0


def film(
    photo: ByteArray, pipeline: Pipeline, size_wh: tuple[int, int], count: int, *, held: bool
) -> list[Frame]:
    """The photo, scaled and placed in the middle, swaying. held: its surroundings sway too."""
    width, height = size_wh
    face = pipeline.door_face(photo)
    scale = FACE_SHARE * height / face.height_px
    middle = (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2
    rng = np.random.default_rng(0)

    def seen(shift_xy: tuple[float, float]) -> ByteArray:
        corner = np.array([width, height]) / 2 + shift_xy - scale * middle
        matrix = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]], np.float32)
        return cv2.warpAffine(photo, matrix, size_wh, borderMode=cv2.BORDER_REFLECT)

    still = cv2.GaussianBlur(seen((0, 0)), (0, 0), height / 20)
    frames = []
    for number in range(count):
        at_s = number / FPS
        sway = SWAY_SHARE * FACE_SHARE * height
        shift = (sway * np.sin(2 * np.pi * at_s / 2.5), sway / 2 * np.sin(2 * np.pi * at_s / 1.7))
        picture = seen(shift).astype(np.float32)
        if not held:
            mask = np.zeros((height, width), np.float32)
            head = (round(width / 2 + shift[0]), round(height / 2 + shift[1]))
            axes = (round(0.24 * height), round(0.3 * height))
            cv2.ellipse(mask, head, axes, 0, 0, 360, 1.0, -1)
            mask = cv2.GaussianBlur(mask, (0, 0), height / 100)[..., np.newaxis]
            picture = picture * mask + still * (1 - mask)
        picture += rng.normal(0, NOISE_LEVELS, picture.shape)
        frames.append(Frame(at_s, np.clip(picture, 0, 255).astype(np.uint8)))
    return frames


def watch(frames: list[Frame], pipeline: Pipeline, *, whole: bool) -> list[Probe | None]:
    """What is found on each frame."""
    search = FrameSearch(pipeline)
    return [probe_of(search, frame, whole=whole) for frame in frames]


def probe_of(search: FrameSearch, frame: Frame, *, whole: bool) -> Probe | None:
    try:
        return search.embed_probe(frame, whole=whole)
    except NoFaceFound:
        return None


def find(frames: list[Frame], pipeline: Pipeline, *, whole: bool) -> None:
    """Find the face on each frame, without embedding it."""
    search = FrameSearch(pipeline)
    for frame in frames:
        with suppress(NoFaceFound):
            search.find_face(frame, whole=whole)


def speeds(frames: list[Frame], pipeline: Pipeline, rounds: int) -> dict[str, float]:
    """Frames a CPU second, medians: found, and found and embedded, each way in turns."""
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        for what, look in (("found", find), ("embedded", watch)):
            for how, whole in (("whole", True), ("followed", False)):
                started = time.process_time()
                look(frames, pipeline, whole=whole)
                took.setdefault(f"{what}_{how}_fps", []).append(time.process_time() - started)
    return {name: len(frames) / median(times) for name, times in took.items()}


def whole_searches(frames: list[Frame], pipeline: Pipeline) -> int:
    """How many of the frames are searched whole where the face is followed."""
    with mock.patch.object(pipeline, "find_face", wraps=pipeline.find_face) as search:
        watch(frames, pipeline, whole=False)
    return search.call_count


def differences(whole: list[Probe | None], followed: list[Probe | None]) -> dict[str, float]:
    """Between both faces of a frame: points in distances of the eyes, and the cosine."""
    both = [(a, b) for a, b in zip(whole, followed, strict=True) if a and b]
    points = [
        float(np.linalg.norm(a.face.points_xy - b.face.points_xy, axis=1).max())
        / a.face.eye_distance_px
        for a, b in both
    ]
    cosines = [float(a.vector @ b.vector) for a, b in both]
    return {
        "frames": len(whole),
        "lost": sum(a is not None and b is None for a, b in zip(whole, followed, strict=True)),
        "points_median": median(points),
        "points_largest": max(points),
        "cosine_median": median(cosines),
        "cosine_least": min(cosines),
    }


def measure(frames: list[Frame], pipeline: Pipeline, rounds: int) -> dict[str, float]:
    """The figures of one film."""
    whole, followed = (watch(frames, pipeline, whole=how) for how in (True, False))
    return {
        **speeds(frames, pipeline, rounds),
        "whole_searches": whole_searches(frames, pipeline),
        **differences(whole, followed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path, nargs="?")
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=5)
    add_json_option(parser)
    given = parser.parse_args()
    report = Figures(__file__, as_json=given.json)
    photo = shipped_photo("astronaut") if given.photo is None else read_image(given.photo)
    pipeline = open_pipeline(replace(load_settings(), threads=1))
    for width, height in SIZES_WH:
        for name, held in (("stands", False), ("is held", True)):
            frames = film(photo, pipeline, (width, height), given.frames, held=held)
            report.say(f"{width}x{height}, the camera {name}")
            found = measure(frames, pipeline, given.rounds)
            report.add_all({f"{height}p {name}, {what}": one for what, one in found.items()})
    report.end()


if __name__ == "__main__":
    main()
