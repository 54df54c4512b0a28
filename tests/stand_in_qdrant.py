#!/usr/bin/env python3
"""Stands in for Qdrant's program: serves the double on the port that the environment names."""

from __future__ import annotations

import os
import signal
import sys
import threading

from qdrant_double import QdrantDouble


def main() -> None:
    """Serve until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    double = QdrantDouble()
    double._port = int(os.environ["QDRANT__SERVICE__HTTP_PORT"])
    with double:
        ended.wait()


if __name__ == "__main__":
    sys.exit(main())
