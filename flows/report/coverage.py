"""What a run's coverage means, in words: for reports, `status` and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machine.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsif.coverage import Analysis, Coverage

_FOLDERS = 3
"""Folders that a warning names."""
_ELSEWHERE = (
    "the dump was made elsewhere, maybe with features off or without dependencies "
    "(rust_analyzer.project, rust_analyzer.features and rust_analyzer.cfg say what a dump made "
    "here holds)"
)


def files_text(coverage: Coverage) -> str:
    """Return where the Rust files come from, in one line."""
    parts = [f"{coverage.files_from_index:,} from the index{_percent(coverage.files_index_share)}"]
    parts.append(f"{coverage.files_from_source:,} from the source")
    if coverage.files_absent:
        parts.append(f"{coverage.files_absent:,} not in the dump")
    if coverage.files_excluded:
        parts.append(f"{coverage.files_excluded:,} excluded")
    parts += [f"{count:,} unread: {reason}" for reason, count in coverage.files_unread.items()]
    return ", ".join(parts)


def folder_texts(coverage: Coverage, most: int = 10) -> list[str]:
    """Return a line for each of the `most` largest folders; none if there is only one."""
    if len(coverage.folders) < 2:  # noqa: PLR2004 - then the total says it
        return []
    shown = list(coverage.folders.items())[:most]
    lines = [
        f"{name}: {counts.files_from_index:,} of {counted(counts.files, 'file')} from the index"
        for name, counts in shown
    ]
    left = len(coverage.folders) - len(shown)
    return [*lines, f"and {counted(left, 'folder')} more"] if left else lines


def definitions_text(coverage: Coverage) -> str:
    """Return where the definitions come from, in one line."""
    share = _percent(coverage.definitions_index_share)
    total = coverage.definitions_from_index + coverage.definitions_from_source
    return (
        f"{counted(total, 'definition')}: "
        f"{coverage.definitions_from_index:,} from the index{share}, "
        f"{coverage.definitions_from_source:,} from the source; "
        f"{counted(coverage.impls, 'impl block')}"
    )


def analysis_text(analysis: Analysis) -> str:
    """Return how rust-analyzer loaded the repository, in one line.

    >>> from lsif.coverage import Analysis
    >>> analysis_text(
    ...     Analysis(project="cargo", dependencies="unresolved", features="all", cfgs=["loom"])
    ... )
    'crates from cargo (dependencies unresolved), features all, cfg loom'
    """
    origin = "cargo" if analysis.project == "cargo" else "the manifests (static)"
    if analysis.project == "cargo" and analysis.dependencies != "resolved":
        origin += f" (dependencies {analysis.dependencies})"
    cfgs = f", cfg {' '.join(analysis.cfgs)}" if analysis.cfgs else ""
    return f"crates from {origin}, features {analysis.features or 'default'}{cfgs}"


def shortfall(coverage: Coverage, least: float) -> str:
    """Return why fewer files than this share, or no definitions, come from the index.

    Empty if enough do.
    """
    share, reasons = coverage.files_index_share, "; ".join(_reasons(coverage))
    if least and coverage.definitions_index_share == 0:
        return (
            f"the dump holds none of {counted(coverage.definitions_from_source, 'definition')}, "
            f"so nothing is known of their references: {reasons}"
        )
    if share is None or share >= least:
        return ""
    wanted = coverage.files - coverage.files_excluded
    return (
        f"only {coverage.files_from_index:,} of {counted(wanted, 'Rust file')} ({share:.0%}) "
        f"{'is' if coverage.files_from_index == 1 else 'are'} in the dump, "
        f"less than parse.warn_index_share = {least:g}{_where(coverage)}: {reasons}"
    )


def _reasons(coverage: Coverage) -> Iterator[str]:
    """Yield the reasons that are known, each with the setting to change; at least one."""
    known = [_ELSEWHERE] if coverage.analysis is None else list(_of_analysis(coverage.analysis))
    yield from known
    undeclared = coverage.files_undeclared
    if undeclared:
        yield (
            f"{counted(undeclared, 'file')} in no module tree "
            "(parse.exclude leaves out what is no code of yours)"
        )
    missing = coverage.files_from_source + coverage.files_absent
    if not known and (missing > undeclared or not undeclared):
        yield (
            "cfg of another platform or of a build flag leaves files out "
            "(set rust_analyzer.cfg to the names that the code asks for)"
        )
        if coverage.analysis is not None and coverage.analysis.project == "cargo":
            yield (
                "or the workspace leaves out their crates, as those it excludes "
                '(set rust_analyzer.project = "static", which reads every Cargo.toml)'
            )


def _of_analysis(analysis: Analysis) -> Iterator[str]:
    is_cargos = analysis.project == "cargo"
    if is_cargos and analysis.dependencies != "resolved":
        yield (
            "the dependencies are unresolved, so features that need them are off "
            '(set rust_analyzer.project = "static", or let Cargo reach them)'
        )
    if analysis.features != "all":
        otherwise = ', or rust_analyzer.project = "static" if Cargo lacks dependencies'
        yield (
            f"only these features are on: {analysis.features or 'default'} "
            f'(set rust_analyzer.features = "all"{otherwise if is_cargos else ""})'
        )
    if analysis.skipped_manifests:
        yield (
            f"skipped manifests, members and targets: {analysis.skipped_manifests:,} "
            "(dump.skipped_manifests in report.json names them)"
        )


def _where(coverage: Coverage) -> str:
    """Return the folders that lack most files."""
    lacking = {
        name: counts.files - counts.files_from_index - counts.files_excluded
        for name, counts in coverage.folders.items()
    }
    worst = sorted(lacking, key=lambda name: (-lacking[name], name))[:_FOLDERS]
    named = [f"{lacking[name]:,} in {name}" for name in worst if lacking[name]]
    return f" (missing: {', '.join(named)})" if len(coverage.folders) > 1 and named else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f" ({share:.0%})"
