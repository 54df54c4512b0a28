"""The pages of benchmarks/results that `make quality` writes. Pure functions of replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quality_confidence import confidence_table
from quality_repositories import HALVES
from quality_tables import by_file_and_line, by_repository, by_structure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quality_replies import Former, Reply

_HEAD = """\
# Quality of answers, {measured}

{answerable} judged queries with answers and {others} without (benchmarks/quality/). Models,
weights and coefficients are chosen by the development half. **Nothing is chosen by the test
half**: its numbers are those to trust. All indexes are made from the sources alone. Made by
`make quality`.

A hit is right by structure (name and lines of an answer), by line (its lines alone), or by file;
an answer counts once. `loose` is NDCG@10 if an answer counts for each hit that matches it, as in
other benchmarks; it can exceed 1 ([search.md](../../docs/search.md)).
"""
_FORMER = """\
The former release is {release}.
Its numbers, and the differences to it, are means over the queries of both; {new} new or changed
queries are left out. Differences have their 95% interval and p by paired bootstrap.
"""
_CONFIDENCE = """\
## Does it know when it does not know?

How often a query with an answer has a higher confidence than one that has none, and than one
whose answers are taken out of the index (AUROC); and the shares that search.no_answer_below
classifies correctly, with the shipped coefficients. In the last two columns, those of each
repository are fitted to the others of the development half.
"""
_ABLATION = """\
# What each choice of the search gains, {measured}

By structure, on the development half of the judged queries (benchmarks/quality/). Weights, fusion
and candidates were chosen with it, so other code may gain a little less. "Against the default":
mean difference of NDCG@10, with the 95% interval and p by paired bootstrap over the queries. Made
by `make quality ARGS=--ablation`.
"""


def quality_page(replies: Sequence[Reply], former: Former | None, measured: str) -> str:
    """Return quality.md; `measured` says when, with which models and on what machine."""
    answerable = sum(bool(reply.query.answers) for reply in replies)
    others = len(replies) - answerable
    halves = {half: [reply for reply in replies if reply.half == half] for half in HALVES}
    lines = [_HEAD.format(measured=measured, answerable=answerable, others=others)]
    if former is not None:
        lines.append(_about(former, replies))
    for half, found in halves.items():
        if found:
            lines += _section(f"The {half} half", found, former)
    if all(halves.values()):
        lines += _section("Both halves", replies, former)
    lines += ["## By repository, by structure", "", *by_repository(replies), ""]
    lines += [_CONFIDENCE, *confidence_table(replies)]
    return "\n".join(lines) + "\n"


def ablation_page(rows: Sequence[str], measured: str) -> str:
    """Return quality-ablation.md."""
    return "\n".join([_ABLATION.format(measured=measured), *rows]) + "\n"


def _about(former: Former, replies: Sequence[Reply]) -> str:
    """Return what the page says of the former release."""
    answerable = [reply for reply in replies if reply.query.answers]
    new = len(answerable) - len(former.pairs(answerable))
    return _FORMER.format(release=former.release, new=new)


def _section(title: str, replies: Sequence[Reply], former: Former | None) -> list[str]:
    beside = ", beside the former release" if former else ""
    first = [f"By structure{beside}:", "", *by_structure(replies, former)]
    second = ["By file and by line:", "", *by_file_and_line(replies)]
    return [f"## {title}", "", *first, "", *second, ""]
