"""Make the pictures of the page's states for docs/page.md, with a photograph in the public domain.

    apt install chromium fonts-noto-cjk
    MIEN_MODELS=FOLDER PYTHONPATH=. python docs/page_states.py [STATE...]

Each state is drawn at 390 and 1280 px, light and dark, from a real service in a real browser. The
people are the photograph that comes with mien, taken again as by a poor camera or turned on the
mesh of its face, and random templates. FOLDER has the files of the liveness models. Where no font
has Chinese characters, the pictures in Chinese stay as they are. axe-core looks at each state, and
a serious or critical violation is an error.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from page_studio import (
    WAIT_MS,
    Studio,
    begin_challenge,
    begin_enrollment,
    has_chinese_font,
    liveness_files,
    make_films,
    write_table,
)
from PIL import Image
from playwright.sync_api import sync_playwright
from tests.web.conftest import Service, environment, fill_vault, start_service

TARGET = Path(__file__).parent / "images" / "page"
PAGE = Path(__file__).parent / "page.md"
NAMES = ("Eileen", "Grace", "Ada", "Zoe")
LANGUAGES = {"german": "de-DE", "chinese": "zh-CN"}
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
    "challenge": "a challenge: a movement is asked for",
    "challenge-failed": "a challenge that was not passed",
    "challenge-enroll": "enrolling by movements",
    "enroll-name-taken": "the name is taken",
    "enroll-another-face": "the new photos show another face",
    "enroll-refused": "a photo is refused",
    "people": "people",
    "people-more": "more people than one page shows",
    "rename": "renaming",
    "forget": "forgetting, asked once more",
    "follow": "letting a template follow the face",
    "people-kept": "a template that follows, and a marked unlock",
    "follow-stop": "following no more",
    "log": "the log",
    "not-me": "marking an unlock as somebody else's",
    "log-no-match": "a filter that nothing matches",
    "explore-start": "exploring, before",
    "explore": "exploring, after",
    "stopped": "the service was stopped",
    **{
        f"{language}{view}": f"in {language.title()}: {words}"
        for language in LANGUAGES
        for view, words in (
            ("-welcome", "first use"),
            ("-unlocked", "unlocked"),
            ("", "people"),
            ("-log", "the log"),
        )
    },
}
"""name -> what it shows, in the order of docs/page.md."""


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    if not has_chinese_font():
        print("no font has Chinese characters; run: apt install fonts-noto-cjk", file=sys.stderr)
        del LANGUAGES["chinese"]
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        studio = Studio(driver, Path(name), TARGET, STATES, sys.argv[1:])
        make_films(studio)
        for home, draw in (("empty", draw_first_use), ("full", draw_others), ("many", draw_many)):
            (studio.folder / home).mkdir()
            with start_service(studio.folder / home) as service:
                draw(studio, service)
        if studio.wants("challenge", "challenge-failed", "challenge-enroll"):
            draw_challenge(studio)
    write_table(PAGE, STATES)
    size = sum(path.stat().st_size for path in TARGET.glob("*.webp"))
    print(f"{len(studio.made)} states, {size / 1e6:.2f} MB: {', '.join(studio.made)}")
    sys.exit("axe-core finds:\n" + "\n".join(studio.faults) if studio.faults else 0)


def draw_first_use(studio: Studio, service: Service) -> None:
    """Before anybody is enrolled, until somebody is."""
    for language, locale in LANGUAGES.items():
        with studio.page(service, locale=locale) as page:
            studio.draw(page, f"{language}-welcome")
    with studio.page(service, "turns.y4m") as page:
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
    draw_people(studio, service)
    draw_log(studio, service)
    draw_explore(studio, service)
    for language, locale in LANGUAGES.items():
        draw_language(studio, service, language, locale)
    draw_kept(studio, service)
    with studio.page(service, view="unlock") as page:
        service.stop()
        page.click("nav a[data-view=people]")
        page.wait_for_selector("#people-list .error")
        studio.draw(page, "stopped")


def post(service: Service, path: str, data: dict[str, str], sent: Any = None) -> httpx.Response:
    url = service.address + path
    return httpx.post(url, headers=service.headers, data=data, files=sent, timeout=WAIT_MS)


def fill(studio: Studio, service: Service) -> None:
    """Eileen and her unlocks, and two people with random templates."""
    files = [("photos", (shot.name, shot.read_bytes())) for shot in studio.shots]
    post(service, "/v1/people/Eileen", {"keep_picture": "true"}, files[:4]).raise_for_status()
    fill_vault(service.home, 2)
    for user, name in (("user 000", "Ada"), ("user 001", "Grace")):
        post(service, f"/v1/people/{user}/name", {"name": name}).raise_for_status()
    for number in range(9):
        frames = [files[(number + at) % 6] for at in range(3)]
        post(service, "/v1/unlock/frames", {"user": "Eileen"}, frames).raise_for_status()
    post(service, "/v1/unlock", {"user": "Grace"}, [("photo", files[0][1])])
    post(service, "/v1/unlock", {"user": "Grace"}, [("photo", files[1][1])])


def draw_unlock(studio: Studio, service: Service) -> None:
    with studio.page(service, view="unlock") as page:
        page.wait_for_selector(".pick")
        page.click(".pick[data-user=Eileen]")
        studio.draw(page, "unlock")
        page.click("#unlock-camera")
        page.wait_for_selector("[data-camera=unlock][data-state=off]")
        studio.draw(page, "unlock-no-camera")
    for film, seen, state in (
        ("two.y4m", "canvas[data-boxes='2']", "unlock-two-faces"),
        ("nobody.y4m", "canvas[data-face=none]", "unlock-no-face"),
    ):
        with studio.page(service, film, view="unlock") as page:
            page.fill("#unlock-user", "Eileen")
            page.click("#unlock-camera")
            page.wait_for_selector(seen)
            studio.draw(page, state)
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
    photos = [str(shot) for shot in studio.shots[4:]]
    with studio.page(service, view="enroll") as page:
        page.fill("#enroll-user", "Eileen")
        page.set_input_files("#enroll-files", photos)
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
    with studio.page(service, view="people") as page:
        page.click(".person:has-text('Grace') >> text=Replace")
        page.set_input_files("#enroll-files", photos)
        page.wait_for_selector("#enroll-photos li:nth-child(2)")
        page.click("#enroll-send")
        page.wait_for_selector("dialog[open]")
        studio.draw(page, "enroll-another-face")


def draw_people(studio: Studio, service: Service) -> None:
    with studio.page(service, view="people") as page:
        page.wait_for_selector(".person")
        studio.draw(page, "people", full=True)
        for words, state in (("Rename", "rename"), ("Forget", "forget")):
            studio.draw_dialog(page, f".person >> text={words} >> nth=0", state)
        studio.draw_dialog(page, ".person:has-text('Eileen') >> text=Follow the face", "follow")


def draw_log(studio: Studio, service: Service) -> None:
    with studio.page(service, view="log") as page:
        page.wait_for_selector(".lines li")
        studio.draw(page, "log")
        studio.draw_dialog(page, "text=That was not me >> nth=0", "not-me")
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
    (photos / "a wall.jpg").write_bytes((studio.folder / "wall.jpg").read_bytes())
    with studio.page(service, view="explore") as page:
        studio.draw(page, "explore-start")
        page.set_input_files("#explore-folder", str(photos))
        page.wait_for_selector(".map")
        studio.draw(page, "explore", full=True)


def draw_language(studio: Studio, service: Service, language: str, locale: str) -> None:
    with studio.page(service, "her.y4m", view="people", locale=locale) as page:
        page.wait_for_selector(".person")
        studio.draw(page, language)
        page.click("nav a[data-view=log]")
        page.wait_for_selector(".lines li")
        studio.draw(page, f"{language}-log")
        page.click("nav a[data-view=unlock]")
        page.fill("#unlock-user", "Eileen")
        page.click("#unlock-camera")
        page.wait_for_selector("#unlock-decision:not([hidden])")
        studio.draw(page, f"{language}-unlocked")


def draw_kept(studio: Studio, service: Service) -> None:
    """After this Eileen stays locked, because her own unlock is marked as somebody else's."""
    log = httpx.get(f"{service.address}/v1/log?last=100", headers=service.headers).json()
    at = next(one["at"] for one in reversed(log["events"]) if one.get("markable"))
    post(service, "/v1/people/Eileen/follow", {"on": "true"}).raise_for_status()
    post(service, "/v1/people/Eileen/not-me", {"at": at}).raise_for_status()
    with studio.page(service, view="people") as page:
        page.wait_for_selector(".person")
        studio.draw(page, "people-kept", full=True)
        following = ".person:has-text('Eileen') >> button:has-text('Follow the face')"
        studio.draw_dialog(page, following, "follow-stop")


