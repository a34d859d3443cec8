"""The browser, the films of its camera and the table of pictures, for `page_states.py`."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from tests.app.turning_head import TurningHead
from tests.web.conftest import ALLOWED, CAMERA, CHROMIUM, Service, write_y4m

from mien.app.pipeline import open_pipeline
from mien.lab.demo.shipped_photos import shipped_photo
from mien.lab.recapture import recapture
from mien.liveness.mesh import open_mesh
from mien.models.add_liveness import add_liveness
from mien.settings import load_settings

SIZES = ((390, 844), (1280, 800))
SCHEMES = ("light", "dark")
QUALITY = 62  # of WebP
SETTLE_MS = 900  # for a look of the camera, or an animation
WAIT_MS = 40_000
TURNS = ((0, 1.0), (18, 1.0), (0, 1.0), (-18, 1.0), (0, 1.0), (0, 1.25))
"""Degrees to the person's left, and how close; each for two seconds."""
NOISY_FRAMES = 80  # eight seconds; a challenge refuses a picture that it saw before


@dataclass
class Studio:
    """What the states are made with.

    target: the folder of the pictures. states: all names. wanted: those to draw; empty for all.
    faults: what axe-core found in them that is serious or critical.
    """

    driver: Any
    folder: Path
    target: Path
    states: dict[str, str]
    wanted: list[str]
    shots: list[Path] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def browser(self, film: str = "") -> Any:
        """film: of the camera; none for a machine without one."""
        arguments = ["--no-sandbox"]
        if film:
            source = f"--use-file-for-fake-video-capture={self.folder / film}"
            arguments += [ALLOWED, CAMERA, source]
        return self.driver.chromium.launch(executable_path=CHROMIUM, args=arguments)

    @contextmanager
    def page(
        self, service: Service, film: str = "", *, view: str = "", **options: Any
    ) -> Iterator[Any]:
        browser = self.browser(film)
        page = browser.new_page(**options)
        page.set_default_timeout(WAIT_MS)
        open_at_once(page, service)
        if view:
            page.click(f"nav a[data-view={view}]")
            page.wait_for_selector(f"#view-{view}:not([hidden])")
        yield page
        browser.close()

    def wants(self, *names: str) -> bool:
        return not self.wanted or bool(set(names) & set(self.wanted))

    def draw(
        self, page: Any, name: str, *, full: bool = False, before: Callable[[], None] | None = None
    ) -> None:
        """full: the whole length of the page, not what fits the window. before: each picture."""
        assert name in self.states
        if not self.wants(name):
            return
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            if full:  # a window as high as the page, so that the navigation is at its bottom
                page.wait_for_timeout(SETTLE_MS)
                whole = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": max(height, whole)})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                if before:
                    before()
                else:
                    page.wait_for_timeout(SETTLE_MS)
                path = self.target / f"{name}-{width}-{scheme}.webp"
                with Image.open(io.BytesIO(page.screenshot())) as shot:
                    shot.convert("RGB").save(path, quality=QUALITY, method=6)
                found = Axe().run(page).response["violations"]
                self.faults += [
                    f"{path.stem}: {one['id']} at {one['nodes'][0]['target']}"
                    for one in found
                    if one["impact"] in ("serious", "critical")
                ]
        self.made.append(name)

    def draw_dialog(self, page: Any, button: str, name: str) -> None:
        """The question that this button asks; Escape answers it."""
        page.click(button)
        page.wait_for_selector("dialog[open]")
        self.draw(page, name)
        page.keyboard.press("Escape")


def open_at_once(page: Any, service: Service) -> None:
    """Load the page anew, with its token."""
    page.goto("about:blank")
    page.goto(f"{service.address}/#{service.token}")
    page.wait_for_selector("nav:not([hidden])")


def begin_challenge(page: Any, service: Service, names: Iterator[str]) -> None:
    """Until a movement is asked for; again if a loaded machine was too slow at first."""
    while not page.is_visible("#view-unlock .arrow"):
        open_at_once(page, service)
        page.fill("#unlock-user", next(names))
        page.click("#unlock-camera")
        page.wait_for_selector("#view-unlock .arrow, #unlock-decision:not([hidden])")


