"""The entry point: commands by name, logging, exit codes.

Exit codes: 0 done, 1 failed (with a message of one or two lines), 2 wrong usage, 3 no test reaches
something that changed (`impact --check`), 130 interrupted by Ctrl-C, 143 ended by SIGTERM. Logs and
progress always go to standard error. Only the module of the command that is called is imported, so
that `lsif-ingest search` does not wait for Prefect.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import re
import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from configs.errors import ConfigError, LsifIngestError
from flows.cli.termination import EXIT_CODE, Terminated
from flows.errors import Untested, UsageError
from machine.text import clean
from search.errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DEPLOY = "deploy"
COMMANDS = {
    "ingest": ("ingest", "index a repository, a dump or a structures.jsonl"),
    "dump": ("dump", "make a dump with rust-analyzer, without indexing it"),
    "parse": ("parse", "turn a dump into structures.jsonl"),
    "search": ("search", "search the index"),
    "similar": ("search", "find structures that are similar to a given one"),
    "refs": ("refs", "show what refers to a structure, what it calls, implements it and tests it"),
    "impact": ("impact", "show what reaches the structures that changed, and which tests do"),
    "evaluate": ("evaluate", "measure search quality with judged queries"),
    "serve": ("serve", "serve the search page and the HTTP API"),
    "mcp": ("serve", "serve coding agents by MCP, on standard input and output"),
    "status": ("status", "show what is indexed"),
    "verify": ("index", "compare the index with the records of its last run"),
    "rollback": ("index", "switch the index back, or to any generation that is kept"),
    "remove": ("remove", "remove what killed runs left in the index"),
    "export": ("index", "write an index with its vectors to Parquet files"),
    "import": ("index", "make an index from an export, without model and sources"),
    "tune": ("tune", "train an encoder on the records of projects"),
    "checkpoint": ("checkpoint", "show or shrink the store of embedded vectors"),
    "doctor": ("doctor", "check what a run needs, and say how to get what is missing"),
    "deploy": (_DEPLOY, "have a Prefect server index a project nightly and on merge"),
    "undeploy": (_DEPLOY, "remove a project's deployments from the Prefect server; its data stays"),
    "worker": (_DEPLOY, "run what the Prefect server has scheduled"),
    "serve-flow": (_DEPLOY, "deploy a project and run what is scheduled, in one process"),
    "automations": (_DEPLOY, "have the Prefect server report failures and end lost runs"),
    "prefect-server": (_DEPLOY, "start a Prefect server on this machine"),
}
"""Each command's module in flows.cli, whose function `add_COMMAND` adds arguments, and its help."""
_FIRST_COMMANDS = (
    "ingest --repo DIR",
    'search "how do I ..."',
    "serve",
    "status",
    "doctor --repo DIR",
)
"""What a newcomer needs, with the arguments that each must have."""
_ASKING = frozenset({"-h", "--help", "--version"})
"""Options that need no command."""
_TAKES_ANY_PATH = ("dump", "parse")
"""Commands whose files may have names of any bytes; what others name is stored as text."""
_PACKAGES = ("configs", "machine", "lsif", "embedding", "storage", "search", "flows")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), "")
    if refusal := _refusal(words, command):
        print(refusal, file=sys.stderr)
        return 2
    options = command_line_parser(command).parse_args(words)
    _set_up_logging(debug=options.debug)
    try:
        run: Callable[[argparse.Namespace], None] = options.run
        run(options)
    except (UsageError, ConfigError, SearchError) as exc:
        return _fail(exc, 2, debug=options.debug)
    except LsifIngestError as exc:
        return _fail(exc, 3 if isinstance(exc, Untested) else 1, debug=options.debug)
    except (KeyboardInterrupt, Terminated) as exc:
        return _stopped(exc, command)
    except BrokenPipeError:  # the reader went away; there is no one left to report to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as exc:
        return _fail(exc, 2 if exc.errno == errno.ENAMETOOLONG else 1, debug=options.debug)
    except Exception as exc:  # a defect of this program or of a library
        stop = _stop_behind(exc)
        return _fail(exc, 1, debug=options.debug) if stop is None else _stopped(stop, command)
    return 0


