"""What docs/architecture.md says about the layers and the ways through the code is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.scripts import load_script

import mien

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(mien.__file__).parent
DOCUMENT = ROOT / "docs" / "architecture.md"

if not DOCUMENT.is_file():
    pytest.skip("needs docs/: run the tests from a checkout", allow_module_level=True)


@pytest.fixture(scope="module")
def graph() -> Any:
    grimp = pytest.importorskip("grimp", reason="comes with import-linter: pip install '.[test]'")
    return grimp.build_graph("mien", cache_dir=None)


@pytest.fixture(scope="module")
def picture() -> ModuleType:
    return load_script(ROOT / "docs" / "layers_picture.py")


def ways() -> list[str]:
    """The blocks of steps."""
    return re.findall(r"```\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


def calls(way: str) -> Iterator[tuple[str, str]]:
    """Each step with the step that calls it, as names of modules: caller, called."""
    callers: list[tuple[int, str]] = []
    for line in way.splitlines():
        indent = len(line) - len(line.lstrip())
        module = "mien." + line.split()[0].removesuffix(".py").replace("/", ".")
        while callers and callers[-1][0] >= indent:
            callers.pop()
        if callers:
            yield callers[-1][1], module
        callers.append((indent, module))


def test_the_picture_shows_the_layers_of_pyproject(picture: ModuleType) -> None:
    drawn = picture.draw(picture.layers(ROOT / "pyproject.toml"))
    assert picture.TARGET.read_text(encoding="utf-8") == drawn, "run: python docs/layers_picture.py"


def test_there_are_four_ways_of_ten_steps() -> None:
    assert [len(way.splitlines()) for way in ways()] == [10, 10, 10, 10]


@pytest.mark.parametrize("number", range(4))
def test_each_step_imports_the_next_and_no_step_goes_back_up(graph: Any, number: int) -> None:
    for caller, called in calls(ways()[number]):
        assert {caller, called} <= graph.modules
        assert graph.chain_exists(importer=caller, imported=called), (caller, called)
        assert not graph.chain_exists(importer=called, imported=caller), (called, caller)


def test_every_named_source_file_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    named = re.findall(r"`((?:cli|app|media|models|vault|faces|matching)/[\w/]+\.py)`", text)
    assert len(named) > 4
    assert [name for name in named if not (SOURCE / name).is_file()] == []
