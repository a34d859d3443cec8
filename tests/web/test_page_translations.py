"""German and Chinese: no text is missing, and each has the parts that the English one has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import Service
from tests.web.page_actions import WAIT_S, Page, expect, open_view, portraits
from tests.web.page_texts import PAGE, texts_in_script, texts_of_page

from mien.app.live_challenge import FACE_THE_CAMERA, INSTRUCTIONS, NOT_PASSED
from mien.app.voting import LIGHT
from mien.faces.quality import advice, words
from mien.matching.calibration import OwnerTrials
from mien.matching.policy import NOT_SIMILAR_ENOUGH
from mien.metrics.odds import StrangerReading

LANGUAGES = ("de", "zh")
PART = re.compile(r"\{(\w+)\}")


def catalog(language: str) -> dict[str, dict[str, str]]:
    read: dict[str, dict[str, str]] = json.loads((PAGE / f"{language}.json").read_text("utf-8"))
    return read


def sentences_of_service() -> Iterator[str]:
    """Those of constants, and of records that make sentences of their numbers."""
    yield from words.WORDS.values()
    yield from (words.TURNED, words.CUT_OFF, words.DARK, words.BRIGHT, words.UNSURE)
    worst = advice.Quality(0.0, 0.0, 0.0, 0.0, 9.0, 90.0)
    yield from worst.advice
    yield from advice.Quality(99.0, 255.0, 99.0, 99.0, 0.0, 0.0).advice
    yield from INSTRUCTIONS.values()
    yield from (FACE_THE_CAMERA, NOT_PASSED, NOT_SIMILAR_ENOUGH, LIGHT)
    for one_in, is_bound in ((1.0, True), (9.0, True), (1.0, False), (9.0, False)):
        yield str(StrangerReading(0.5, one_in, is_bound))
    for refused, tries, people in ((0, 40, 5), (0, 900, 300), (3, 900, 300), (90, 900, 300)):
        yield str(OwnerTrials(refused, tries, people))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_page_is_translated_and_none_is_left_over(language: str) -> None:
    assert set(catalog(language)["page"]) == texts_of_page()


def test_both_languages_translate_the_same_sentences_of_the_service() -> None:
    assert set(catalog("de")["service"]) == set(catalog("zh")["service"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_the_service_is_translated(language: str) -> None:
    """As the page looks it up: the sentence itself, or one with parts that vary."""
    known = catalog(language)["service"]
    patterns = [
        "".join(r"(.+)" if at % 2 else re.escape(text) for at, text in enumerate(PART.split(key)))
        for key in known
        if PART.search(key)
    ]
    missing = [
        one
        for one in sentences_of_service()
        if one not in known and not any(re.fullmatch(pattern, one) for pattern in patterns)
    ]
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("section", ["page", "service"])
def test_a_translation_is_not_empty_and_has_no_part_of_its_own(language: str, section: str) -> None:
    for english, translated in catalog(language)[section].items():
        assert translated.strip()
        assert set(PART.findall(translated)) <= set(PART.findall(english))
        if section == "page":  # a sentence of the service may lose its small print
            assert set(PART.findall(translated)) == set(PART.findall(english))


def test_texts_are_found_where_they_are_used() -> None:
    script = """
        t("One {name}", { name }); plural(count, "{count} a",
          "{count} b"); setText(button, isOn ? "Stop" : "Start"); other("not this");
        t(
          "joined, "
          + "over lines",
        );
    """
    assert set(texts_in_script(script)) == {
        *("One {name}", "{count} a", "{count} b", "Stop", "Start", "joined, over lines"),
    }


@pytest.fixture
def german(browser: Any, service: Service) -> Iterator[Page]:
    context = browser.new_context(locale="de-DE", permissions=["camera"])
    context.set_default_timeout(WAIT_S * 1000)
    page = context.new_page()
    page.goto(f"{service.address}/#{service.token}")
    page.wait_for_selector("#view-enroll:not([hidden])")
    yield page
    context.close()


def test_the_browser_s_language_is_used_and_another_one_can_be_chosen(german: Page) -> None:
    expect(german.locator("nav a[data-view=unlock]")).to_have_text("Entsperren")
    assert german.get_attribute("html", "lang") == "de"
    assert german.evaluate("localStorage.length") == 0
    german.select_option("#language", "zh")
    expect(german.locator("nav a[data-view=unlock]")).to_have_text("解锁")
    expect(german.locator("#welcome h2")).to_have_text("欢迎使用 mien")
    assert german.get_attribute("html", "lang") == "zh"
    german.set_input_files("#enroll-files", [])
    open_view(german, "people")
    expect(german.locator("#people-list")).to_contain_text("还没有登记任何人。")
    german.select_option("#language", "en")
    expect(german.locator("nav a[data-view=unlock]")).to_have_text("Unlock")
    expect(german.locator("#people-list")).to_contain_text("Nobody is enrolled yet.")


def test_what_the_service_says_is_translated_too(german: Page, shots: Path) -> None:
    german.fill("#enroll-user", "eileen")
    german.set_input_files("#enroll-files", str(shots / "wall.jpg"))
    expect(german.locator("#enroll-photos p")).to_have_text(
        "Kein Gesicht gefunden; wende dich der Kamera zu, bei mehr Licht oder näher."
    )
    german.click("#enroll-send")
    expect(german.locator("#notice")).to_have_text(
        "Foto 1: kein Gesicht gefunden; wende dich der Kamera zu, bei mehr Licht oder näher."
    )
    german.click("[aria-label='Foto 1 entfernen']")
    german.set_input_files("#enroll-files", [str(photo) for photo in portraits(shots)])
    expect(german.locator("#enroll-photos p")).to_have_text(["Gut."] * 3)
    german.click("#enroll-send")
    expect(german.locator("#enroll-result .result")).to_have_text("eileen ist aufgenommen")
    german.click("text=Jetzt ausprobieren")
    expect(german.locator("#unlock-reason")).to_have_text("Dieselbe Person.")
    expect(german.locator("#unlock-scores")).to_contain_text("Ähnlichkeit 0,")
    expect(german.locator("#unlock-scores")).to_have_text(
        re.compile(r"Fremde Personen wären seltener als einmal in \d+\.000 so ")
    )
