"""Measure what the passive check adds to a frame, and how soon an unlock with it is decided.

    python benchmarks/liveness.py PHOTO [--runs 30] [--json]

The liveness models must be there (`mien models add liveness`). Frames are the photo at 640 x 480
with sensor noise, as a camera of 30 frames a second gives them: a frame that nobody waited for is
gone. Times of a frame are of one thread, with and without the check in turns.

Also how many frames of a challenge a CPU second measures while the person faces the camera, at two
sizes: as an unlock does it, and with every frame compared with the anchor, as an enrollment does.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from camera import SIZES_WH, film
from figures import Figures, add_json_option
from mien.app.frame_search import FrameSearch
from mien.app.live_challenge import FrameMeter
from mien.app.live_vote import PassiveCheck, vote_live
from mien.app.pipeline import Pipeline, open_pipeline
from mien.app.verify import verify_photo
from mien.errors import Outcome
from mien.liveness.challenge import ANCHOR_FRAMES, Phase
from mien.liveness.mesh import open_mesh
from mien.liveness.passive import PassiveScorer, open_scorer
from mien.media.frame import Frame
from mien.results import ByteArray, Decision, Template
from mien.settings import load_settings

FPS = 30.0


def camera(photo: ByteArray, seed: int) -> Iterator[Frame]:
    """Noisy frames, each at its time."""
    rng = np.random.default_rng(seed)
    pictures = [
        np.clip(photo + rng.normal(0, 3, photo.shape), 0, 255).astype(np.uint8) for _ in range(30)
    ]
    started = time.monotonic()
    while (at := time.monotonic() - started) < 10:
        number = int(at * FPS) + 1
        time.sleep(max(0.0, number / FPS - at))
        yield Frame(number / FPS, pictures[number % len(pictures)])


def cost_of_a_frame(photo: ByteArray, pipeline: Pipeline, scorer: PassiveScorer) -> list[float]:
    """Milliseconds of this thread: finding and embedding the face; the check."""
    started = time.thread_time()
    probe = pipeline.embed_probe(photo)
    between = time.thread_time()
    scorer(photo, probe.face)
    return [1000 * (between - started), 1000 * (time.thread_time() - between)]


def challenge_fps(frames: list[Frame], meter: FrameMeter) -> float:
    """Frames a second of processor time: three of the anchor, then those of a delay."""
    started = time.process_time()
    for number, frame in enumerate(frames):
        meter.measure(frame, Phase.ANCHOR if number < ANCHOR_FRAMES else Phase.DELAY)
    return len(frames) / (time.process_time() - started)


def add_challenges(
    photo: ByteArray, pipeline: Pipeline, scorer: PassiveScorer, rounds: int, report: Figures
) -> None:
    mesh = open_mesh(load_settings())
    accepted = Decision(1.0, pipeline.matcher.threshold_for(photos=1), "", Outcome.UNLOCKED)
    for width, height in SIZES_WH:
        frames = film(photo, pipeline, (width, height), 60, held=False)
        found: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(rounds):
            for embeds_all, speeds in found.items():
                meter = FrameMeter(
                    lambda frame, probe: accepted,
                    FrameSearch(pipeline).find_face,
                    pipeline.embed_found,
                    mesh,
                    scorer,
                    embeds_all=embeds_all,
                )
                speeds.append(challenge_fps(frames, meter))
        report.add(
            f"challenge, {width}x{height}",
            fps=statistics.median(found[False]),
            all_compared_fps=statistics.median(found[True]),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--runs", type=int, default=30)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    settings = replace(load_settings(), threads=1)
    pipeline, scorer = open_pipeline(settings), open_scorer(settings)
    picture = Image.open(args.photo).convert("RGB")
    picture.thumbnail((640, 480))
    canvas = Image.new("RGB", (640, 480), (90, 90, 90))
    canvas.paste(picture, ((640 - picture.width) // 2, (480 - picture.height) // 2))
    photo = np.asarray(canvas)
    template = Template(pipeline.embed_probe(photo).vector[np.newaxis], pipeline.model)

    def decide(frame: Frame, *, whole: bool) -> Decision:
        return verify_photo(frame.image_rgb, template, pipeline)

    costs = [cost_of_a_frame(photo, pipeline, scorer) for _ in range(args.runs)]
    for name, column in zip(
        ("find and embed", "passive check"), zip(*costs, strict=True), strict=True
    ):
        report.add(name, median_ms_of_one_thread=statistics.median(column))
    waits: dict[str, list[float]] = {"with the check": [], "without": []}
    for run in range(args.runs):
        for name, check in (
            ("with the check", PassiveCheck(scorer, pipeline.door_face)),
            ("without", None),
        ):
            frames = camera(photo, run)
            first = next(frames)
            started = time.monotonic()
            decision = vote_live(itertools.chain([first], frames), decide, check, is_camera=True)
            waits[name].append(time.monotonic() - started)
            if decision.outcome.value == "not_the_owner":
                raise SystemExit(f"the photo was not recognised: {decision.reason}")
    for name, found in waits.items():
        report.add(
            f"decided {name}",
            median_ms=1000 * statistics.median(found),
            slowest_ms=1000 * max(found),
        )
    add_challenges(photo, pipeline, scorer, max(3, args.runs // 10), report)
    report.end()


if __name__ == "__main__":
    main()
