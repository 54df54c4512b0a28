"""What `python -m flows.deploy` prepares, without a Prefect server."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from flows import deploy


def test_a_worker_that_a_script_starts_in_the_background_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends itself SIGINT on SIGTERM; a shell without job control has its background jobs ignore that."""
    found: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda _program, _arguments: found.append(signal.getsignal(signal.SIGINT)))
    monkeypatch.setattr(deploy, "_require_server", lambda: None)
    monkeypatch.setattr(deploy, "set_prefect_defaults", lambda: None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert deploy.main(["worker"]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [signal.SIG_DFL]
