"""Make the pictures of the README with the small demo, which uses a public-domain photograph.

python docs/pictures.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from mien.app.pipeline import open_pipeline
from mien.cli.commands.demo import SEED
from mien.lab.demo.run import run_small_demo
from mien.settings import load_settings

CHARTS = ("faces", "similarity", "map")
PHOTOS = ("probe_1", "probe_2")
WIDTH_PX = 640


def main(target: Path) -> None:
    """Write the pictures into the folder."""
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_small_demo(out, open_pipeline(load_settings()), np.random.default_rng(SEED))
        for name in CHARTS:
            _shrink(out / f"{name}.png").save(target / f"{name}.png", optimize=True)
        for name in PHOTOS:
            _shrink(out / f"{name}.png").save(target / f"{name}.jpg", quality=90)


def _shrink(path: Path) -> Image.Image:
    with Image.open(path) as drawn:
        height = round(drawn.height * WIDTH_PX / drawn.width)
        return drawn.convert("RGB").resize((WIDTH_PX, height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
