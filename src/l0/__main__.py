"""Run the command: ``python -m l0`` is ``l0``."""

import sys

from .cli.main import main

sys.exit(main())
