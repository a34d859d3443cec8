"""The machine of `system.py` with two enrolled accounts, and films for its camera."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from tests.login.namespace import private_namespace
from tests.login.system import (
    STATE,
    Machine,
    need_login_tools,
    set_up,
    system_bus,
    write_film,
)

from mien.lab.recapture import recapture
from mien.results import ByteArray

FRAMES = 15  # half a second
# anna is in the films; the face of bob's template is nobody's
ENROLL = """
import os, sys
import numpy as np
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from mien.app.enroll import enroll
from mien.app.pipeline import open_pipeline
from mien.login.accounts import find_account
from mien.login.listener import drop_rights, prepare_state
from mien.login.system_vault import open_system_vault, system_settings
from mien.media.video import read_video
from mien.models.add_liveness import add_liveness
from mien.results import Template
from mien.vault import Record, pack_template

state, film, models = map(Path, sys.argv[1:])
prepare_state(state)
settings = system_settings(state)
for row in add_liveness(file=models, settings=settings, tell=lambda done, total: None):
    pass
os.system(f"chown -R mien: {state}")
drop_rights()
pipeline = open_pipeline(settings)
frames = islice(read_video(str(film), clock=lambda: 0.0, timeout_s=1.0), 5)
now = datetime.now(timezone.utc)
anna, bob = (find_account(one).record_name(is_infrared=False) for one in ("anna", "bob"))
nobody = np.zeros((1, 128), np.float32)
nobody[0, 0] = 1
with open_system_vault(settings, create=True) as vault:
    photos = [frame.image_rgb for frame in frames]
    enroll(anna, photos, pipeline=pipeline, vault=vault, mode="new", clock=lambda: now)
    def make(stored, space_of):
        vectors = space_of(pipeline.model).protect(nobody)
        payload = pack_template(Template(vectors, pipeline.model))
        return Record(bob, pipeline.model, now.isoformat(timespec="seconds"), payload)
    vault.update(bob, make)
"""


@contextmanager
def enrolled_machine(
    scratch: Path, astronaut: ByteArray, liveness_files: Path
) -> Iterator[Machine]:
    """anna and bob are enrolled; the films are `anna`, `dark`, `nobody` and `blinking`."""
    need_login_tools()
    with private_namespace(scratch, empty=("/run", "/mnt")) as private:
        made = set_up(private)
        _write_films(made, astronaut)
        models = private.path("/mnt/models")
        models.mkdir()
        for file in liveness_files.iterdir():
            if file.is_file() and file.stat().st_size < 20_000_000:
                (models / file.name).write_bytes(file.read_bytes())
        command = [sys.executable, "-c", ENROLL, STATE, "/mnt/films/anna", "/mnt/models"]
        ran = private.run(*command, timeout_s=600)
        assert ran.returncode == 0, ran.stderr
        with system_bus(made):
            yield made


def _write_films(machine: Machine, astronaut: ByteArray) -> None:
    rng = np.random.default_rng(5)
    anna = [_frame(recapture(astronaut, rng)) for _ in range(FRAMES)]
    dark = [np.full((480, 640, 3), 3, np.uint8)] * FRAMES
    grain = rng.normal(120, 20, (FRAMES, 480, 640, 3))
    write_film(machine.private, "anna", anna)
    write_film(machine.private, "dark", dark)
    write_film(machine.private, "nobody", list(np.clip(grain, 0, 255).astype(np.uint8)))
    blinking = [one if number % 2 else dark[0] for number, one in enumerate(anna)]
    write_film(machine.private, "blinking", blinking)


def _frame(photo_rgb: ByteArray) -> ByteArray:
    """The photo in the middle of (480, 640, 3) uint8."""
    side = 480
    picture = np.asarray(Image.fromarray(photo_rgb).resize((side, side)))
    frame = np.full((480, 640, 3), 90, np.uint8)
    frame[:, 80 : 80 + side] = picture
    return frame
