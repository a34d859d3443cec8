"""Flags of `os.open` that not every system has; 0 where it has none."""

from __future__ import annotations

import os

CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for its writer
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
NO_TERMINAL = getattr(os, "O_NOCTTY", 0)
BINARY = getattr(os, "O_BINARY", 0)  # Windows would change the ends of lines
UNNAMED = getattr(os, "O_TMPFILE", 0)

READ = os.O_RDONLY | NO_WAIT | CLOSE_ON_EXEC | BINARY
"""To read a file that may turn out to be a pipe."""
