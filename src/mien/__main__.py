"""`python -m mien`."""

from mien.cli.main import run

run()