def draw_many(studio: Studio, service: Service) -> None:
    fill_vault(service.home, 130)
    with studio.page(service, view="people") as page:
        page.wait_for_selector(".person")

        def to_the_end() -> None:
            page.locator("text=Show more people").scroll_into_view_if_needed()
            page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")

        studio.draw(page, "people-more", before=to_the_end)


def draw_challenge(studio: Studio) -> None:
    """A service that unlocks and enrolls by movements only, before somebody who does not move."""
    home = studio.folder / "guarded"
    (home / "config" / "mien").mkdir(parents=True)
    (home / "config" / "mien" / "config.toml").write_text('liveness_service = "active"\n')
    shot = str(studio.shots[0])
    for arguments in (
        ("models", "add", "liveness", "--file", str(liveness_files())),
        *(("enroll", name, shot) for name in NAMES),
    ):
        command = [sys.executable, "-m", "mien", *arguments]
        subprocess.run(command, env=environment(home), check=True, capture_output=True)
    names = itertools.cycle(NAMES)  # of one, too many failures would have to wait
    with start_service(home) as service, studio.page(service, "noisy.y4m", view="unlock") as page:
        studio.draw(page, "challenge", before=lambda: begin_challenge(page, service, names))
        begin_challenge(page, service, names)
        page.wait_for_selector("#unlock-decision:not([hidden])")
        studio.draw(page, "challenge-failed")
        studio.draw(page, "challenge-enroll", before=lambda: begin_enrollment(page, service))


if __name__ == "__main__":
    main()
