"""Make the pictures of the page's states for docs/page.md, with a photograph in the public domain.

    apt install chromium fonts-wqy-zenhei
    python docs/page_states.py [STATE...]

Each state is drawn at 390 and 1280 px, light and dark, from a real service in a real browser. The
people are the photograph that comes with mien, taken again as by a poor camera, and random
templates.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from tests.web.conftest import (
    ALLOWED,
    CAMERA,
    CHROMIUM,
    Service,
    fill_vault,
    start_service,
    write_y4m,
)

from mien.lab.demo.shipped_photos import shipped_photo
from mien.lab.recapture import recapture

TARGET = Path(__file__).parent / "images" / "page"
SIZES = ((390, 844), (1280, 800))
SCHEMES = ("light", "dark")
PAGE = Path(__file__).parent / "page.md"
STATES = {
    "welcome": "first use",
    "people-nobody": "nobody is enrolled",
    "log-empty": "nothing happened yet",
    "enroll-no-name": "a name is missing",
    "enroll-guided": "guided enrollment",
    "enroll-photos": "all photos are taken",
    "enroll-done": "enrolled",
    "token": "a token that is not valid",
    "unlock": "choosing who it is",
    "unlock-no-camera": "no camera",
    "unlock-two-faces": "two faces",
    "unlock-no-face": "no face",
    "unlocked": "unlocked",
    "locked": "locked",
    "wait": "too many attempts",
    "enroll-name-taken": "the name is taken",
    "enroll-refused": "a photo is refused",
    "people": "people",
    "rename": "renaming",
    "forget": "forgetting, asked once more",
    "log": "the log",
    "log-no-match": "a filter that nothing matches",
    "explore-start": "exploring, before",
    "explore": "exploring, after",
    "german": "in German",
    "chinese": "in Chinese",
}
"""name -> what it shows, in the order of docs/page.md."""
QUALITY = 62  # of WebP
SETTLE_MS = 900  # for a look of the camera, or an animation
WAIT_MS = 40_000


@dataclass
class Studio:
    """What the states are made with. wanted: the names of those to draw; empty for all."""

    driver: Any
    folder: Path
    wanted: list[str]
    shots: list[Path] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

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
        page.goto(f"{service.address}/#{service.token}")
        page.wait_for_selector("nav:not([hidden])")
        if view:
            page.click(f"nav a[data-view={view}]")
            page.wait_for_selector(f"#view-{view}:not([hidden])")
        yield page
        browser.close()

    def draw(self, page: Any, name: str, *, full: bool = False) -> None:
        """full: the whole length of the page, not what fits the window."""
        assert name in STATES
        if self.wanted and name not in self.wanted:
            return
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            if full:  # a window as high as the page, so that the navigation is at its bottom
                page.wait_for_timeout(SETTLE_MS)
                whole = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": max(height, whole)})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(SETTLE_MS)
                with Image.open(io.BytesIO(page.screenshot())) as shot:
                    path = TARGET / f"{name}-{width}-{scheme}.webp"
                    shot.convert("RGB").save(path, quality=QUALITY, method=6)
        self.made.append(name)


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        studio = Studio(driver, Path(name), sys.argv[1:])
        make_films(studio)
        for home, draw in (("empty", draw_first_use), ("full", draw_others)):
            (studio.folder / home).mkdir()
            with start_service(studio.folder / home) as service:
                draw(studio, service)
    write_table()
    size = sum(path.stat().st_size for path in TARGET.glob("*.webp"))
    print(f"{len(studio.made)} states, {size / 1e6:.2f} MB: {', '.join(studio.made)}")


def write_table() -> None:
    """Below the heading of the last table in docs/page.md, a line for each state."""
    rows = []
    for name, words in STATES.items():
        cells = [
            f"[{width} px](images/page/{name}-{width}-{scheme}.webp)"
            for width, _ in SIZES
            for scheme in SCHEMES
        ]
        rows.append(f"| {words} | {' | '.join(cells)} |")
    head, mark, _ = PAGE.read_text("utf-8").partition("|---|---|---|---|---|\n")
    PAGE.write_text(head + mark + "\n".join(rows) + "\n", "utf-8")


def make_films(studio: Studio) -> None:
    """her.y4m of one person, two.y4m of two faces, nobody.y4m of a wall."""
    rng, photo = np.random.default_rng(11), shipped_photo("astronaut")
    for number in range(6):
        studio.shots.append(studio.folder / f"{number}.jpg")
        # 4:3 as the camera's, so that the face keeps its shape
        wide = np.pad(recapture(photo, rng), ((0, 0), (85, 86), (0, 0)), mode="edge")
        Image.fromarray(wide).save(studio.shots[-1], quality=92)
    two = studio.folder / "two.jpg"
    Image.fromarray(np.hstack([photo, photo[:, ::-1]])[:, 64:960]).save(two)
    wall = studio.folder / "wall.jpg"
    Image.new("RGB", (640, 480), (150, 140, 130)).save(wall)
    write_y4m(studio.shots, studio.folder / "her.y4m")
    write_y4m([two], studio.folder / "two.y4m")
    write_y4m([wall], studio.folder / "nobody.y4m")


def draw_first_use(studio: Studio, service: Service) -> None:
    """Before anybody is enrolled, until somebody is."""
    with studio.page(service, "her.y4m") as page:
        studio.draw(page, "welcome")
        page.click("nav a[data-view=people]")
        page.wait_for_selector("#view-people .empty")
        studio.draw(page, "people-nobody")
        page.click("nav a[data-view=log]")
        page.wait_for_selector("#view-log .empty")
        studio.draw(page, "log-empty")
        page.click("nav a[data-view=enroll]")
        page.press("#enroll-user", "Enter")
        page.wait_for_selector("#notice:not([hidden])")
        studio.draw(page, "enroll-no-name")
        page.fill("#enroll-user", "Eileen")
        page.check("#enroll-picture")
        page.click("#enroll-camera")
        page.wait_for_selector("#enroll-photos li")
        studio.draw(page, "enroll-guided")
        page.wait_for_selector("#enroll-photos li:nth-child(5)")
        page.wait_for_selector("[data-camera=enroll][data-state=off]")
        studio.draw(page, "enroll-photos", full=True)
        page.click("#enroll-send")
        page.wait_for_selector("#enroll-result:not([hidden])")
        studio.draw(page, "enroll-done")
        page.goto(f"{service.address}/#mien_of_an_earlier_start")
        page.wait_for_selector("#view-locked:not([hidden])")
        studio.draw(page, "token")


def draw_others(studio: Studio, service: Service) -> None:
    """With people, unlocks and refusals."""
    fill(studio, service)
    draw_unlock(studio, service)
    draw_enroll(studio, service)
    draw_lists(studio, service)
    draw_explore(studio, service)
    for locale, name in (("de-DE", "german"), ("zh-CN", "chinese")):
        with studio.page(service, view="people", locale=locale) as page:
            page.wait_for_selector(".person")
            studio.draw(page, name)


def fill(studio: Studio, service: Service) -> None:
    """Eileen and her twin, who looks like her; unlocks; and two people with random templates."""
    files = [("photos", (shot.name, shot.read_bytes())) for shot in studio.shots]

    def post(path: str, data: dict[str, str], sent: Any) -> httpx.Response:
        url = service.address + path
        return httpx.post(url, headers=service.headers, data=data, files=sent, timeout=WAIT_MS)

    post("/v1/people/Eileen", {"keep_picture": "true"}, files[:4]).raise_for_status()
    fill_vault(service.home, 2)
    for user, name in (("user 000", "Ada"), ("user 001", "Grace")):
        post(f"/v1/people/{user}/name", {"name": name}, None).raise_for_status()
    for number in range(9):
        frames = [files[(number + at) % 6] for at in range(3)]
        post("/v1/unlock/frames", {"user": "Eileen"}, frames).raise_for_status()
    post("/v1/unlock", {"user": "Grace"}, [("photo", files[0][1])])
    post("/v1/unlock", {"user": "Grace"}, [("photo", files[1][1])])


def draw_unlock(studio: Studio, service: Service) -> None:
    with studio.page(service, view="unlock") as page:
        page.wait_for_selector(".pick")
        page.click(".pick[data-user=Eileen]")
        studio.draw(page, "unlock")
        page.click("#unlock-camera")
        page.wait_for_selector("[data-camera=unlock][data-state=off]")
        studio.draw(page, "unlock-no-camera")
    with studio.page(service, "two.y4m", view="unlock") as page:
        page.fill("#unlock-user", "Eileen")
        page.click("#unlock-camera")
        page.wait_for_selector("canvas[data-boxes='2']")
        studio.draw(page, "unlock-two-faces")
    with studio.page(service, "nobody.y4m", view="unlock") as page:
        page.fill("#unlock-user", "Eileen")
        page.click("#unlock-camera")
        page.wait_for_selector("canvas[data-face=none]")
        studio.draw(page, "unlock-no-face")
    with studio.page(service, "her.y4m", view="unlock") as page:
        for name, state in (("Eileen", "unlocked"), ("Ada", "locked")):
            page.fill("#unlock-user", name)
            page.click("#unlock-camera")
            page.wait_for_selector("#unlock-decision:not([hidden])")
            studio.draw(page, state)
        for _ in range(5):
            page.fill("#unlock-user", "")
            page.fill("#unlock-user", "Ada")
            page.set_input_files("#unlock-file", str(studio.shots[0]))
            page.wait_for_selector("#unlock-decision:not([hidden])")
        studio.draw(page, "wait")


def draw_enroll(studio: Studio, service: Service) -> None:
    with studio.page(service, view="enroll") as page:
        page.fill("#enroll-user", "Eileen")
        page.set_input_files("#enroll-files", [str(shot) for shot in studio.shots[4:]])
        page.wait_for_selector("#enroll-photos li:nth-child(2)")
        page.click("#enroll-send")
        page.wait_for_selector("dialog[open]")
        studio.draw(page, "enroll-name-taken")
        page.keyboard.press("Escape")
        page.fill("#enroll-user", "Zoe")
        page.set_input_files("#enroll-files", str(studio.folder / "wall.jpg"))
        page.wait_for_selector("#enroll-photos li.bad")
        page.click("#enroll-send")
        page.wait_for_selector("#notice:not([hidden])")
        studio.draw(page, "enroll-refused", full=True)


def draw_lists(studio: Studio, service: Service) -> None:
    with studio.page(service, view="people") as page:
        page.wait_for_selector(".person")
        studio.draw(page, "people", full=True)
        page.click("text=Rename >> nth=0")
        page.wait_for_selector("dialog[open]")
        studio.draw(page, "rename")
        page.keyboard.press("Escape")
        page.click(".person .danger >> nth=0")
        page.wait_for_selector("dialog[open]")
        studio.draw(page, "forget")
        page.keyboard.press("Escape")
        page.click("nav a[data-view=log]")
        page.wait_for_selector(".lines li")
        studio.draw(page, "log")
        page.fill("[type=search]", "nobody of this name")
        studio.draw(page, "log-no-match")


def draw_explore(studio: Studio, service: Service) -> None:
    photos = studio.folder / "photos"
    for folder, picked in (("Eileen", studio.shots[:4]), ("mirrored", studio.shots[4:])):
        (photos / folder).mkdir(parents=True)
        for shot in picked:
            with Image.open(shot) as opened:
                turned = Image.Transpose.FLIP_LEFT_RIGHT
                shown = opened if folder == "Eileen" else opened.transpose(turned)
                shown.save(photos / folder / f"photo {shot.stem}.jpg")
    with studio.page(service, view="explore") as page:
        studio.draw(page, "explore-start")
        page.set_input_files("#explore-folder", str(photos))
        page.wait_for_selector(".map")
        studio.draw(page, "explore", full=True)


Draw = Callable[[Studio, Service], None]

if __name__ == "__main__":
    main()
