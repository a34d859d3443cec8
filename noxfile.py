"""What is checked, one session each. `.ci/run` runs them in its own environment, with --no-venv.

nox -s lint
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests", "docs"]
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TORCH = "torch==2.13.0"
TORCH_TESTS = (
    *("tests/nets", "tests/models/build", "tests/models/test_embedders.py"),
    *("tests/models/test_add.py", "tests/lab/test_datasets.py", "tests/train"),
)
IMPORTS_TESTS = ("tests/system", "tests/matching", "tests/metrics", "tests/test_results.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Lint, format, types, layers, limits. With torch: mypy looks into its classes."""
    _install(session, "-e", ".[test]", TORCH)
    for command in ("ruff check .", "ruff format --check .", "mypy", "lint-imports"):
        session.run(*command.split())
    session.run("python", "tools/check_limits.py")


@nox.session
def page_lint(session: nox.Session) -> None:
    """Lint of the page's JavaScript; needs npm."""
    npm = ("npm", "ci", "--prefix", "tools/page_lint", "--no-audit", "--no-fund")
    session.run(*npm, external=True)
    eslint = "tools/page_lint/node_modules/.bin/eslint"
    config = ("--config", "tools/page_lint/eslint.config.js")
    session.run(eslint, "--max-warnings", "0", *config, "src/mien/web/page", external=True)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, on the wheel as it is installed."""
    _install(session, ".[test]")
    session.run("python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """The tests on the lowest versions that pyproject.toml allows; needs uv."""
    _install(session, "uv")
    session.run("uv", "pip", "install", "--resolution", "lowest-direct", ".[test]")
    session.run("python", "-m", "pytest", "-n", "auto", "--dist", "worksteal", *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """Everything imports, and the library works: also on macOS and Windows."""
    _install(session, ".[test]")
    session.run("python", "-m", "pytest", *IMPORTS_TESTS)


@nox.session
def torch(session: nox.Session) -> None:
    """The tests that need torch."""
    _install(session, ".[test]", TORCH)
    one_thread = {"OMP_NUM_THREADS": "1"}  # each of the processes has a core
    session.run("python", "-m", "pytest", "-n", "auto", *TORCH_TESTS, env=one_thread)


@nox.session
def docs(session: nox.Session) -> None:
    """The site of documents into site/, with warnings as errors, and its pictures drawn anew."""
    _install(session, ".[test]", *nox.project.dependency_groups(_PROJECT, "docs"))
    session.run("python", "-m", "pytest", "tests/docs")
    session.run("python", "-m", "mkdocs", "build", "--strict", "--quiet")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "docs/pictures.py", folder)
        for picture in Path(folder).iterdir():
            shutil.copy(picture, Path("site", "images", picture.name))


_PROJECT = nox.project.load_toml("pyproject.toml")


def _install(session: nox.Session, *what: str) -> None:
    """With --no-venv the environment has everything already."""
    if session.virtualenv.is_sandboxed:
        session.install(*what)
