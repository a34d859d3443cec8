"""The pictures of the page's states: each state has four, and none is left over or missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
if not (DOCS / "page.md").is_file():
    pytest.skip("needs the documents: run the tests from a checkout", allow_module_level=True)


def test_each_state_has_its_pictures_and_every_picture_has_a_state() -> None:
    script = (DOCS / "page_states.py").read_text("utf-8")
    table = (DOCS / "page.md").read_text("utf-8").partition("## All states")[2]
    linked = re.findall(r"\(images/page/([\w-]+)-(390|1280)-(light|dark)\.webp\)", table)
    states = {name for name, _, _ in linked}
    assert set(re.findall(r'^    "([\w-]+)": "', script, re.MULTILINE)) - {"german", "chinese"} == {
        name for name in states if not name.startswith(("german", "chinese"))
    }
    assert len(linked) == len(set(linked)) == 4 * len(states)
    files = {path.name for path in (DOCS / "images" / "page").iterdir()}
    assert files == {f"{'-'.join(parts)}.webp" for parts in linked}
