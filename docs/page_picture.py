"""Make the picture of the page for the README, in a browser with a public-domain photograph.

PYTHONPATH=. python docs/page_picture.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from tests.web.conftest import CHROMIUM, start_service, write_y4m

from mien.lab.demo.shipped_photos import shipped_photo
from mien.lab.recapture import recapture


def main() -> None:
    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shots = [folder / f"{number}.jpg" for number in range(4)]
        for shot in shots:
            Image.fromarray(recapture(shipped_photo("astronaut"), rng)).save(shot, quality=92)
        video = write_y4m([shots[3]], folder / "video.y4m")
        with start_service(folder) as service, sync_playwright() as driver:
            files = [("photos", (shot.name, shot.read_bytes())) for shot in shots[:3]]
            url = f"{service.address}/v1/people/eileen"
            httpx.post(url, files=files, headers=service.headers).raise_for_status()
            camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
            browser = driver.chromium.launch(
                executable_path=CHROMIUM,
                args=["--no-sandbox", *camera, f"--use-file-for-fake-video-capture={video}"],
            )
            page = browser.new_page(viewport={"width": 760, "height": 960})
            page.goto(f"{service.address}/#{service.token}")
            page.click("#unlock-camera")
            page.wait_for_selector("#unlock-decision.yes")
            page.wait_for_timeout(600)  # for the animation of the lock
            picture = folder / "page.png"
            page.screenshot(path=picture)
            browser.close()
            with Image.open(picture) as drawn:
                target = Path(__file__).parent / "images" / "page.png"
                drawn.convert("RGB").quantize(128).save(target, optimize=True)


if __name__ == "__main__":
    main()
