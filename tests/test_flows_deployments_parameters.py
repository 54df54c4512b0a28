"""A deployment's parameters, checked as the Prefect server does before it stores a run."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import is_valid
from pydantic import TypeAdapter, ValidationError

from configs.settings import DEFAULT_CONFIG
from flows.deploy.reindex import Override, Repository, reindex
from flows.errors import UsageError
from flows.source.git_url import check_url, is_url

SCHEMA = parameter_schema(reindex).model_dump_for_openapi()
HIDDEN = "secret-key-0451"


def is_stored(**parameters: Any) -> bool:
    return is_valid(parameters, SCHEMA)


@pytest.mark.parametrize(
    "repository",
    [
        f"https://example.org/x?private_token={HIDDEN}",
        f"https://example.org?private_token={HIDDEN}",
        f"https://example.org/x#{HIDDEN}",
        f"https://example.org/x/me:{HIDDEN}@y",
        f"https://me:{HIDDEN}@example.org/x",
        f"https://me:to/{HIDDEN}@example.org/x",
        f"https://{HIDDEN}@example.org/x",
        f"http://me:{HIDDEN}@example.org/x",
        f"http://example.org/x?tok={HIDDEN}",
        f"ssh://git@example.org/x?private_token={HIDDEN}",
        f"ssh://git@example.org?private_token={HIDDEN}/x",
        f"ssh://git:{HIDDEN}@example.org/x",
        f"ssh://git@example.org:{HIDDEN}/x",
        f"file:///srv/x?tok={HIDDEN}",
        f"git@example.org:x?tok={HIDDEN}",
        f"me:{HIDDEN}@example.org:x",
        f"example.org/x?tok={HIDDEN}",
    ],
)
def test_a_repository_with_a_secret_is_stored_nowhere_and_shown_nowhere(repository: str) -> None:
    assert not is_stored(repository=repository)
    with pytest.raises(ValidationError):
        TypeAdapter(Repository).validate_python(repository)
    if is_url(repository):
        with pytest.raises(UsageError) as raised:
            check_url(repository)
        assert HIDDEN not in str(raised.value)


@pytest.mark.parametrize(
    "repository",
    [
        "",
        "/srv/my repo #2",
        "../repo",
        "https://example.org",
        "https://example.org:8443/team/repo.git",
        "https://[::1]:8443/~me/repo%40v1.git",
        "ssh://git@example.org:2222/team/repo.git",
        "file:///srv/repo.git",
        "git@example.org:team/repo.git",
    ],
)
def test_a_repository_without_a_secret_is_taken(repository: str) -> None:
    assert is_stored(repository=repository)
    assert TypeAdapter(Repository).validate_python(repository) == repository
    if is_url(repository):
        check_url(repository)


@pytest.mark.parametrize(
    "override",
    [
        f"checkpoint.store=s3://AKIA:{HIDDEN}@b",
        f'checkpoint.store="s3://AKIA:{HIDDEN}@b/p"',
        f'checkpoint={{store="s3://AKIA:{HIDDEN}@b"}}',
        f"checkpoint.store=s3://b/p?access_key=AKIA&secret_key={HIDDEN}",
        f"checkpoint.store=b secret_key={HIDDEN}",
        f"cluster.scheduler=tcp://me:{HIDDEN}@10.0.0.7:8786",
        f"storage.api_key={HIDDEN}",
        f"qdrant.url=https://me:{HIDDEN}@example.org",
        f"QDRANT_API_KEY={HIDDEN}",
        f"storage={{api_key='{HIDDEN}'}}",
        f"project.name=x\nstorage.retry_s=https://me:{HIDDEN}@example.org",
        HIDDEN,
    ],
)
def test_an_override_with_a_secret_is_stored_nowhere(override: str) -> None:
    assert not is_stored(overrides=["project.name=x", override])
    with pytest.raises(ValidationError):
        TypeAdapter(Override).validate_python(override)


def test_every_setting_may_be_overridden() -> None:
    def leaves(table: dict[str, Any], prefix: str = "") -> list[str]:
        found: list[str] = []
        for name, value in table.items():
            inside = isinstance(value, dict) and value  # an empty table is a value
            found += leaves(value, f"{prefix}{name}.") if inside else [f"{prefix}{name}={value}"]
        return found

    assert is_stored(overrides=leaves(tomllib.loads(DEFAULT_CONFIG.read_text())))
    assert is_stored(
        overrides=[
            "checkpoint.store=s3://bucket/prefix",
            "cluster.scheduler=tcp://10.0.0.7:8786",
            "cluster.resources={ GPU = 1 }",
            "paths.data=/srv/me@work/data",
            'embedding.code.query_prompt="query: what is it?"',
            "embedding.text.max_tokens = 64",
        ]
    )


@pytest.mark.parametrize("name", ["project", "ref", "subdir", "branch", "config", "dump", "root"])
def test_no_other_parameter_holds_an_address_with_a_secret(name: str) -> None:
    assert not is_stored(**{name: f"https://me:{HIDDEN}@example.org/x"})
    assert not is_stored(**{name: f"https://example.org/x?token={HIDDEN}"})
    assert is_stored(**{name: "feature/#12-me@work"})