def begin_enrollment(page: Any, service: Service) -> None:
    """The same in the view to enroll. The ring of a challenge has three parts, not five."""
    asked = "#view-enroll .ring[data-parts='3'] ~ .arrow"
    while not page.is_visible(asked):
        open_at_once(page, service)
        page.click("nav a[data-view=enroll]")
        page.fill("#enroll-user", "Zora")
        page.click("#enroll-camera")
        page.wait_for_selector("[data-camera=enroll][data-state=on]")
        page.wait_for_selector("#enroll-photos img")
        page.click("#enroll-send")
        page.wait_for_selector(f"{asked}, #notice:not([hidden])")


def make_films(studio: Studio) -> None:
    """Of one person: her.y4m, turns.y4m, noisy.y4m; two.y4m of two faces, nobody.y4m of a wall."""
    rng, photo = np.random.default_rng(11), shipped_photo("astronaut")
    for number in range(6):
        studio.shots.append(studio.folder / f"{number}.jpg")
        # 4:3 as the camera's, so that the face keeps its shape
        _save(_widened(recapture(photo, rng)), studio.shots[-1])
    write_y4m(studio.shots, studio.folder / "her.y4m")
    two = _save(np.hstack([photo[:, :341], photo[:, 340::-1]]), studio.folder / "two.jpg")
    write_y4m([two], studio.folder / "two.y4m")
    wall = _save(np.full((480, 640, 3), (150, 140, 130), np.uint8), studio.folder / "wall.jpg")
    write_y4m([wall], studio.folder / "nobody.y4m")
    still = _widened(photo).astype(np.float32)
    noisy = [
        _save((still + rng.normal(0, 4, still.shape)).clip(0, 255).astype(np.uint8), path)
        for path in (studio.folder / f"noisy {number}.jpg" for number in range(NOISY_FRAMES))
    ]
    write_y4m(noisy, studio.folder / "noisy.y4m", frames_each=1)
    write_y4m(_turned(studio), studio.folder / "turns.y4m", frames_each=20)


def _save(picture: Any, path: Path) -> Path:
    Image.fromarray(picture).save(path, quality=92)
    return path


def _widened(picture: Any) -> Any:
    edge = len(picture) // 6
    return np.pad(picture, ((0, 0), (edge, edge), (0, 0)), mode="edge")


def _turned(studio: Studio) -> list[Path]:
    """The photograph on the mesh of its face, as a head that turns."""
    photo, settings = shipped_photo("astronaut"), load_settings({"HOME": str(studio.folder)})
    list(add_liveness(file=liveness_files(), settings=settings, tell=lambda done, total: None))
    face = open_pipeline(settings).door_face(photo)
    head, made = TurningHead(photo, open_mesh(settings)(photo, face)), []
    for number, (degrees, closeness) in enumerate(TURNS):
        seen, side = head.seen(degrees), len(photo)
        inner = round(side / closeness)
        edge = (side - inner) // 2
        cut = np.ascontiguousarray(seen[edge // 2 : edge // 2 + inner, edge : edge + inner])
        whole = _widened(cv2.resize(cut, (side, side)))
        made.append(_save(whole, studio.folder / f"turned {number}.png"))
    return made


def liveness_files() -> Path:
    """The folder with the published files of the liveness models."""
    folder = load_settings().models_dir or Path(__file__).parents[2] / "shared" / "models"
    if not (folder / "face_landmark.tflite").is_file():
        raise SystemExit(
            f"there are no liveness models in {folder}; set MIEN_MODELS to a folder with the files"
            " that docs/models.md names"
        )
    return folder


def has_chinese_font() -> bool:
    """Without one, a browser draws a box in the place of each character."""
    if not shutil.which("fc-list"):
        return False
    asked = ["fc-list", ":lang=zh-cn", "family"]
    return bool(subprocess.run(asked, capture_output=True, check=True).stdout.strip())


def write_table(page: Path, states: dict[str, str]) -> None:
    """Below the heading of the last table on the page, a line for each state."""
    rows = []
    for name, words in states.items():
        cells = [
            f"[{width} px](images/page/{name}-{width}-{scheme}.webp)"
            for width, _ in SIZES
            for scheme in SCHEMES
        ]
        rows.append(f"| {words} | {' | '.join(cells)} |")
    head, mark, _ = page.read_text("utf-8").partition("|---|---|---|---|---|\n")
    page.write_text(head + mark + "\n".join(rows) + "\n", "utf-8")
