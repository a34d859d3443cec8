"""The folder of the login daemon, and the file that says that it recognized somebody."""

from pathlib import Path

STATE_DIR = Path("/var/lib/mien")
PROVEN = "proven"
