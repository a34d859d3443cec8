"""Compare a large JPEG read whole with the same one read at half its size, as an unlock reads it.

    python benchmarks/halved_photos.py LFW_IMAGES [--people 100] [--noise 0] [--json]

Each person's second photo is enlarged to 12 million pixels, some are blurred, and `--noise` adds
noise of that deviation to each pixel. It is compared with the person's first photo and with
another person's. Prints processor time, the similarity of the two embeddings of a photo, and the
decisions and faults that differ.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from figures import Figures, add_json_option
from mien.app.pipeline import Pipeline, Probe, open_pipeline
from mien.errors import NoFaceFound, SeveralFacesFound
from mien.media.image_file import read_door_photo, read_image
from mien.results import FloatArray
from mien.settings import load_settings

PIXELS = 12_000_000
QUALITIES = (95, 85, 75, 50)  # of JPEG, in turns
BLURRED_EVERY = 5
BLUR_SHARE = 0.005  # of the width: a hand that shakes


def enlarged(path: Path, number: int, noise: float) -> bytes:
    """A JPEG of `PIXELS` of the photo; every third is progressive."""
    picture = Image.open(path).convert("RGB")
    scale = math.sqrt(PIXELS / (picture.width * picture.height))
    size_wh = (round(picture.width * scale), round(picture.height * scale))
    picture = picture.resize(size_wh, Image.Resampling.BICUBIC)
    if number % BLURRED_EVERY == 0:
        picture = picture.filter(ImageFilter.GaussianBlur(BLUR_SHARE * picture.width))
    if noise:
        grains = np.random.default_rng(number).normal(0, noise, (picture.height, picture.width, 3))
        noisy = np.asarray(picture) + grains.astype(np.float32)
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    stream = io.BytesIO()
    quality = QUALITIES[number % len(QUALITIES)]
    picture.save(stream, "JPEG", quality=quality, progressive=number % 3 == 0)
    return stream.getvalue()


def accepts(pipeline: Pipeline, one: FloatArray, other: FloatArray) -> bool:
    matcher = pipeline.matcher
    return matcher.score(one, other).reaches(matcher.threshold_for(photos=1))


def probe_of(pipeline: Pipeline, content: bytes, *, whole: bool) -> tuple[Probe | str, float]:
    """The probe, or what was not found; and CPU ms of reading and embedding."""
    started = time.process_time()
    try:
        found: Probe | str = pipeline.embed_probe(
            (read_image if whole else read_door_photo)(content)
        )
    except (NoFaceFound, SeveralFacesFound) as error:
        found = type(error).__name__
    return found, (time.process_time() - started) * 1000


class Comparison:
    """What is counted over the photos."""

    def __init__(self) -> None:
        self.ms: dict[str, list[float]] = {"whole": [], "halved": []}
        self.cosines: list[float] = []
        self.moved = {"found": 0, "genuine": 0, "impostor": 0, "faults": 0}
        self.accepted = {"whole": 0, "halved": 0}

    def add(self, pipeline: Pipeline, content: bytes, own: FloatArray, other: FloatArray) -> None:
        order = ("whole", "halved") if len(self.ms["whole"]) % 2 else ("halved", "whole")
        found: dict[str, Probe | str] = {}
        for name in order:
            found[name], ms = probe_of(pipeline, content, whole=name == "whole")
            self.ms[name].append(ms)
        whole, halved = found["whole"], found["halved"]
        if isinstance(whole, str) or isinstance(halved, str):
            self.moved["found"] += whole != halved
            return
        self.cosines.append(float(whole.vector @ halved.vector))
        genuine = {
            name: accepts(pipeline, own, one.vector)
            for name, one in zip(("whole", "halved"), (whole, halved), strict=True)
        }
        for name, is_accepted in genuine.items():
            self.accepted[name] += is_accepted
        self.moved["genuine"] += genuine["whole"] != genuine["halved"]
        impostor = [accepts(pipeline, other, one.vector) for one in (whole, halved)]
        self.moved["impostor"] += impostor[0] != impostor[1]
        self.moved["faults"] += whole.faults != halved.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--noise", type=float, default=0.0)
    add_json_option(parser)
    given = parser.parse_args()
    report = Figures(__file__, as_json=given.json)
    pipeline = open_pipeline(load_settings())
    photos = [sorted(person.glob("*.jpg")) for person in sorted(given.folder.iterdir())]
    pairs = [some[:2] for some in photos if len(some) > 1]
    pairs = pairs[:: max(1, len(pairs) // given.people)][: given.people]
    enrolled = []
    for first, _ in pairs:
        found, _ = probe_of(pipeline, first.read_bytes(), whole=True)
        enrolled.append(None if isinstance(found, str) else found.vector)
    compared = Comparison()
    for number, (_, second) in enumerate(pairs):
        own, other = enrolled[number], enrolled[number - 1]
        if own is not None and other is not None:
            compared.add(pipeline, enlarged(second, number, given.noise), own, other)
    report.add_all(
        {
            "photos": len(compared.ms["whole"]),
            "whole_cpu_ms": float(np.median(compared.ms["whole"])),
            "halved_cpu_ms": float(np.median(compared.ms["halved"])),
            "cosine_median": float(np.median(compared.cosines)),
            "cosine_first_percentile": float(np.percentile(compared.cosines, 1)),
            **{f"{name}_accepted": count for name, count in compared.accepted.items()},
            **{f"{name}_moved": count for name, count in compared.moved.items()},
        }
    )
    report.end()


if __name__ == "__main__":
    main()
