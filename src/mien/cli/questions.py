"""Questions to whoever sits at the terminal."""

from __future__ import annotations

import sys


def ask_yes(question: str, *, default: bool) -> bool:
    """Whether the answer is y or yes. default: the answer where there is no terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        return default
    print(f"mien: {question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
