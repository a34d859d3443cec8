"""Measure one try of an unlock in a process that runs: `verify` with the vault on disk.

    python benchmarks/warm.py PHOTO_DIR PROBE [--rounds 40] [--json]

The owner is enrolled from the photos; the probe is shrunk to 640x480 (or 480x640). Prints medians
in milliseconds of processor time, of all threads: the whole try, finding and embedding the face
without the vault, and finding it alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from figures import Figures, add_json_option
from mien.app.enroll import enroll
from mien.app.pipeline import load_pipelines
from mien.app.verify import verify
from mien.media.image_file import read_image
from mien.results import ByteArray
from mien.settings import load_settings
from mien.vault.open import open_vault


def camera_picture(path: Path) -> ByteArray:
    """The photo at the size of a camera's picture, (480, 640, 3) or (640, 480, 3) uint8 RGB."""
    image = Image.fromarray(read_image(path))
    size_wh = (640, 480) if image.width >= image.height else (480, 640)
    return np.asarray(image.resize(size_wh, Image.Resampling.BILINEAR))


def cpu_ms(call: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.process_time()
        call()
        times.append((time.process_time() - started) * 1000)
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("probe", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    add_json_option(parser)
    given = parser.parse_args()
    report = Figures(__file__, as_json=given.json)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does
    picture = camera_picture(given.probe)
    with tempfile.TemporaryDirectory() as home:
        cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        settings = load_settings({"HOME": home, "XDG_CACHE_HOME": cache})
        pipeline_of = load_pipelines(settings)
        with open_vault(settings, create=True, surface="library", environ={}) as vault:
            enroll(
                "owner",
                sorted(str(path) for path in given.photos.iterdir()),
                pipeline=pipeline_of(None),
                vault=vault,
                mode="new",
                clock=lambda: datetime.now(timezone.utc),
            )

            def attempt() -> None:
                decision = verify(
                    "owner", picture, vault=vault, pipeline_of=pipeline_of, tell_unknown=True
                )
                assert decision, decision.reason

            cpu_ms(attempt, 5)  # the first ones import modules and make buffers
            pipeline = pipeline_of(None)
            figures = {
                "try_cpu_ms": cpu_ms(attempt, given.rounds),
                "probe_cpu_ms": cpu_ms(lambda: pipeline.embed_probe(picture), given.rounds),
                "detection_cpu_ms": cpu_ms(lambda: pipeline.door_face(picture), given.rounds),
            }
    report.add_all(figures)
    report.end()


if __name__ == "__main__":
    main()
