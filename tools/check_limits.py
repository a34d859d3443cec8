"""Check the size of files and functions, the top of the package, and its imports.

    python tools/check_limits.py

Prints one line for each fault, and exits with 1 if there is one. There is no list of exceptions.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 40
MAX_TOP_MODULES = 8
MAX_LATE_IMPORTS = 44
"""Imports of mien's own modules inside functions; docs/architecture.md says what they are for."""

SUFFIXES = (".py", ".c", ".h", ".js", ".css", ".html")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def main(root: Path) -> int:
    """Check the checkout at root. Returns the exit code."""
    faults = [
        *check_files(root, ("src", "tests", "tools", "benchmarks", "fuzz", "docs", "examples")),
        *check_functions(root / "src"),
        *check_top(root / "src" / "mien"),
        *check_late_imports(root / "src"),
        *check_cycles(root / "src"),
    ]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def check_files(root: Path, folders: Sequence[str]) -> Iterator[str]:
    """A fault for each source file of more than `MAX_FILE_LINES` lines."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES or "node_modules" in path.parts:
                continue
            count = len(path.read_text(encoding="utf-8").splitlines())
            if count > MAX_FILE_LINES:
                yield f"{path.relative_to(root)}: {count} lines, {MAX_FILE_LINES} at most"


def check_functions(source: Path) -> Iterator[str]:
    """A fault for each function of more than `MAX_FUNCTION_LINES` lines."""
    for path, tree in _trees(source):
        for node in ast.walk(tree):
            if not isinstance(node, FUNCTIONS):
                continue
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > MAX_FUNCTION_LINES:
                where = f"{path.relative_to(source)}:{node.lineno}"
                yield f"{where}: {node.name} has {count} lines, {MAX_FUNCTION_LINES} at most"


def check_top(package: Path) -> Iterator[str]:
    """A fault if more than `MAX_TOP_MODULES` modules lie directly in the package."""
    names = sorted(path.stem for path in package.glob("*.py"))
    if len(names) > MAX_TOP_MODULES:
        found = f"{package.name}: {len(names)} modules at the top, {MAX_TOP_MODULES} at most"
        yield f"{found}: {', '.join(names)}"


def check_late_imports(source: Path) -> Iterator[str]:
    """A fault if more than `MAX_LATE_IMPORTS` imports of mien's own stand inside functions."""
    found = late_imports(source)
    if len(found) > MAX_LATE_IMPORTS:
        yield f"{len(found)} imports of mien inside functions, {MAX_LATE_IMPORTS} at most"
        yield from (f"  {where}" for where in found)


def late_imports(source: Path) -> list[str]:
    """Each import of a module of mien inside a function: file, line and module."""
    found = []
    for path, tree in _trees(source):
        inside = {
            node
            for function in ast.walk(tree)
            if isinstance(function, FUNCTIONS)
            for node in ast.walk(function)
            if isinstance(node, ast.ImportFrom)
        }
        for node in sorted(inside, key=lambda node: node.lineno):
            if (node.module or "").split(".")[0] == "mien":
                found.append(f"{path.relative_to(source)}:{node.lineno}: {node.module}")
    return found


def check_cycles(source: Path) -> Iterator[str]:
    """A fault for each group of modules that import one another, late imports included."""
    import grimp

    sys.path.insert(0, str(source))
    try:
        graph = grimp.build_graph("mien", cache_dir=None)
    finally:
        sys.path.remove(str(source))
    below = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    # the package imports its public names when they are first used, and imports nothing itself
    below.pop("mien", None)
    for group in cycles(below):
        yield f"import cycle: {', '.join(sorted(group))}"


def cycles(below: dict[str, set[str]]) -> list[set[str]]:
    """Groups of two or more nodes that reach one another. below: node -> what it points to."""
    reached = {node: _reachable(node, below) for node in below}
    groups: list[set[str]] = []
    for node, reach in reached.items():
        group = {other for other in reach if node in reached.get(other, ())}
        if group - {node} and group not in groups:
            groups.append(group)
    return groups


def _reachable(start: str, below: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(below[start])
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(below.get(node, ()))
    return found


def _trees(source: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(source.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1]))
