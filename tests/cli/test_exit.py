"""The end of a process: its exit code, and how much of the interpreter's clean-up it runs."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
{more}
from mien.cli.main import run
atexit.register(print, "cleaned up")
sys.argv = ["mien", *{arguments!r}]
run()
"""


def ended(*arguments: str, more: str = "") -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(more=more, arguments=arguments)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_the_answer_is_printed_and_the_process_ends_at_once():
    process = ended("list", "--json")
    assert process.returncode == 0
    assert process.stdout.startswith("{")
    assert "cleaned up" not in process.stdout


def test_an_error_is_printed_and_its_code_is_the_code_of_the_process():
    process = ended("forget", "anna")
    assert process.returncode == 6
    assert process.stderr.startswith("mien: ")


def test_a_process_that_may_have_workers_ends_as_usual():
    process = ended("list", more="import multiprocessing")
    assert process.returncode == 0
    assert process.stdout.endswith("cleaned up\n")