def command_line_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line: with the arguments of one command, or of all."""
    parser = argparse.ArgumentParser(
        prog="lsif-ingest",
        description="Turns a Rust repository into a code-search index, and searches it.",
        epilog="`lsif-ingest COMMAND --help` explains a command and its options.",
    )
    parser.add_argument(
        "--version", action="version", version=f"lsif-ingest {version('lsif-ingest')}"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        own = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if command in {None, name}:
            loaded = import_module(f"flows.cli.{module}")
            getattr(loaded, f"add_{name.replace('-', '_')}")(own)
    return parser


def _refusal(words: list[str], command: str) -> str:
    """Return why the words are no call of the program, "" if they may be one."""
    if command not in COMMANDS and (command or not _ASKING.intersection(words)):
        return clean(_shortened(_no_command(command)))
    if command not in _TAKES_ANY_PATH and (word := next(filter(_is_no_text, words), "")):
        return f"lsif-ingest: {_no_text(word)}"
    return ""


def _no_command(word: str) -> str:
    """Return what to do instead of calling the program without a command, or with an unknown one.

    >>> _no_command("x")
    "lsif-ingest: there is no command 'x'. `lsif-ingest --help` lists all."
    """
    if word:
        close = get_close_matches(word, COMMANDS, n=2)
        meant = f"; did you mean {' or '.join(close)}?" if close else "."
        return f"lsif-ingest: there is no command {word!r}{meant} `lsif-ingest --help` lists all."
    lines = [
        f"  lsif-ingest {name:<28}  {COMMANDS[name.split()[0]][1]}" for name in _FIRST_COMMANDS
    ]
    rest = "`lsif-ingest --help` lists all commands, `lsif-ingest COMMAND --help` explains one."
    return "\n".join(["Name a command, such as", *lines, rest])


def _stop_behind(exc: BaseException) -> KeyboardInterrupt | Terminated | None:
    """Return the signal that caused the exception: Prefect fails if one comes as a task starts."""
    cause: BaseException | None = exc
    while cause is not None and not isinstance(cause, KeyboardInterrupt | Terminated):
        cause = cause.__cause__ or cause.__context__
    return cause


def _stopped(exc: KeyboardInterrupt | Terminated, command: str) -> int:
    by_terminal = isinstance(exc, KeyboardInterrupt)
    if COMMANDS[command][0] != _DEPLOY:
        what = "interrupted" if by_terminal else "ended by SIGTERM"
        saved = (
            "the state of some minutes ago is" if command == "tune" else "finished embeddings are"
        )
        print(f"lsif-ingest: {what}; {saved} saved, run again to resume", file=sys.stderr)
    return 130 if by_terminal else EXIT_CODE


_LONGEST_WORD = 300
"""Characters of a word that a message shows whole; no path is that long by accident."""


def _shortened(text: str) -> str:
    """Return the text with very long words cut short."""
    return re.sub(
        rf"\S{{{_LONGEST_WORD},}}", lambda word: f"{word[0][:100]}... ({len(word[0]):,})", text
    )


def _is_no_text(word: str) -> bool:
    """Return whether the word has bytes that are not UTF-8, which Python makes surrogates."""
    return not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word)


def _no_text(word: str) -> str:
    """Return what to say of an argument that is not UTF-8."""
    shown = _shortened(os.fsencode(word).decode("utf-8", "backslashreplace"))
    return f"the argument '{clean(shown)}' is not UTF-8."


_QUEUES_OF_PREFECT = ("APILogWorker", "EventsWorker")
"""They warn, on a busy machine, that sending what is left takes a few seconds."""


class _WithoutProgress(logging.Filter):
    """Hides Prefect's reports of progress and failure, which this program makes itself.

    Warnings and retries pass.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is shown."""
        if record.name in _QUEUES_OF_PREFECT:
            return False
        return (
            not record.name.startswith("prefect")
            or record.levelno == logging.WARNING
            or "Retry" in record.getMessage()
        )


def _set_up_logging(*, debug: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    if not debug:
        handler.addFilter(_WithoutProgress())
        # The final message says what it failed to find. The library sets its level at its import.
        os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    logging.getLogger("huggingface_hub").propagate = False  # it has a handler of its own
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(logging.DEBUG if debug else logging.INFO)


def _fail(exc: BaseException, code: int, *, debug: bool) -> int:
    if debug:
        logging.getLogger(__name__).error("failed", exc_info=exc)
    message = (
        " ".join(str(exc).split())
        if isinstance(exc, LsifIngestError)
        else f"{_shortened(str(exc.filename))}: no path is that long."
        if isinstance(exc, OSError) and exc.errno == errno.ENAMETOOLONG
        else f"{type(exc).__name__}: {exc}; --debug shows where"
    )
    print(f"lsif-ingest: {clean(_shortened(message))}", file=sys.stderr)
    return code
