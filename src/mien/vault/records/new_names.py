# ruff: noqa: RUF001 - tables of letters that look alike
"""What a new user name may be: one that can be seen, and taken for no other name.

An enrolled name that an earlier mien took can still be used, renamed and forgotten.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from mien.errors import UsageError, quote

# printable for Python, and drawn as nothing: Default_Ignorable_Code_Point of Unicode's
# DerivedCoreProperties.txt, and the blank Braille pattern
_INVISIBLE = (
    *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800)),
    *((0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF)),
)
# scripts with letters of the same shape; others may be mixed, as Japanese does
_ALIKE_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")
# letters that look the same in most fonts, after Unicode's confusables.txt (UTS #39)
_LATIN = "aceijopsxyABCEHIJKMOPSTXYZNhdqw"
_CYRILLIC = "асеіјорѕхуАВСЕНІЈКМОРЅТХҮ  һԁԛԝ"
_GREEK = "α  ι ορ χγΑΒ ΕΗΙ ΚΜΟΡ ΤΧΥΖΝ    "
_TABLES = tuple(
    {a: b for a, b in zip(own, other, strict=True) if " " not in (a, b)}
    for own, other in (
        *((_LATIN, _CYRILLIC), (_CYRILLIC, _LATIN), (_LATIN, _GREEK), (_GREEK, _LATIN)),
    )
)


def check_new_name(name: str, is_enrolled: Callable[[str], bool]) -> None:
    """Refuse a new name that cannot be seen, or is easily taken for another one.

    name: as `check_user_name` returns it. is_enrolled: of another name. Raises UsageError.
    """
    fault = _fault_of(name)
    if fault is None:
        twin = next((one for one in _twins(name) if is_enrolled(one)), None)
        if twin is not None:
            fault = f"looks like {quote(twin)}, which is enrolled, in letters of another script"
    if fault is not None:
        raise UsageError(f"the user name {quote(name)} {fault}; choose another name")


def _fault_of(name: str) -> str | None:
    for character in name:
        if any(first <= ord(character) <= last for first, last in _INVISIBLE):
            return f"has a character that cannot be seen (U+{ord(character):04X})"
    plain = unicodedata.normalize("NFKC", name)
    if plain != name:
        return f"has a character that looks like another one: write it as {quote(plain)}"
    scripts = sorted({script for script in map(_script_of, name) if script in _ALIKE_SCRIPTS})
    if len(scripts) > 1:
        mixed = " and ".join(script.capitalize() for script in scripts)
        return f"mixes letters of {mixed}, some of which look the same"
    return None


def _script_of(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _twins(name: str) -> list[str]:
    """The name written in look-alikes of another script, where every letter has one."""
    letters = [one for one in name if one.isalpha()]
    return [
        "".join(table.get(one, one) for one in name)
        for table in _TABLES
        if letters and all(one in table for one in letters)
    ]
