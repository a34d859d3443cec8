"""The limits of `tools/check_limits.py` hold, and each check finds what it is there to find."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from tests.scripts import load_script

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def limits() -> ModuleType:
    path = ROOT / "tools" / "check_limits.py"
    if not path.is_file():
        pytest.skip("needs tools/check_limits.py: run the tests from a checkout")
    pytest.importorskip("grimp", reason="comes with import-linter: pip install '.[test]'")
    return load_script(path)


def test_this_checkout_keeps_every_limit(
    limits: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    code = limits.main(ROOT)
    assert capsys.readouterr().out == ""
    assert code == 0


@pytest.mark.parametrize("name", ["long.py", "long.c", "long.h", "page/long.js"])
def test_a_file_of_351_lines_is_a_fault(limits: ModuleType, tmp_path: Path, name: str) -> None:
    path = tmp_path / "src" / name
    path.parent.mkdir(parents=True)
    path.write_text("\n" * 350)
    assert list(limits.check_files(tmp_path, ("src",))) == []
    path.write_text("\n" * 351)
    assert list(limits.check_files(tmp_path, ("src",))) == [f"src/{name}: 351 lines, 350 at most"]


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_function_of_41_lines_is_a_fault(
    limits: ModuleType, tmp_path: Path, keyword: str
) -> None:
    body = "    pass\n"
    (tmp_path / "a.py").write_text(f"\n{keyword} long():\n" + body * 39)
    assert list(limits.check_functions(tmp_path)) == []
    (tmp_path / "a.py").write_text(f"\n{keyword} long():\n" + body * 40)
    assert list(limits.check_functions(tmp_path)) == ["a.py:2: long has 41 lines, 40 at most"]


def test_a_ninth_module_at_the_top_is_a_fault(limits: ModuleType, tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / f"m{number}.py").touch()
    (tmp_path / "package").mkdir()
    assert list(limits.check_top(tmp_path)) == []
    (tmp_path / "m8.py").touch()
    (fault,) = limits.check_top(tmp_path)
    assert "9 modules at the top, 8 at most: m0, m1" in fault


def test_imports_of_mien_inside_functions_are_counted_once_each(
    limits: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "from mien.results import Face",
        "def outer():",
        "    import numpy",
        "    from mien.errors import MienError",
        "    def inner():",
        "        from mien.files import read",
    ]
    (tmp_path / "a.py").write_text("\n".join(lines))
    assert limits.late_imports(tmp_path) == ["a.py:4: mien.errors", "a.py:6: mien.files"]
    assert list(limits.check_late_imports(tmp_path)) == []
    monkeypatch.setattr(limits, "MAX_LATE_IMPORTS", 1)
    assert next(limits.check_late_imports(tmp_path)).startswith("2 imports of mien inside")


def test_modules_that_import_one_another_are_a_cycle(limits: ModuleType) -> None:
    line = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}
    assert limits.cycles(line) == []
    assert limits.cycles({**line, "c": {"a"}}) == [{"a", "b", "c"}]
