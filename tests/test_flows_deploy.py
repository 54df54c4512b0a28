"""What `python -m flows.deploy` prepares, without a Prefect server."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from prefect.utilities.templating import apply_values

from flows import deploy


def template(**env: str) -> dict[str, Any]:
    return {"job_configuration": {"env": "{{ env }}"}, "variables": {"properties": {"env": {"type": "object", "default": env}}}}


def test_secrets_of_the_worker_reach_containers_and_not_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "secret-of-the-worker-0451")
    monkeypatch.delenv("QDRANT_URL", raising=False)
    stored = deploy.with_environment_of_worker(template())["variables"]["properties"]["env"]["default"]
    assert stored == {"QDRANT_URL": "{{ $QDRANT_URL }}", "QDRANT_API_KEY": "{{ $QDRANT_API_KEY }}"}
    # As Prefect's worker fills it in.
    assert apply_values(stored, {}) == {"QDRANT_URL": "", "QDRANT_API_KEY": "secret-of-the-worker-0451"}


def test_a_pools_own_environment_stays() -> None:
    own = template(QDRANT_URL="http://qdrant:6333", AWS_PROFILE="{{ $AWS_PROFILE }}")
    once = deploy.with_environment_of_worker(own)
    assert once["variables"]["properties"]["env"]["default"] == {
        "QDRANT_URL": "http://qdrant:6333",
        "QDRANT_API_KEY": "{{ $QDRANT_API_KEY }}",
        "AWS_PROFILE": "{{ $AWS_PROFILE }}",
    }
    assert deploy.with_environment_of_worker(once) == once
    assert own == template(QDRANT_URL="http://qdrant:6333", AWS_PROFILE="{{ $AWS_PROFILE }}")


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
