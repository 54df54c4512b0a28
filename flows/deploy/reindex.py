"""The flow that deployments run: the stages of `ingest`, with names and paths as parameters.

Settings are loaded and secrets are read on the machine where it runs: neither passes through the
server. prefect.yaml says what is deployed and when it runs.
"""

from __future__ import annotations

import json
import logging
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from prefect import flow
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from pydantic import BaseModel, Field

from configs.errors import LsifIngestError
from configs.settings import Settings, load_settings
from flows.errors import FlowError
from flows.ingest import ingest
from flows.report.model import IngestReport  # noqa: TC001 - Prefect reads the flow's annotations
from flows.runners import make_task_runner
from flows.server.environment import PACKAGES
from flows.source.git_url import last_part
from flows.source.source import Source
from machine.git import git_state
from machine.secrets import secrets_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOST = r"(\[[0-9a-fA-F:.]+\]|[^/:@?#\[\]]+)(:\d+)?"
_REPOSITORY = re.compile(
    r"^([^:@?]*"  # a folder
    rf"|https://{_HOST}(/[^@?#]*)?"
    r"|file:///[^@?#]*"
    rf"|ssh://[^/:@?#]+@{_HOST}/[^@?#]*"
    r"|[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:(?!//)[^:@?#]*)$"
)
_HARMLESS = r"(?![\s\S]*(:\S*@|//\S*[@?#]|(secret|token|passw|(access|api)_?key)\w*[\"']?\s*[=:]))"
"""Excludes a text that holds the user or query of a URL, or names a secret."""


def _keys(section: type[BaseModel]) -> str:
    """Return a regular expression that matches the section's keys."""
    inner = {name: field.annotation for name, field in section.model_fields.items()}
    return "|".join(
        rf"{name}\.({_keys(kind)})"
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        else name
        for name, kind in inner.items()
    )


# The server checks parameters with these patterns before it stores a run, and its users can read
# what it stores. Pydantic's own regular expressions lack (?!...): the patterns are compiled here.
Text = Annotated[str, Field(pattern=re.compile(f"^{_HARMLESS}"))]
Repository = Annotated[str, Field(pattern=_REPOSITORY)]
"""A path or a git URL without credentials; flows.source.git_url.check_url accepts the same."""
Override = Annotated[str, Field(pattern=re.compile(rf"^\s*({_keys(Settings)})\s*={_HARMLESS}"))]
"""section.key=value with a key that exists: no secret is a setting."""
_PREFECTS_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")]


def _run_name() -> str:
    """Return the flow run's name: that of the sources, with the commit if one is a parameter."""
    parameters = flow_run.parameters
    name = parameters["project"] or last_part(parameters["repository"] or parameters["root"])
    return f"reindex-{name}" + (f"-{parameters['commit'][:12]}" if parameters["commit"] else "")


@flow(name="reindex", flow_run_name=_run_name, persist_result=False)
def reindex(  # noqa: PLR0913, PLR0917 - the parameters of deployments
    project: Text = "",
    repository: Repository = "",
    ref: Text = "",
    commit: Commit = "",
    subdir: Text = "",
    branch: Text = "",
    config: Text = "",
    overrides: list[Override] = [],  # noqa: B006 - never changed
    rebuild: bool = False,  # noqa: FBT001, FBT002 - given by name
    dump: Text = "",
    root: Text = "",
) -> IngestReport:
    """Index a repository, or a dump with its sources, as `lsif-ingest ingest` does.

    Args:
        project: Name of the index; if empty, the name of the folder or repository.
        repository: Folder or git URL, as the machine that runs it reaches it. It must hold no
            password or token: git's credential helpers know those.
        ref: Branch, tag or commit. If empty, a folder as it is, or a URL's default branch.
        commit: Full hash of the commit to index, whatever `ref` says; the run fails if it finds
            another one.
        subdir: Folder of the Cargo project inside the repository.
        branch: Branch of the project, with its own index, as in `lsif-ingest ingest --branch`.
        config: TOML file of settings, on the machine that runs it.
        overrides: Changes of settings, each section.key=value with a key of configs/default.toml.
            Secrets are no settings.
        rebuild: Replace an index that was made with other models, or from another repository.
        dump: Existing dump, instead of `repository`; needs `root`.
        root: Folder of the sources that the dump describes.
    """  # noqa: D413
    for logger in _PREFECTS_LOGGERS:
        logging.getLogger(logger).addFilter(without_traceback)
    named = {"project.name": project, "project.branch": branch}
    changes = [*overrides, *(f"{key}={json.dumps(value)}" for key, value in named.items() if value)]
    settings = load_settings(Path(config) if config else None, changes)
    given = {
        "repo": repository,
        "ref": (commit or ref) if repository else "",
        "subdir": subdir,
        "dump": dump,
        "root": root,
    }
    source = Source.model_validate({name: value for name, value in given.items() if value})
    source.check()
    if dump:
        _check_commit(commit, git_state(source.folder).commit)
    # Prefect's setting logging.extra_loggers sends their records to the server.
    for package in PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)
    runner = make_task_runner(settings.cluster, PREFECT_API_URL.value())
    # Without a task runner the stages belong to this flow's run. A running flow can't change its
    # task runner, so with one they are a flow of their own.
    run = ingest.fn if runner is None else ingest.with_options(task_runner=runner)
    with withholding_secrets():
        report: IngestReport = run(source, settings, rebuild=rebuild)
    _check_commit(commit, report.commit)
    return report


def without_traceback(record: logging.LogRecord) -> bool:
    """Remove the traceback of a failure that its message explains; keep the record.

    Prefect would log 100 lines twice.
    """
    if record.exc_info and isinstance(record.exc_info[1], LsifIngestError):
        record.exc_info = None
    return True


@contextmanager
def withholding_secrets() -> Iterator[None]:
    """Replace a failure that quotes a secret of the environment by a FlowError without it.

    The server stores the message, and sends it in notifications.
    """
    try:
        yield
    except Exception as exc:
        message = str(exc)
        harmless = without_secrets(message, secrets_of(os.environ))
        if harmless == message:
            raise
        raise FlowError(f"{type(exc).__name__}: {harmless}") from None


def _check_commit(asked: str, found: str | None) -> None:
    if asked and not (found or "").startswith(asked.lower()):
        raise FlowError(f"commit {asked} was asked for, {found or 'no commit'} was found.")
