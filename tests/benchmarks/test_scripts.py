"""Every script of benchmarks/ prints its figures as JSON, with what they must be read with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = sorted(
    path.name
    for path in BENCHMARKS.glob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
    and path.name != "history.py"  # reads what the others print
)
FAST = ("attempt_limits.py", "--runs", "1", "--people", "2", "--days", "1")
GIT = re.compile(r"[0-9a-f]{12}")


def run(script: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def printed() -> str:
    """The JSON of a fast script."""
    done = run(*FAST, "--json")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_scripts_are_found() -> None:
    assert {"cold_start.py", "login.py", "service.py", "vault_scale.py"} < set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_has_the_option_and_says_so(script: str) -> None:
    done = run(script, "--help")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^ *--json ", done.stdout, re.MULTILINE)
    source = (BENCHMARKS / script).read_text(encoding="utf-8")
    assert "[--json]" in source.split('"""')[1]
    assert ".end(" in source  # prints the JSON


def test_the_json_has_the_figures_of_the_lines_under_their_names(printed: str) -> None:
    lines = run(*FAST).stdout.splitlines()
    found = json.loads(printed)
    named = {}
    for line in lines:
        what, figures = line.split("  ", maxsplit=1)
        for name, value in re.findall(r"(\S+) (\S+)", figures):
            named[f"{what}, {name}"] = float(value.replace(",", ""))
    assert named
    about = found.keys() - named.keys()
    assert about == {"benchmark", "commit", "at", "machine", "versions"}
    assert {name: found[name] for name in named} == pytest.approx(named, rel=1e-3)


def test_the_json_says_where_it_was_measured(printed: str) -> None:
    found = json.loads(printed)
    assert found["benchmark"] == "attempt_limits"
    assert found["machine"].keys() == {"processor", "cores", "load"}
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "numpy" in found["versions"]
    assert found["commit"] is None or GIT.fullmatch(found["commit"])


def test_the_history_takes_it(printed: str, tmp_path: Path) -> None:
    kept = tmp_path / "history.jsonl"
    for _ in range(2):
        done = run("history.py", "--release", "9.9", "--file", str(kept), stdin=printed)
        assert done.returncode == 0, done.stderr
    first, second = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    assert first == second
    found = json.loads(printed)
    assert first["release"] == "9.9"
    assert {name: first[name] for name in ("benchmark", "commit", "machine")} == {
        name: found[name] for name in ("benchmark", "commit", "machine")
    }
    assert first["figures"]["guesser, now, tries"] == found["guesser, now, tries"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"try_cpu_ms": 3}', "3"])
def test_the_history_refuses_other_text(text: str, tmp_path: Path) -> None:
    kept = tmp_path / "history.jsonl"
    done = run("history.py", "--release", "9.9", "--file", str(kept), stdin=text)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert not kept.exists()
