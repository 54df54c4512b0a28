"""Made-up reports, for tests of what is made from a report."""

from __future__ import annotations

from dataclasses import replace

from embedding.embed import EmbedReport
from flows.report.model import IngestReport, ParseReport, StageTime
from storage.sync import Change, UsedChange
from storage.upload import UploadReport

HOSTILE = (
    "</title><script>alert('1')</script><img src=x onerror=\"alert(2)\">&amp;\u202e\x1b[31m`|`"
)
"""A name that steers a page, a terminal and Markdown if it is not escaped."""


def made_report(started: str = "2026-11-25T03:15:00+00:00", **changes: object) -> IngestReport:
    """Return a balanced report of 77 structures and 8 blocks, with these fields changed."""
    parse = ParseReport(
        structures=77,
        kinds={"Function": 50, "Struct": 27},
        skipped={"local": 100, "external": 23},
        definitions=200,
        seconds=0.5,
        blocks=8,
        crates={"alpha": 60, "beta": 17},
    )
    embeddings = [
        EmbedReport("text", "m", 8, 77, 7, 60, 10, 2.0, 1, 1400, "cpu", "bf16"),
        EmbedReport("code", "m", 8, 77, 0, 77, 0, 0.1),
        EmbedReport("blocks", "m", 8, 8, 8, 0, 0, 0.1, 0, 80, "cpu", "bf16"),
    ]
    upload = UploadReport(
        "data/qdrant",
        "sample",
        "sample--1",
        "synced",
        77,
        8,
        2,
        1,
        3,
        0,
        changes={
            "added": Change(
                2, ["Function sample::new (src/new.rs:1)", "Struct sample::New (src/new.rs:9)"]
            ),
            "changed": Change(1, ["Function sample::old (src/old.rs:5)"]),
            "moved": Change(3, ["Const sample::A (src/a.rs:1)"]),
            "deleted": Change(0, []),
        },
        most_used=[
            UsedChange("1", "Function sample::old (src/old.rs:5)", "changed", 1214, 12),
            UsedChange("2", "Struct sample::New (src/new.rs:9)", "added", 1),
        ],
    )
    seconds = {"parse": 0.5, "embed text": 2.0, "upload": 0.3, "total": 3.2}
    stages = [
        StageTime("parse", 0.1, 0.5, 0.5),
        StageTime("embed text", 0.4, 2.0, 1.5, 4),
        StageTime("upload", 2.6, 0.3, 0.3),
    ]
    report = IngestReport(
        project="sample",
        commit="0123456789abcdef",
        dirty=True,
        structures_file="structures.jsonl",
        parse=parse,
        embeddings=embeddings,
        upload=upload,
        seconds=seconds,
        stages=stages,
        started=started,
        branch="main",
        run_id="0292583e-db09-487e-a511-34e27c064470",
    )
    report.check()
    return replace(report, **changes)  # type: ignore[arg-type]


def hostile_report() -> IngestReport:
    """Return a report whose every text from sources, paths and settings is hostile."""
    report = made_report(
        project=HOSTILE, commit=HOSTILE, branch=HOSTILE, run_id=HOSTILE, structures_file=HOSTILE
    )
    parse = replace(
        report.parse,
        kinds={HOSTILE: 77},
        crates={HOSTILE: 77},
        skipped={HOSTILE: 123},
        notes=[f"look at {HOSTILE}"],
    )
    upload = replace(
        report.upload,
        location=HOSTILE,
        generation=HOSTILE,
        changes={name: Change(1, [HOSTILE]) for name in report.upload.changes},
        most_used=[UsedChange("1", HOSTILE, "changed", 3, 0)],
        refused=[{"id": "1", "label": HOSTILE, "reason": HOSTILE}],
    )
    return replace(report, parse=parse, upload=upload, stages=[StageTime(HOSTILE, 0.0, 1.0, 1.0)])
