"""The end of a process: its exit code, and how much of the interpreter's clean-up it runs."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

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


def test_the_answer_is_printed_and_the_process_ends_at_once(home: Path) -> None:
    process = ended("list", "--json")
    assert process.returncode == 0
    assert process.stdout.startswith("{")
    assert "cleaned up" not in process.stdout


def test_an_error_is_printed_and_its_code_is_the_code_of_the_process(home: Path) -> None:
    process = ended("forget", "anna")
    assert process.returncode == 6
    assert process.stderr.startswith("mien: ")


def test_a_process_that_may_have_workers_ends_as_usual(home: Path) -> None:
    process = ended("list", more="import multiprocessing")
    assert process.returncode == 0
    assert process.stdout.endswith("cleaned up\n")


NO_MEMORY = "mien: out of memory; close other programs and try again"


@pytest.mark.parametrize("megabytes", [60, 100, 150, 200, 250, 300])
def test_with_little_memory_the_answer_is_one_line(
    megabytes: int, home: Path, tmp_path: Path
) -> None:
    """Each time another part of the start gets no memory; with the most there may be enough."""
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    photo, limit = str(tmp_path / "photo.png"), megabytes * 2**20
    more = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))"
    process = ended("compare", photo, photo, more=more)
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    if megabytes <= 100 or process.returncode == 70:
        assert (process.returncode, line) == (70, NO_MEMORY)
    else:
        assert (process.returncode, line[:19]) == (3, "mien: no face found")
