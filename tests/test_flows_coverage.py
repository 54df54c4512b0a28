"""What reports, metrics, artifacts and warnings say of a run's coverage."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import orjson
import pytest

from configs.settings import Settings, load_settings
from configs.workspace import Workspace
from flows.report.artifacts import ledger_table, report_markdown
from flows.report.coverage import folder_texts, shortfall
from flows.report.history import read_report
from flows.report.metrics import write_metrics
from flows.report.model import IngestReport, Run
from flows.report.page import report_page
from flows.report.text import report_text
from flows.stages.records import parse_repository
from lsif.coverage import Analysis, Coverage
from lsif.dump.cache import DumpReport
from lsif.ledger import FolderLedger
from search.web.models import StatusModel

from made_dump import Dump
from reports import HOSTILE, made_report

CARGO = Analysis(project="cargo", dependencies="resolved", features="all", cfgs=[])
UNRESOLVED = replace(CARGO, dependencies="unresolved")
STATIC = replace(CARGO, project="static", dependencies="unresolved")


def covered(analysis: Analysis | None = UNRESOLVED, **changes: object) -> Coverage:
    """46 of 375 files are in the dump, and 1,704 definitions of 8,000."""
    coverage = Coverage(
        files=380,
        files_from_index=46,
        files_from_source=328,
        files_excluded=5,
        files_unread={"not_utf8": 1},
        files_undeclared=0,
        files_index_share=0.1227,
        definitions_from_index=1704,
        definitions_from_source=6296,
        definitions_index_share=0.213,
        impls=70,
        folders={
            "tokio": FolderLedger(370, 40, 325, 5, 0, 1700, 6300),
            "tests": FolderLedger(10, 6, 3, 0, 1, 4, 66),
        },
        analysis=analysis,
    )
    return replace(coverage, **changes)  # type: ignore[arg-type]


def reported(coverage: Coverage | None) -> IngestReport:
    report = made_report()
    return replace(report, parse=replace(report.parse, coverage=coverage))


def test_a_terminal_shows_where_files_come_from() -> None:
    lines = report_text(reported(covered()), "search").splitlines()
    assert (
        "  Rust files        380  46 from the index (12%), 328 from the source, 5 excluded, "
        "1 unread: not_utf8"
    ) in lines
    assert not any("Rust files" in line for line in report_text(reported(None), "s").splitlines())


def test_the_page_shows_files_by_folder() -> None:
    page = report_page([Run("r", reported(covered()))], links=False).decode()
    assert (
        ">8,000 definitions: 1,704 from the index (21%), 6,296 from the source; 70 impl blocks.<"
        in page
    )
    assert "crates from cargo (dependencies unresolved), features all." in page
    assert "tokio: 40 from the index, 325 from the source, 5 excluded, 0 unread" in page
    assert '<td class="n">370</td><td class="n">40</td><td class="n">325</td>' in page
    assert '<h2 id="coverage">' in page
    bare = report_page([Run("r", reported(None))], links=False).decode()
    assert '<h2 id="coverage">' not in bare


def test_a_folder_whose_files_are_all_excluded_has_no_share() -> None:
    folders = {HOSTILE: FolderLedger(files=5, files_excluded=5)}
    page = report_page([Run("r", reported(covered(folders=folders)))], links=False).decode()
    assert "<script>" not in page
    assert '<td class="n">0</td><td class="n"></td></tr>' in page


def test_a_report_read_back_has_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(orjson.dumps(reported(covered()).to_dict()))
    report = read_report(path)
    assert report is not None
    assert report.parse.coverage == covered()


def test_metrics_have_files_and_definitions(tmp_path: Path) -> None:
    write_metrics(tmp_path, "p", reported(covered()), ended_s=1.0, success=True)
    text = (tmp_path / "lsif-ingest-p.prom").read_text()
    for line in (
        'lsif_ingest_source_files{from="index",project="p"} 46.0',
        'lsif_ingest_source_files{from="unread",project="p"} 1.0',
        'lsif_ingest_definitions{from="source",project="p"} 6296.0',
        'lsif_ingest_files_index_share{project="p"} 0.1227',
    ):
        assert line in text
    write_metrics(tmp_path, "p", reported(None), ended_s=1.0, success=True)
    assert "source_files" not in (tmp_path / "lsif-ingest-p.prom").read_text()


def test_artifacts_have_the_files_as_first_step_and_the_folders() -> None:
    report = reported(covered())
    assert ledger_table(report)[:3] == [
        {
            "step": "Rust files → read",
            "came in": 380,
            "went on": 374,
            "left out": 6,
            "remark": "46 from the index, 328 from the source",
        },
        {"step": "· excluded", "came in": "", "went on": "", "left out": 5, "remark": ""},
        {"step": "· not_utf8", "came in": "", "went on": "", "left out": 1, "remark": ""},
    ]
    assert "| `tokio` | 370 | 40 | 325 | 5 |" in report_markdown(report)
    assert "## Coverage" not in report_markdown(reported(None))


def test_folders_are_named_where_there_are_several() -> None:
    assert folder_texts(covered(), most=1) == [
        "tokio: 40 of 370 files from the index",
        "and 1 folder more",
    ]
    assert folder_texts(covered(folders={"src": FolderLedger(files=1)})) == []


def test_the_status_of_the_api_has_it() -> None:
    described = StatusModel.model_json_schema()["$defs"]["Coverage"]["properties"]
    assert set(described) == set(asdict(covered()))
    status = StatusModel.model_construct(coverage=covered())
    assert status.model_dump(include={"coverage"}) == {"coverage": asdict(covered())}


@pytest.mark.parametrize(("share", "least"), [(0.8, 0.8), (0.0, 0.0), (None, 1.0)])
def test_enough_files_are_no_warning(share: float | None, least: float) -> None:
    assert shortfall(covered(files_index_share=share), least) == ""


def test_a_dump_without_any_definition_is_a_warning_whatever_its_files() -> None:
    nothing = covered(CARGO, files_index_share=1.0, definitions_index_share=0.0)
    assert shortfall(nothing, 0.8) == (
        "the dump holds none of 6,296 definitions, so nothing is known of their references: "
        "cfg of another platform or of a build flag leaves files out "
        "(set rust_analyzer.cfg to the names that the code asks for); or the workspace leaves out "
        'their crates, as those it excludes (set rust_analyzer.project = "static", which reads '
        "every Cargo.toml)"
    )
    assert shortfall(nothing, 0.0) == ""


@pytest.mark.parametrize(
    ("analysis", "changes", "reason"),
    [
        (UNRESOLVED, {}, "the dependencies are unresolved, so features that need them are off"),
        (UNRESOLVED, {}, '(set rust_analyzer.project = "static", or let Cargo reach them)'),
        (
            replace(CARGO, features="default"),
            {},
            "only these features are on: default (set rust_analyzer.features",
        ),
        (replace(CARGO, features=""), {}, "only these features are on: default (set"),
        (
            replace(CARGO, features="net"),
            {},
            'net (set rust_analyzer.features = "all", or rust_analyzer.project = "static" if',
        ),
        (STATIC, {}, "cfg of another platform or of a build flag leaves files out"),
        (CARGO, {}, "(set rust_analyzer.cfg to the names that the code asks for)"),
        (CARGO, {}, "or the workspace leaves out their crates, as those it excludes (set"),
        (STATIC, {"files_undeclared": 328}, "328 files in no module tree (parse.exclude"),
        (replace(STATIC, skipped_manifests=2), {}, "skipped manifests, members and targets: 2"),
        (None, {}, "the dump was made elsewhere"),
    ],
)
def test_a_warning_names_the_reason_and_the_setting(
    analysis: Analysis | None, changes: dict[str, int], reason: str
) -> None:
    why = shortfall(covered(analysis, **changes), 0.8)
    assert why.startswith(
        "only 46 of 375 Rust files (12%) are in the dump, less than parse.warn_index_share = 0.8 "
        "(missing: 325 in tokio, 4 in tests): "
    )
    assert reason in why


def test_no_other_reason_is_guessed_where_no_module_tree_explains_all() -> None:
    assert "cfg" not in shortfall(covered(STATIC, files_undeclared=328), 0.8)


def test_a_run_warns_in_its_notes_and_in_the_log(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    dump = Dump(tmp_path)
    dump.source("src/lib.rs", "pub fn here() {}\n")
    dump.define("src/lib.rs", 0, 7, 4, "r", "pub fn here()")
    (dump.root / "src/net.rs").write_text("pub fn connect() {}\n")
    dump.parse()
    dumped = DumpReport(
        "dump.lsif", 1.0, 1.0, False, "1.85", "unresolved", 1.0, project="cargo", features="all"
    )

    def notes(*overrides: str) -> list[str]:
        own = load_settings(None, [f"paths.data={settings.paths.data}", *overrides])
        project = Workspace(own).for_project("r")
        report = parse_repository(
            project,
            tmp_path / "dump.lsif",
            dump.root,
            project.folder,
            source_items=True,
            dumped=dumped,
        )
        assert report.coverage is not None
        assert report.coverage.analysis == replace(UNRESOLVED, features="all")
        return report.notes

    (note,) = notes()
    assert note.startswith("only 1 of 2 Rust files (50%) is in the dump, less than parse.warn_in")
    assert 'set rust_analyzer.project = "static"' in note
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        note
    ]
    assert notes("parse.warn_index_share=0.5") == []
