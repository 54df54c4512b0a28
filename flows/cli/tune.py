"""`lsif-ingest tune`: trains an encoder or a reranker on the records of projects."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from embedding.tuning.kinds import KINDS
from flows.cli.arguments import add_json, add_settings, whole_number, workspace_of
from flows.cli.output import print_result
from flows.errors import FlowError, UsageError
from machine.text import counted

if TYPE_CHECKING:
    from collections.abc import Collection

    from embedding.tuning.kinds import Kind
    from flows.stages.tune import TuneReport

_NEEDED = ("accelerate", "datasets")
"""What only the extra installs."""
_LONGEST_MINUTES = 100_000
_BATCH, _RERANKED_BATCH = 96, 16
"""Pairs in a batch. A reranker reads each question with eight items, so it takes fewer."""


def add_tune(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tune`."""
    _add_files(parser)
    _add_models(parser)
    _add_training(parser)
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_tune)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "structures",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="records to learn from: a structures.jsonl for each project",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the new model"
    )
    parser.add_argument(
        "--queries",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="judged queries to learn from, in the form that `evaluate` reads; with records of "
        'several projects, each needs a "project"; may be repeated',
    )
    parser.add_argument(
        "--kind",
        dest="kinds",
        choices=KINDS,
        action="append",
        default=[],
        help="kind of pairs to learn from; may be repeated (default: all)",
    )
    parser.add_argument(
        "--history",
        action="store_true",
        help="learn the subjects of commits, too, of git repositories that `ingest` has indexed",
    )
    parser.add_argument(
        "--exclude",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="records whose code, and copies of it, must not be learned; may be repeated",
    )
    parser.add_argument(
        "--about",
        type=Path,
        metavar="FILE",
        help="what the model's card says of projects: a JSON list of "
        '{"name", "version", "licence", "repository", "commit"}',
    )


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reranker",
        action="store_true",
        help="train a cross-encoder, which reorders the first hits (search.rerank.model)",
    )
    parser.add_argument(
        "--base",
        type=_model,
        default="packaged:rust-code",
        metavar="MODEL",
        help="encoder to begin with, as embedding.text.model names it (default: %(default)s)",
    )
    parser.add_argument(
        "--teacher",
        type=_model,
        metavar="MODEL",
        help="model whose vectors the new one learns, such as one with more layers",
    )
    parser.add_argument(
        "--layers",
        type=whole_number(1, 1000),
        default=0,
        metavar="N",
        help="how many layers of the base to keep, the first one and the last ones; fewer are "
        "faster (default: all)",
    )
    parser.add_argument(
        "--float16",
        action="store_true",
        help="write the weights as float16: the folder takes half the space",
    )
    parser.add_argument(
        "--mix",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="share of the base's weights in the new model, 0 to 1 (default: 0)",
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes",
        type=_minutes,
        default=60,
        metavar="M",
        help="about how long to train (default: %(default)g)",
    )
    length.add_argument(
        "--steps",
        type=whole_number(1, 100_000_000),
        default=0,
        metavar="N",
        help="batches to train, instead of a time",
    )
    parser.add_argument(
        "--batch",
        type=whole_number(2, 65_536),
        default=0,
        metavar="N",
        help=f"pairs in a batch (default: {_BATCH}; with --reranker {_RERANKED_BATCH})",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=6e-5,
        metavar="R",
        help="highest learning rate (default: 6e-5)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=0,
        metavar="N",
        help="seed of all that is random (default: 0)",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where to train (default: a GPU if there is one)",
    )


