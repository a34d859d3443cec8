"""Labels, such as names of people: made safe to show, shortened, and grouped.

They come from names of folders, so they may hold any character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

STAND_IN = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
JOINERS = "\u200c\u200d"  # format characters that Persian, Hindi and others are spelled with


def clean_text(text: str) -> str:
    """Text on one line, without characters that control a display.

    Line breaks and tabs become spaces. Control characters, marks that change the
    writing direction, and the halves of surrogate pairs that undecodable file
    names hold become U+FFFD.
    """
    return "".join(map(_clean_character, text))


def display_name(name: str) -> str:
    """The name cleaned, or "(no name)" if nothing is left."""
    return clean_text(name).strip() or "(no name)"


def shorten(text: str, max_characters: int) -> str:
    """Text of at most `max_characters`, the middle left out: names differ at both ends."""
    if max_characters < 1:
        return ""
    if len(text) <= max_characters:
        return text
    tail = (max_characters - 1) // 3
    head = max_characters - 1 - tail
    return text[:head].rstrip() + ELLIPSIS + (text[-tail:].lstrip() if tail else "")


def rows_by_label(labels: Sequence[str]) -> dict[str, list[int]]:
    """Each name, in order of first appearance, with its row numbers."""
    people: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        people.setdefault(label, []).append(row)
    return people


def _clean_character(character: str) -> str:
    if character.isspace():
        return " "
    if character not in JOINERS and unicodedata.category(character) in ("Cc", "Cf", "Cs"):
        return STAND_IN
    return character
