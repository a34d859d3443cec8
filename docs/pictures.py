"""Make the pictures of the README and the tutorial, with a public-domain photograph.

python docs/pictures.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from mien.app.pipeline import Pipeline, open_pipeline
from mien.cli.commands.demo import SEED
from mien.lab.audit.steps import KINDS, Step
from mien.lab.demo.run import run_small_demo
from mien.lab.demo.shipped_photos import shipped_photo
from mien.lab.plots import FacePair, draw_pair_grid
from mien.settings import load_settings

CHARTS = ("faces", "similarity", "map")
PHOTOS = ("probe_1", "probe_2", "augmentation")
WIDTH_PX = 640
CHANGES = {"flip": 1.0, "brightness": -0.75, "jpeg": 0.9, "blur": 0.25, "noise": 0.5, "rotate": 0.5}
"""Name of a kind of the audit -> strength."""


def main(target: Path) -> None:
    """Write the pictures into the folder."""
    target.mkdir(exist_ok=True)
    pipeline = open_pipeline(load_settings())
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_small_demo(out, pipeline, np.random.default_rng(SEED))
        draw_augmentation(out / "augmentation.png", pipeline)
        for name in CHARTS:
            _shrink(out / f"{name}.png").save(target / f"{name}.png", optimize=True)
        for name in PHOTOS:
            _shrink(out / f"{name}.png").save(target / f"{name}.jpg", quality=90)


def draw_augmentation(path: Path, pipeline: Pipeline) -> None:
    """The photograph beside itself, changed in several ways, each with their similarity."""
    photo, rng = shipped_photo("astronaut"), np.random.default_rng(SEED)
    crop = pipeline.crop_found(photo)
    pairs = []
    for kind in KINDS:
        if kind.change not in CHANGES:
            continue
        step = Step(kind, CHANGES[kind.change])
        changed = pipeline.crop_found(step.apply(photo, rng))
        first, second = pipeline.embed([crop, changed])
        words = f"{kind.title}: {step.amount}"
        score = float(first @ second)
        pairs.append(FacePair(crop.pixels, changed.pixels, "as it is", words, score))
    draw_pair_grid(pairs, "One photograph, changed", path)


def _shrink(path: Path) -> Image.Image:
    with Image.open(path) as drawn:
        height = round(drawn.height * WIDTH_PX / drawn.width)
        return drawn.convert("RGB").resize((WIDTH_PX, height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