def _tune(options: argparse.Namespace) -> None:
    """Train a model. Raises UsageError, FlowError, ModelError or what reading records raises."""
    if options.reranker and (options.teacher or options.mix):
        raise UsageError("--teacher and --mix are for encoders; leave them out with --reranker.")
    _require_both("query", options.kinds, "--queries FILE", is_given=bool(options.queries))
    _require_both("commit", options.kinds, "--history", is_given=options.history)
    from flows.doctor.packages import install_extra  # noqa: PLC0415 - with the next a second

    if not all(map(find_spec, _NEEDED)):
        raise FlowError(f"training needs more packages. Install them: {install_extra('tune')}")
    from embedding.tuning.settings import TuneSettings  # noqa: PLC0415
    from flows.stages.material import Material  # noqa: PLC0415
    from flows.stages.tune import model_source, tune  # noqa: PLC0415

    configured = workspace_of(options).settings.embedding.text
    teacher = options.teacher
    settings = TuneSettings(
        base=model_source(configured, options.base),
        reranker=options.reranker,
        teacher=model_source(configured, teacher) if teacher else None,
        steps=options.steps,
        minutes=options.minutes,
        layers=options.layers,
        batch=options.batch or (_RERANKED_BATCH if options.reranker else _BATCH),
        rate=options.rate,
        float16=options.float16,
        mix=options.mix,
        seed=options.seed,
        device=options.device,
    )
    material = Material(
        records=options.structures,
        queries=options.queries,
        kinds=options.kinds or KINDS,
        history=options.history,
        excluded=options.exclude,
        about=options.about,
    )
    report = tune(material, settings, options.output)
    use = f"search ... --set search.rerank.model={report.folder}"
    if not options.reranker:
        vectors = (f"--set embedding.{name}.model={report.folder}" for name in ("text", "code"))
        use = f"ingest ... --rebuild {' '.join(vectors)}"
    print_result(report.to_dict(), _text(report, use), as_json=options.json)


def _require_both(kind: Kind, kinds: Collection[Kind], option: str, *, is_given: bool) -> None:
    """Raise UsageError if the kinds name this one without the option that it needs, or lack it.

    No kinds stand for all.
    """
    if is_given and kinds and kind not in kinds:
        raise UsageError(f"{option} has no use without --kind {kind}; give both or neither.")
    if kind in kinds and not is_given:
        raise UsageError(f"--kind {kind} needs {option}.")


def _text(report: TuneReport, use: str) -> str:
    scores = [
        f"{kind} {report.tuned.before[kind].reciprocal_rank:.3f} -> {after.reciprocal_rank:.3f}"
        for kind, after in report.tuned.after.items()
    ]
    ranks = ", ".join(scores) or "not scored"
    if _is_worse(report):
        use = f"{use}\nIt is worse than before: train longer, or on more, or with a lower --rate."
    return (
        f"{report.folder}: {counted(report.tuned.steps, 'step')} on "
        f"{counted(sum(report.pairs.values()), 'pair')} of {counted(report.projects, 'project')}\n"
        f"Mean reciprocal rank of what was held back: {ranks}\n"
        f"Use it: lsif-ingest {use}"
    )


def _is_worse(report: TuneReport) -> bool:
    """Return whether all scores are lower than before the training."""
    before, after = report.tuned.before, report.tuned.after
    lower = [after[kind].reciprocal_rank < before[kind].reciprocal_rank for kind in after]
    return bool(lower) and all(lower)


def _model(text: str) -> str:
    """Return the name of a model. Raises ArgumentTypeError if it is empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected the name of a model, found nothing")
    return text


def _minutes(text: str) -> float:
    """Return a time from a second to a few weeks. Raises ArgumentTypeError."""
    return _number(text, 1 / 60, _LONGEST_MINUTES)


def _rate(text: str) -> float:
    """Return a learning rate, 1e-9 to 1. Raises ArgumentTypeError."""
    return _number(text, 1e-9, 1)


def _share(text: str) -> float:
    """Return a share, 0 to 1. Raises ArgumentTypeError."""
    return _number(text, 0, 1)


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:  # neither is nan
        raise argparse.ArgumentTypeError(
            f"expected a number from {least:.2g} to {most:g}, found {text!r}"
        )
    return number
