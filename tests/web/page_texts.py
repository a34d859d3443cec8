"""The texts of the page, as they stand in its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parents[2] / "src" / "mien" / "web" / "page"

_STRING = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_JOINED = rf"{_STRING}(?:\s*\+\s*{_STRING})*"
_CALLS = (
    re.compile(rf"\bt\(\s*({_JOINED})"),
    re.compile(rf'"data-t-label":\s*({_JOINED})'),
)
_PLURAL = re.compile(rf"\bplural\(\s*[\w.]+,\s*({_JOINED}),\s*({_JOINED})")
_SET_TEXT = re.compile(r"\bsetText\(([^;]*)\);")
_HTML_TEXT = re.compile(r"<\w+[^>]*\sdata-t(?:\s[^>]*)?>([^<]+)<")
_HTML_LABEL = re.compile(r'data-t-label="([^"]+)"')


def texts_of_page() -> set[str]:
    """Every text that is given to `t`, `plural` or `setText`, or marked in the HTML."""
    found = set(_texts_in_html((PAGE / "index.html").read_text(encoding="utf-8")))
    for path in PAGE.glob("*.js"):
        found |= set(texts_in_script(path.read_text(encoding="utf-8")))
    return found


def texts_in_script(source: str) -> Iterator[str]:
    """The texts in one script, strings that are joined by + as one."""
    for call in _CALLS:
        yield from (_joined(one) for one in call.findall(source))
    for pair in _PLURAL.findall(source):
        yield from (_joined(one) for one in pair)
    for arguments in _SET_TEXT.findall(source):
        if arguments.startswith("element"):
            continue  # the definition of setText
        shown = arguments.partition(",")[2]
        yield from (_joined(one) for one in re.findall(_STRING, shown) if one not in ('"on"',))


def _texts_in_html(source: str) -> Iterator[str]:
    yield from (text.strip() for text in _HTML_TEXT.findall(source))
    yield from _HTML_LABEL.findall(source)


def _joined(literals: str) -> str:
    return "".join(str(ast.literal_eval(one)) for one in re.findall(_STRING, literals))
