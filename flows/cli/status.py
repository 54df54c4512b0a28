"""`lsif-ingest status`: what is indexed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from flows.cli.arguments import (
    add_index,
    add_json,
    add_settings,
    named_collection,
    workspace_of,
)
from flows.cli.output import print_result
from flows.errors import UsageError
from flows.report.coverage import analysis_text, definitions_text, files_text, folder_texts
from machine.disk import existing
from machine.text import counted

if TYPE_CHECKING:
    import argparse

    from lsif.coverage import Coverage
    from search.published import CollectionInfo
    from storage.generations import GenerationInfo


def add_status(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `status`."""
    add_index(parser, "project to show, with its branches (default: all projects)")
    parser.add_argument(
        "--generations", action="store_true", help="also show the generations that are kept"
    )
    add_settings(parser)
    add_json(parser)
    parser.set_defaults(run=_status)


def _status(options: argparse.Namespace) -> None:
    from search.published import connect, describe_collections  # noqa: PLC0415 - 0.2 s
    from storage.live import require_live  # noqa: PLC0415 - with the above

    workspace = workspace_of(options)
    if not (nearest := existing(workspace.data)).is_dir():
        raise UsageError(f"{nearest} is no folder. Choose another: --set paths.data=DIR")
    wanted = named_collection(workspace) if options.project or options.branch else ""
    with closing(connect(workspace)) as index:
        location = index.location
        collections = describe_collections(index, generations=options.generations)
        unfinished = index.unfinished()
        if wanted:
            collections = [each for each in collections if _is_of(each.collection, wanted)]
            unfinished = [each for each in unfinished if _is_of(each.collection, wanted)]
            if not collections:
                require_live(index, wanted)  # says what exists instead
    text = "\n".join(_text(each, location) for each in collections) or (
        f"Nothing is indexed at {location}. Index a repository: lsif-ingest ingest --repo DIR"
    )
    document = {
        "location": location,
        "collections": [each.to_dict() for each in collections],
        "unfinished": [{"collection": each.collection, **each.to_dict()} for each in unfinished],
    }
    text = "\n".join([text, *map(_unfinished_text, unfinished)])
    print_result(document, text, as_json=options.json)


def _text(info: CollectionInfo, location: str) -> str:
    head, metadata = f"{info.collection} at {location}\n", info.metadata
    if metadata is None:
        return f"{head}  can't be read: {info.error}"
    changes = " with changes" if metadata.dirty else ""
    commit = f"{metadata.commit}{changes}" if metadata.commit else "unknown"
    models = "".join(
        f"  {name:<6} {vector.dimension} dimensions, {vector.description}\n"
        for name, vector in metadata.vectors.items()
    )
    return (
        f"{head}"
        f"  points {counted(info.points, 'structure')}, {counted(metadata.blocks, 'block')}\n"
        f"{_coverage_lines(metadata.coverage)}"
        f"{models}"
        f"  commit {commit}\n"
        f"  made   {metadata.created} as {info.generation}"
        f"{_generation_lines(info.generations)}"
    )


def _generation_lines(generations: list[GenerationInfo] | None) -> str:
    """Return a line for each generation that is live or can be; each begins with a line feed."""
    lines = []
    for each in generations or []:
        metadata = each.metadata
        if metadata is None or not each.complete:
            continue
        points = f"{counted(metadata.structures, 'structure')}, {counted(metadata.blocks, 'block')}"
        commit = (metadata.commit or "unknown")[:12]
        now = "  live" if each.live else ""
        lines.append(f"\n  kept   {each.name}  {commit}  {metadata.created}  {points}{now}")
    return "".join(lines)


def _unfinished_text(info: GenerationInfo) -> str:
    whose = f"built by {info.builder}" if info.builder is not None else "of an unknown run"
    state = f"{whose}; killed, remove it: lsif-ingest remove --unfinished" if info.dead else whose
    return f"unfinished {info.name}: {state}"


def _coverage_lines(coverage: Coverage | None) -> str:
    """Return what is covered, if that is known; each line ends with a line feed."""
    if coverage is None:
        return ""
    lines = [
        f"files  {counted(coverage.files, 'Rust file')}: {files_text(coverage)}",
        *(f"       {folder}" for folder in folder_texts(coverage)),
        f"items  {definitions_text(coverage)}",
    ]
    if coverage.analysis is not None:
        lines.append(f"       {analysis_text(coverage.analysis)}")
    return "".join(f"  {line}\n" for line in lines)


def _is_of(collection: str, wanted: str) -> bool:
    """Return whether it is the wanted collection, or that of one of its branches."""
    return collection == wanted or collection.startswith(f"{wanted}@")
