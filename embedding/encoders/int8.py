"""The texts that int8 is calibrated on: renderings of the sample repository by both default recipes, one JSON string a line."""

from __future__ import annotations

import hashlib
from pathlib import Path

CALIBRATION = Path(__file__).with_name("calibration.jsonl")

INT8 = f"int8-{hashlib.sha256(b'1' + CALIBRATION.read_bytes()).hexdigest()[:8]}"
"""The class of precision, as a fingerprint names it: other texts, or another rule of what is quantised, give other vectors."""
