"""`python -m mien.cli`."""

import sys

from mien.cli.main import main

sys.exit(main())
