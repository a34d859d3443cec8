"""Colours stand in tokens.css alone, and text on each ground has the contrast of WCAG 2.2, AA."""

from __future__ import annotations

import re

import pytest
from tests.web.page_texts import PAGE

TEXT = 4.5  # of WCAG 2.2, 1.4.3
PART = 3.0  # of 1.4.11, for what tells a control or a value
COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsl", re.IGNORECASE)
TOKEN = re.compile(r"--([\w-]+):\s*(#[0-9a-f]{6})\b")
PAIRS = [
    *(
        (ink, ground, TEXT)
        for ground in ("ground", "card")
        for ink in ("ink", "quiet", "link", "yes", "no", "advice")
    ),
    *((ink, "sunken", TEXT) for ink in ("ink", "quiet")),
    *((name, f"{name}-soft", TEXT) for name in ("yes", "no", "advice")),
    ("primary-ink", "primary", TEXT),
    ("primary-ink", "primary-hover", TEXT),
    ("stage-ink", "stage", TEXT),
    ("heat-low-ink", "heat-low", TEXT),
    ("heat-high-ink", "heat-high", TEXT),
    *((line, ground, PART) for line in ("edge", "focus") for ground in ("ground", "card")),
    ("primary", "card", PART),
    ("seen-good", "stage", PART),
    ("seen-poor", "stage", PART),
]


def tokens() -> dict[str, dict[str, str]]:
    """The colours of the light and of the dark scheme."""
    light, _, dark = (PAGE / "tokens.css").read_text("utf-8").partition("prefers-color-scheme")
    found = dict(TOKEN.findall(light))
    return {"light": found, "dark": found | dict(TOKEN.findall(dark))}


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1, as WCAG defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(strong: str, weak: str, share: float) -> str:
    """As CSS's color-mix in sRGB does."""
    pairs = [(int(strong[at : at + 2], 16), int(weak[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_text_can_be_read_on_its_ground(scheme: str, ink: str, ground: str, least: float) -> None:
    colours = tokens()[scheme]
    assert contrast(colours[ink], colours[ground]) >= least


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_number_of_the_heat_map_can_be_read(scheme: str) -> None:
    colours = tokens()[scheme]
    found = re.search(r"HIGH_FROM = (\d+)", (PAGE / "heat.js").read_text("utf-8"))
    assert found is not None
    for percent in range(101):
        ground = mixed(colours["heat-high"], colours["heat-low"], percent / 100)
        ink = colours["heat-high-ink" if percent >= int(found[1]) else "heat-low-ink"]
        assert contrast(ink, ground) >= TEXT, percent


def test_no_other_file_has_a_colour() -> None:
    for path in [*PAGE.glob("*.css"), *PAGE.glob("*.js"), PAGE / "index.html"]:
        if path.name == "tokens.css":
            continue
        lines = re.sub(r'href="#\w+"', "", path.read_text("utf-8")).splitlines()
        found = [line.strip() for line in lines if COLOUR.search(line)]
        # a picture that is sent has white behind what is transparent, whatever the scheme
        assert found in ([], ['context.fillStyle = "#fff"; // behind transparent pixels']), path
