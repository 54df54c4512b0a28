"""Finding the Prefect server that environment and files name, without importing Prefect."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows.server.environment import prefect_home, server_may_be_named

URL = "http://127.0.0.1:4200/api"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [variable for variable in os.environ if variable.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)


def test_nothing_names_a_server(tmp_path: Path) -> None:
    assert prefect_home() == tmp_path / "home"
    assert not server_may_be_named()


def test_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "")
    assert not server_may_be_named()
    monkeypatch.setenv("PREFECT_API_URL", URL)
    assert server_may_be_named()


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("home/profiles.toml", f'active = "a"\n[profiles.a]\nPREFECT_API_URL = "{URL}"\n', True),
        (
            "home/profiles.toml",
            (
                'active = "ephemeral"\n[profiles.ephemeral]\n'
                'PREFECT_SERVER_ALLOW_EPHEMERAL_MODE = "true"\n'
            ),
            False,
        ),
        ("home/profiles.toml", "active = \n", True),  # Prefect has to say what is wrong
        (".env", f"PREFECT_API_URL={URL}\n", True),
        (".env", "QDRANT_URL=http://127.0.0.1\n", False),
        ("prefect.toml", f'[api]\nurl = "{URL}"\n', True),
        ("prefect.toml", '[logging]\nlevel = "INFO"\n', False),
        ("pyproject.toml", f'[tool.prefect]\napi.url = "{URL}"\n', True),
        ("pyproject.toml", f'[tool.other]\napi.url = "{URL}"\n', False),
    ],
)
def test_a_file_names_it(file: str, content: str, named: bool, tmp_path: Path) -> None:
    (tmp_path / file).write_text(content)
    assert server_may_be_named() is named


def test_profiles_may_lie_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(f'[profiles.a]\nPREFECT_API_URL = "{URL}"\n')
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "mine.toml"))
    assert server_may_be_named()
