"""`python -m mien`."""

import sys

from mien.cli.parser import main

sys.exit(main())
