"""The documents in two languages: the same headings in the same order, and the same commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAIRS = [("README.md", "README.zh.md"), ("docs/tutorial.md", "docs/tutorial.zh.md")]

if not (ROOT / "README.md").is_file():
    pytest.skip("needs the documents: run the tests from a checkout", allow_module_level=True)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def outside_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def levels(text: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", outside_code(text), re.MULTILINE)]


def blocks(text: str) -> list[str]:
    """The code that a reader copies, without comments."""
    found = re.findall(r"```(?:sh|python)\n(.*?)```", text, re.DOTALL)
    return [re.sub(r"\s+#.*", "", block) for block in found]


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_headings_are_the_same(english: str, chinese: str) -> None:
    assert levels(read(chinese)) == levels(read(english))


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_commands_and_programs_are_the_same(english: str, chinese: str) -> None:
    assert blocks(read(chinese)) == blocks(read(english))


def test_the_headings_of_the_chinese_readme_begin_with_the_english_ones() -> None:
    """So that a link to a heading of one finds it in the other, and a new one is noticed."""
    titles = [re.findall(r"^#+ (.+)$", outside_code(read(name)), re.MULTILINE) for name in PAIRS[0]]
    assert [title.split(" · ")[0] for title in titles[1]] == titles[0]


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_chinese_figures_are_those_of_the_english(english: str, chinese: str) -> None:
    figures = re.compile(r"\d[\d,.]* (?:MB|GB)")
    assert set(figures.findall(read(chinese))) <= set(figures.findall(read(english)))


@pytest.mark.parametrize("pair", PAIRS)
def test_a_document_that_is_translated_is_in_chinese(pair: tuple[str, str]) -> None:
    assert len(re.findall("[\u4e00-\u9fff]", read(pair[1]))) > 200
