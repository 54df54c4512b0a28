"""The command line. Exit codes: 0 done, 1 failed with a message of one or two lines, 2 usage.

With `--json` standard output holds one JSON document and nothing else; logs and progress always go to standard error. Prefect and
the model libraries are imported by the commands that need them only.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from contextlib import closing
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from configs.errors import ConfigError, LsifIngestError
from configs.settings import load_settings
from configs.workspace import Workspace
from flows.cli.index import add_index_commands, named_collection, print_json, print_plan
from flows.cli.search import add_search_commands
from flows.cli.termination import EXIT_CODE, Terminated, unwinding_on_sigterm
from flows.doctor.command import add_doctor_command
from flows.errors import UsageError
from flows.source.source import Source
from machine.files import atomic_writer
from machine.text import clean, counted
from search.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from configs.workspace import ProjectWorkspace

_READ_BY_SEARCH = ("paths", "storage", "search", "embedding")
"""Sections of the settings."""
_OF_DEPLOYMENTS = {
    "deploy": "run a project nightly and on merge, by a Prefect server",
    "undeploy": "remove a project's deployments and their limit; its data stay",
    "worker": "run what is scheduled in a work pool",
    "serve-flow": "deploy, and run what is scheduled, in one process without a work pool",
    "automations": "have the Prefect server report failures and end lost runs",
    "prefect-server": "start a Prefect server on this machine",
}
"""Commands of flows.cli.deploy, which is imported only for them, with their help."""
_PACKAGES = ("configs", "machine", "lsif", "embedding", "storage", "search", "flows")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), "")
    options = command_line_parser(command).parse_args(words)
    _set_up_logging(debug=options.debug)
    try:
        if command in _OF_DEPLOYMENTS:
            options.run(options)
            return 0
        branch = (
            [f"project.branch={orjson.dumps(options.branch).decode()}"]
            if getattr(options, "branch", "")
            else []
        )
        settings = load_settings(options.config, [*options.overrides, *branch])
        run: Callable[[argparse.Namespace, Workspace], None] = options.run
        run(options, Workspace(settings))
    except (UsageError, ConfigError, SearchError) as exc:
        return _fail(exc, 2, debug=options.debug)
    except LsifIngestError as exc:
        return _fail(exc, 1, debug=options.debug)
    except (KeyboardInterrupt, Terminated) as exc:
        return 130 if command in _OF_DEPLOYMENTS else _stopped(exc)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader went away; nothing is left to say
        return 1
    except (
        Exception
    ) as exc:  # a defect of this program or of a library: the type tells more than nothing
        stop = _stop_behind(exc)
        return _fail(exc, 1, debug=options.debug) if stop is None else _stopped(stop)
    return 0


def _stop_behind(exc: BaseException) -> KeyboardInterrupt | Terminated | None:
    """Return the signal that the exception came of: Prefect fails on one that comes while it begins with a task."""
    behind: BaseException | None = exc
    while behind is not None and not isinstance(behind, KeyboardInterrupt | Terminated):
        behind = behind.__cause__ or behind.__context__
    return behind


def _stopped(exc: KeyboardInterrupt | Terminated) -> int:
    by_terminal = isinstance(exc, KeyboardInterrupt)
    what = "interrupted" if by_terminal else "ended by SIGTERM"
    print(
        f"lsif-ingest: {what}; what was embedded is kept, run again to go on from there",
        file=sys.stderr,
    )
    return 130 if by_terminal else EXIT_CODE


def command_line_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line: with the arguments of one command, or of all."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of differences to configs/default.toml",
    )
    common.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change one setting",
    )
    common.add_argument("--debug", action="store_true", help="show tracebacks and debug logs")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument(
        "--json",
        action="store_true",
        help="print one JSON document on standard output and nothing else there",
    )

    parser = argparse.ArgumentParser(
        prog="lsif-ingest",
        description="Turns a Rust repository into a code-search index, and searches it.",
    )
    parser.add_argument(
        "--version", action="version", version=f"lsif-ingest {version('lsif-ingest')}"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    of_branch = argparse.ArgumentParser(add_help=False)
    of_branch.add_argument(
        "--branch",
        default="",
        metavar="NAME",
        help="branch of the project: it has an index of its own",
    )
    of_project = argparse.ArgumentParser(add_help=False, parents=[of_branch])
    of_project.add_argument(
        "--project", default="", metavar="NAME", help="index to use (default: the one made last)"
    )

    of_ref = argparse.ArgumentParser(add_help=False)
    of_ref.add_argument(
        "--ref",
        default="",
        metavar="REF",
        help="branch, tag or full commit hash of --repo, fetched into a checkout of its own",
    )
    of_ref.add_argument(
        "--subdir",
        default="",
        metavar="DIR",
        help="folder of the Cargo project inside the repository; names the project",
    )

    ingest = commands.add_parser(
        "ingest",
        parents=[common, as_json, of_branch, of_ref],
        help="index a repository, a dump or a structures.jsonl",
    )
    ingest.add_argument(
        "--repo",
        metavar="DIR|URL",
        help="Cargo project, or a git URL; rust-analyzer makes the dump (it runs build scripts)",
    )
    ingest.add_argument(
        "--dump", type=Path, metavar="FILE", help="dump made elsewhere; needs --root"
    )
    ingest.add_argument(
        "--root", type=Path, metavar="DIR", help="folder of the sources that the dump was taken of"
    )
    ingest.add_argument(
        "--structures",
        type=Path,
        metavar="FILE",
        help="structures.jsonl in the tutorial's format; no dump, no sources",
    )
    ingest.add_argument(
        "--rebuild",
        action="store_true",
        help="replace an index that was made with other models, or of another repository",
    )
    ingest.add_argument(
        "--plan",
        action="store_true",
        help="print what the run would change in the index, and do nothing",
    )
    ingest.set_defaults(run=_ingest)

    dump = commands.add_parser("dump", parents=[common, of_ref], help="run rust-analyzer only")
    dump.add_argument(
        "--repo", required=True, metavar="DIR|URL", help="Cargo project, or a git URL"
    )
    dump.add_argument(
        "-o", "--output", type=_output_path, required=True, metavar="FILE", help="the dump"
    )
    dump.set_defaults(run=_dump)

    parse = commands.add_parser(
        "parse", parents=[common, as_json], help="turn a dump into structures.jsonl"
    )
    parse.add_argument(
        "dump",
        type=Path,
        metavar="DUMP",
        help="dump, plain or packed by gzip or zstd; - is standard input",
    )
    parse.add_argument(
        "--root",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the sources that the dump was taken of",
    )
    parse.add_argument(
        "-o", "--output", type=_output_path, required=True, metavar="FILE", help="structures.jsonl"
    )
    parse.add_argument(
        "--blocks",
        type=_output_path,
        metavar="FILE",
        help="write the blocks inside structures there, too",
    )
    parse.add_argument(
        "--report", type=_output_path, metavar="FILE", help="write the ledger there as JSON"
    )
    parse.set_defaults(run=_parse)

    add_search_commands(commands, [common], as_json, of_project)

    checkpoint = commands.add_parser(
        "checkpoint", help="show or shrink the store of vectors that were made"
    )
    actions = checkpoint.add_subparsers(title="actions", required=True, metavar="ACTION")
    stats = actions.add_parser(
        "stats",
        parents=[common, as_json],
        help="show its size, and which share this data folder's records refer to",
    )
    stats.set_defaults(run=_checkpoint_stats)
    compaction = actions.add_parser(
        "compact",
        parents=[common, as_json],
        help="drop vectors that no structures.jsonl of this data folder refers to; those of the last day stay",
    )
    compaction.add_argument(
        "--shared-too",
        action="store_true",
        help="do it to the store that checkpoint.store names, too: what only other data folders or machines refer to is dropped",
    )
    compaction.set_defaults(run=_checkpoint_compact)

    add_index_commands(commands, [common, as_json], of_branch=of_branch, of_project=of_project)

    add_doctor_command(commands, [common, as_json])

    status = commands.add_parser(
        "status", parents=[common, as_json, of_branch], help="show what is indexed"
    )
    status.add_argument(
        "--project", default="", metavar="NAME", help="show this project only, with its branches"
    )
    status.set_defaults(run=_status)

    for name, text in _OF_DEPLOYMENTS.items():
        deployment = commands.add_parser(name, help=text)
        deployment.add_argument("--debug", action="store_true", help="show tracebacks")
        if command in {None, name}:
            module = import_module("flows.cli.deploy")
            getattr(module, f"add_{name.replace('-', '_')}")(deployment)
    return parser


def _output_path(text: str) -> Path:
    path = Path(text)
    if text == "-":
        raise argparse.ArgumentTypeError("records are written to a file, not to standard output")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"{text} is a folder"
            if path.is_dir()
            else f"there is no folder {path.absolute().parent}"
        )
    return path


@unwinding_on_sigterm
def _ingest(options: argparse.Namespace, workspace: Workspace) -> None:
    source = Source(
        repo=options.repo,
        ref=options.ref,
        subdir=options.subdir,
        dump=options.dump,
        root=options.root,
        structures=options.structures,
    )
    source.check()
    if options.plan:
        print_plan(options, workspace, source)
        return
    from flows.orchestration import run_ingest  # noqa: PLC0415 - see the module's docstring
    from flows.report.text import report_text  # noqa: PLC0415 - as above

    report = run_ingest(source, workspace.settings, rebuild=options.rebuild)
    if options.json:
        print_json(report.to_dict())
    else:
        command = _search_command(options, source.workspace(workspace))
        sys.stdout.write(report_text(report, command) + "\n")


def _search_command(options: argparse.Namespace, project: ProjectWorkspace) -> str:
    """Return the command that searches what this run indexed, ready to be pasted, with the settings that a search reads."""
    program = sys.argv[0] if sys.argv[0].endswith("lsif-ingest") else f"{sys.executable} -m flows"
    read = [
        override
        for override in options.overrides
        if override.partition(".")[0].strip() in _READ_BY_SEARCH
    ]
    overrides = [word for override in read for word in ("--set", override)]
    without = load_settings(None, read)
    needs_file = any(
        getattr(project.settings, section) != getattr(without, section)
        for section in _READ_BY_SEARCH
    )
    configuration = ["--config", str(options.config)] if options.config and needs_file else []
    branch = ["--branch", project.branch] if project.branch else []
    return f'{program} search "how do I ..." {shlex.join(["--project", project.project, *branch, *configuration, *overrides])}'


@unwinding_on_sigterm
def _dump(options: argparse.Namespace, workspace: Workspace) -> None:
    from flows.stages import dump_source  # noqa: PLC0415

    source = Source(repo=options.repo, ref=options.ref, subdir=options.subdir)
    source.check()
    seconds = dump_source(workspace, source, options.output)
    sys.stdout.write(
        f"{options.output}: {options.output.stat().st_size:,} bytes in {seconds:.1f} s\n"
    )


@unwinding_on_sigterm
def _parse(options: argparse.Namespace, workspace: Workspace) -> None:
    from lsif.extract import parse_dump  # noqa: PLC0415
    from lsif.ledger import SKIP_REASONS  # noqa: PLC0415

    files = [
        path.resolve()
        for path in (options.dump, options.output, options.blocks, options.report)
        if path is not None
    ]
    if len(set(files)) < len(files):
        raise UsageError("the dump, --output, --blocks and --report must be different files.")
    project = Source(dump=options.dump, root=options.root).workspace(workspace).project
    ledger = parse_dump(
        options.dump,
        options.root,
        options.output,
        project=project,
        blocks=options.blocks,
        **workspace.settings.parse.model_dump(),
    )
    if options.report is not None:
        with atomic_writer(options.report) as file:
            file.write(
                orjson.dumps(
                    ledger.to_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
                )
            )
    if options.json:
        print_json(ledger.to_dict())
        return
    lines = [
        f"{options.output}: {ledger.structures:,} structures of {ledger.definitions:,} definitions in {ledger.files_read:,} files"
    ]
    lines += [f"  {count:>8,}  {kind}" for kind, count in ledger.kinds.items()]
    lines += [
        f"  {count:>8,}  skipped, {reason}: {SKIP_REASONS[reason]}"
        for reason, count in ledger.skipped.items()
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _checkpoint_stats(options: argparse.Namespace, workspace: Workspace) -> None:
    from flows.kept_vectors import inspect_checkpoint  # noqa: PLC0415

    folders = inspect_checkpoint(workspace)
    if options.json:
        print_json([folder.to_dict() for folder in folders])
        return
    lines = [
        f"{one.vectors:>10,} vectors, {one.live / max(one.vectors, 1):>4.0%} live, {one.files} files, {one.megabytes:.1f} MB"
        f"{f', {one.set_aside} set aside' if one.set_aside else ''}  {one.model or 'unreadable'}  {one.folder}"
        for one in folders
    ]
    sys.stdout.write("\n".join(lines or ["the checkpoint is empty"]) + "\n")


def _checkpoint_compact(options: argparse.Namespace, workspace: Workspace) -> None:
    from flows.kept_vectors import compact_checkpoint  # noqa: PLC0415

    done = compact_checkpoint(workspace, shared_too=options.shared_too)
    if options.json:
        print_json(done.to_dict())
    else:
        young = (
            f"; {done.too_young:,} that nothing refers to stay, as they are of the last day"
            if done.too_young
            else ""
        )
        sys.stdout.write(f"{done.dropped:,} vectors dropped{young}\n")


def _status(options: argparse.Namespace, workspace: Workspace) -> None:
    from search.opening import connect, describe_collections  # noqa: PLC0415
    from storage.upload import require_live  # noqa: PLC0415

    wanted = named_collection(options, workspace) if options.project or options.branch else ""
    with closing(connect(workspace)) as index:
        location, collections = index.location, describe_collections(index)
        if wanted:
            collections = [one for one in collections if _is_of(one["collection"], wanted)]
            if not collections:
                require_live(index, wanted)  # says what there is instead
    if options.json:
        print_json({"location": location, "collections": collections})
        return
    if not collections:
        sys.stdout.write(
            f"Nothing is indexed at {location}. Index a repository: lsif-ingest ingest --repo DIR\n"
        )
    for one in collections:
        if "error" in one:
            sys.stdout.write(
                f"{one['collection']} at {location}\n  can't be read: {one['error']}\n"
            )
            continue
        commit = (
            f"{one['commit']}{' with changes' if one['dirty'] else ''}"
            if one["commit"]
            else "not known"
        )
        models = "\n".join(
            f"  {name:<6} {info['dimension']} dimensions, {info['description']}"
            for name, info in one["vectors"].items()
        )
        points = f"{counted(one['points'], 'structure')}, {counted(one['blocks'], 'block')}"
        sys.stdout.write(
            f"{one['collection']} at {location}\n  points {points}\n{models}\n  commit {commit}\n"
            f"  made   {one['created']} as {one['generation']}\n"
        )


def _is_of(collection: str, wanted: str) -> bool:
    """Return whether it is the wanted collection, or one of its branches'."""
    return collection == wanted or collection.startswith(f"{wanted}@")


class _OwnWords(logging.Filter):
    """Leaves the telling of progress and failures to this program: of Prefect's records only warnings and retries pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is shown."""
        return (
            not record.name.startswith("prefect")
            or record.levelno == logging.WARNING
            or "Retry" in record.getMessage()
        )


def _set_up_logging(*, debug: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    if not debug:
        handler.addFilter(_OwnWords())
        logging.getLogger("huggingface_hub").setLevel(
            logging.ERROR
        )  # what it tries in vain, the final message says
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(logging.DEBUG if debug else logging.INFO)


def _fail(exc: BaseException, code: int, *, debug: bool) -> int:
    if debug:
        logging.getLogger(__name__).error("failed", exc_info=exc)
    message = (
        " ".join(str(exc).split())
        if isinstance(exc, LsifIngestError)
        else f"{type(exc).__name__}: {exc}; --debug shows where"
    )
    print(f"lsif-ingest: {clean(message)}", file=sys.stderr)
    return code
