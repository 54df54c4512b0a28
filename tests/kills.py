"""How often a test kills what it tests at a random moment. `make test-kills` does it more often."""

from __future__ import annotations

import os

KILLS = int(os.environ.get("KILLS", "8"))
