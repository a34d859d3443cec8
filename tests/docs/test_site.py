"""The references of the site, which are made from the program; the site itself is built by nox."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mien

ROOT = Path(__file__).resolve().parents[2]
if not (ROOT / "tools" / "docs_site").is_dir():
    pytest.skip("needs tools/: run the tests from a checkout", allow_module_level=True)


def test_every_public_name_is_in_the_reference_of_the_library_once() -> None:
    from tools.docs_site.python_reference import NO_PAGE, python_reference

    named = re.findall(r"^::: [\w.]+\.(\w+)$", python_reference(), re.MULTILINE)
    assert sorted(named) == sorted(set(mien.__all__) - set(NO_PAGE))


def test_every_operation_and_object_is_in_the_reference_of_the_http_api() -> None:
    pytest.importorskip("fastapi", reason="needs FastAPI: pip install '.[serve]'")
    from tools.docs_site.http_reference import http_reference

    from mien.web.app import describe_api

    page, description = http_reference(), describe_api()
    assert "/v1/unlock" in str(list(description["paths"]))
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            section = page.split(f"## {method.upper()} {path}\n", 1)[1].split("\n## ")[0]
            assert all(f"| {status} |" in section for status in operation["responses"])
    for name, schema in description["components"]["schemas"].items():
        section = page.split(f"### {name}\n", 1)[1].split("\n### ")[0]
        assert all(f"| `{field}` |" in section for field in schema.get("properties", {}))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[x](nowhere.md)", "links to nowhere.md, which does not exist"),
        ("[x](../nowhere.py)", "links to ../nowhere.py, which does not exist"),
        ("[x](../../out.md)", "links to ../../out.md, which does not exist"),
        ("[x](unlock.md#nowhere)", "does not contain an anchor '#nowhere'"),
    ],
)
def test_a_broken_link_fails_the_build(tmp_path: Path, line: str, why: str) -> None:
    for name in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(name, reason=f"needs {name}: pip install --group docs")
    copy = tmp_path / "copy"
    for name in ("docs", "tools/docs_site", "src", "benchmarks", "notebooks"):
        shutil.copytree(ROOT / name, copy / name)
    for path in (*ROOT.glob("*.md"), *ROOT.glob("*.yml"), *ROOT.glob("*.toml")):
        shutil.copy(path, copy)
    with (copy / "docs" / "camera.md").open("a") as page:
        page.write(f"\n\n{line}\n")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    ran = subprocess.run(build, cwd=copy, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode != 0
    assert why in ran.stderr
