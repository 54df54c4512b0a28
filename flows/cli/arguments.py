"""Arguments that several commands take, and the workspace that they describe."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from configs.settings import load_settings
from configs.workspace import Workspace, collection_name, project_name
from flows.errors import UsageError
from machine.processors import compute_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.index import Index


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add --debug."""
    parser.add_argument("--debug", action="store_true", help="show tracebacks and debug messages")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add --config, --set and --debug."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of settings that differ from configs/default.toml",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change one setting; may be repeated",
    )
    add_debug(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the result as one JSON document on standard output",
    )


def add_project(
    parser: argparse.ArgumentParser, default: str = "the name of the folder or repository"
) -> None:
    """Add --project of commands that make or check an index; `default` is for the help."""
    parser.add_argument(
        "--project",
        default="",
        metavar="NAME",
        help=f"name of the project and its index (default: {default})",
    )


def add_branch(parser: argparse.ArgumentParser) -> None:
    """Add --branch."""
    parser.add_argument(
        "--branch",
        default="",
        metavar="NAME",
        help="branch of the project; each branch has its own index",
    )


def add_index(
    parser: argparse.ArgumentParser,
    text: str = "project whose index to use (default: the one indexed last)",
) -> None:
    """Add --project and --branch of commands that use an index."""
    parser.add_argument(
        "--project",
        type=_known_project,
        default="",
        metavar="NAME",
        help=text,
    )
    add_branch(parser)


def add_ref(parser: argparse.ArgumentParser) -> None:
    """Add --ref and --subdir."""
    parser.add_argument(
        "--ref",
        default="",
        metavar="REF",
        help="branch, tag or full commit hash of --repo, fetched into a separate checkout",
    )
    parser.add_argument(
        "--subdir",
        default="",
        metavar="DIR",
        help="folder of the Cargo project inside the repository; the project takes its name",
    )


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return an argument type: whole numbers from `least` to `most`, both inclusive."""

    def parse(text: str) -> int:
        number = int(text) if text.isdecimal() else -1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"expected a number from {least} to {most}, found {text!r}"
            )
        return number

    return parse


def output_path(text: str) -> Path:
    """Return the path of a file to write. Raises ArgumentTypeError if it can't be one."""
    path = Path(text)
    if text == "-":
        raise argparse.ArgumentTypeError("expected a file; standard output can't be used here")
    try:
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{text} is a folder")
        if not path.absolute().parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {path.absolute().parent}")
    except OSError as exc:
        raise argparse.ArgumentTypeError(f"{text[:100]}...: {exc.strerror}") from exc
    return path


def workspace_of(options: argparse.Namespace) -> Workspace:
    """Return the workspace of a command, which computes with the threads of its settings.

    Raises ConfigError, or UsageError if an option and --set contradict each other.
    """
    overrides = list(options.overrides)
    for text in (*overrides, options.project if "project" in options else ""):
        if not text.isascii() and text != text.encode("utf-8", "replace").decode("utf-8"):
            raise UsageError(f"expected UTF-8 in options and settings, found {text!r}.")
    named = {override.partition("=")[0].strip() for override in overrides}
    for option in ("project", "branch"):
        value = getattr(options, option, "")
        if not value:
            continue
        key = "name" if option == "project" else option
        if f"project.{key}" in named:
            by_set = getattr(load_settings(options.config, overrides).project, key)
            if by_set != value:
                raise UsageError(
                    f"--{option} says {value!r}, --set project.{key} says {by_set!r}: "
                    f"leave one of them out."
                )
        overrides.append(f"project.{key}={orjson.dumps(value).decode()}")
    settings = load_settings(options.config, overrides)
    compute_with(settings.embedding.threads)
    return Workspace(settings)


def named_collection(workspace: Workspace) -> str:
    """Return the collection that options and settings name, "" if they name none."""
    configured = workspace.settings.project
    if not configured.name and configured.branch:
        raise UsageError("--branch also needs the project: add --project NAME.")
    return collection_name(configured.name, configured.branch)


def chosen_collection(workspace: Workspace, index: Index | None = None) -> str:
    """Return the named collection, else the one that was published last."""
    from search.published import choose_collection, connect  # noqa: PLC0415 - 0.2 s

    wanted = named_collection(workspace)
    if index is not None:
        return choose_collection(index, wanted)
    with closing(connect(workspace)) as opened:
        return choose_collection(opened, wanted)


def _known_project(text: str) -> str:
    """Return the project that was indexed under this name: a folder's name may need changes."""
    return project_name(text) if text else ""
