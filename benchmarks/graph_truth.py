"""Compares the graph with rust-analyzer as a language server, which finds references by other code.

    python benchmarks/graph_truth.py ROOT [--dump FILE] [--number 200] [--seed 0] [--record FILE]
                                          [--answers FILE]

For structures drawn from all kinds, it asks the server for references, calls and implementations,
and says what became of each: kept, or missing for a reason that the dump or the source shows.
`lost` is what the dump has and the records have not, `invented` the contrary; both are defects, and
the exit code is 1 if there is one. Places of all structures are also held against the dump, which a
second reader reads. `--record` keeps what the server said, `--answers` compares with
that later. rust-analyzer is taken from RUST_ANALYZER or PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph_answers import RELATIONS, Answer, ask, draw, read_answers, write_answers
from graph_dump import DumpedReferences, Spot
from graph_records import Records, is_inside
from language_server import LanguageServer, ServerEnded

from lsif.extract import parse_dump

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = ("lost", "invented")


@dataclass
class Comparison:
    """What became of each place, by relation."""

    kept: Counter[str] = field(default_factory=Counter)
    missing: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """What the server has and the records have not, by reason."""
    more: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """What the records have and the server has not, by reason."""
    listed: list[str] = field(default_factory=list)
    """What is missing or more, a line each."""

    def note(
        self,
        relation: str,
        answer: Answer,
        missing: dict[Spot, str],
        more: dict[Spot, str],
        kept: int,
    ) -> None:
        """Note the places of one structure, if the server could say them."""
        if relation in answer.failed:
            return
        self.kept[relation] += kept
        self.missing[relation].update(missing.values())
        self.more[relation].update(more.values())
        for sign, reasons in (("-", missing), ("+", more)):
            for spot, reason in sorted(reasons.items()):
                place = "{}:{}:{}".format(*spot)
                self.listed.append(f"{sign} {relation}, {reason}: {place} of {answer.symbol}")

    @property
    def faults(self) -> int:
        """Number of places that the records lost or invented."""
        reasons = [*self.missing.values(), *self.more.values()]
        return sum(counts[fault] for counts in reasons for fault in FAULTS)


class Comparer:
    """Compares the server's answers with the records, and with the dump where they differ."""

    def __init__(self, records: Records, dumped: DumpedReferences) -> None:
        self._records, self._dumped = records, dumped

    def compare(self, answers: list[Answer]) -> Comparison:
        """Return what became of all that the server said."""
        result = Comparison()
        for answer in answers:
            record = self._records.by_spot[answer.spot]
            self._references(answer, record, result)
            if record["code_type"] == "Function":
                self._callers(answer, record, result)
                self._callees(answer, record, result)
            if not record["implements"] and (
                record["trait_name"] or record["code_type"] == "Trait"
            ):
                self._implementations(answer, record, result)
        return result

    def in_dump(self, definition: Spot) -> set[Spot]:
        """Return what the dump has of references to a definition, `Self` included.

        It defines `Self` in the head of an impl block, where a name refers to the type, or to an
        alias.
        """
        direct = self._dumped.of([definition])
        record = self._records.by_spot.get(definition)
        if record is None or record["code_type"] == "TypeAlias":
            return direct
        return direct | {
            spot for spot in self._dumped.of(direct) if self._records.text_at(spot) == "Self"
        }

    def whole(self) -> Counter[str]:
        """Return how many places of all structures the records and the dump have."""
        found: Counter[str] = Counter()
        for spot, record in self._records.by_spot.items():
            if record["origin"] == "index":
                in_dump, ours = self.in_dump(spot), self._records.places(record["id"])
                more = {it for it in ours - in_dump if self._records.text_at(it) != "Self"}
                found += Counter(
                    structures=1,
                    places=len(in_dump),
                    lost=len(in_dump - ours),
                    invented=len(more),
                )
        return found

    def _references(self, answer: Answer, record: dict[str, Any], result: Comparison) -> None:
        said, ours = set(answer.references), self._records.places(record["id"])
        in_dump = self.in_dump(answer.spot)
        missing = {
            spot: "lost" if spot in in_dump else self._why_missing(spot, record)
            for spot in said - ours
        }
        more = {spot: self._why_more(spot, record, in_dump) for spot in ours - said}
        result.note("references", answer, missing, more, len(said & ours))

    def _why_missing(self, spot: Spot, record: dict[str, Any]) -> str:
        implementations, members = self._records.implementations, record["implements"]
        siblings = chain.from_iterable(implementations[member] for member in members)
        if spot in self._names([record["id"]]):
            return "the name itself"
        for reason, others in (
            ("of an implementation", implementations[record["id"]]),
            ("of the trait's member", members),
            ("of another implementation", [*siblings]),
        ):
            if spot in self._of(others):
                return reason
        return self._why_not_dumped(spot)

    def _why_not_dumped(self, spot: Spot) -> str:
        if self._records.text_at(spot) == "Self":
            return "Self, which is not the alias"
        if spot.path not in self._dumped.files:
            return "in a file that is not in the dump"
        around = self._records.kinds_around(spot)
        if any("comment" in kind for kind in around):
            return "in documentation"
        if any("string" in kind for kind in around):
            return "in a format string"
        known = "another meaning in the dump" if spot in self._dumped.spots else "not in the dump"
        return f"{known}, in a macro call" if "token_tree" in around else known

    def _why_more(self, spot: Spot, record: dict[str, Any], in_dump: set[Spot]) -> str:
        text = self._records.text_at(spot)
        if text == "Self":
            return "Self" if spot in in_dump else "Self in an impl block of an alias"
        if spot not in in_dump:
            return "invented"
        return "the dump alone" if text == record["name"].removeprefix("r#") else "by another name"

    def _of(self, members: list[str]) -> set[Spot]:
        """Return names and places of a trait's member, or of what implements it."""
        places = (self._records.places(member) for member in members)
        return self._names(members).union(*places)

    def _names(self, ids: list[str]) -> set[Spot]:
        return {spot for spot, record in self._records.by_spot.items() if record["id"] in ids}

    def _callers(self, answer: Answer, record: dict[str, Any], result: Comparison) -> None:
        said, ours = set(answer.callers), self._records.callers(record["id"])
        both = set(answer.references) & self._records.places(record["id"])
        missing = {spot: self._why_no_caller(spot, record, both) for spot in said - ours}
        more = {spot: self._why_more_callers(spot, both) for spot in ours - said}
        result.note("callers", answer, missing, more, len(said & ours))

    def _why_no_caller(self, spot: Spot, record: dict[str, Any], both: set[Spot]) -> str:
        caller = self._records.by_spot.get(spot)
        if caller is None:
            return "no structure"
        if any(
            spot in self._records.callers(key)
            for key in self._records.implementations[record["id"]]
        ):
            return "of an implementation"
        if not any(is_inside(place, caller) for place in both):
            return "no reference in the dump"
        users = [
            inner["id"]
            for inner in self._records.inside(caller)[1:]
            if record["id"] in inner["refers_to"]
        ]
        return "by a structure inside it" if users else "lost"

    def _why_more_callers(self, spot: Spot, both: set[Spot]) -> str:
        caller = self._records.by_spot[spot]
        return "more references" if not any(is_inside(it, caller) for it in both) else "not called"

    def _callees(self, answer: Answer, record: dict[str, Any], result: Comparison) -> None:
        said, ours = set(answer.callees), self._records.callees(record["id"])
        missing = {spot: self._why_no_callee(spot, record) for spot in said - ours}
        more = {
            spot: "in a macro call, a test or a value"
            for spot in ours - said
            if self._records.by_spot.get(spot, {}).get("code_type") == "Function"
        }
        result.note("callees", answer, missing, more, len(said & ours))

    def _why_no_callee(self, spot: Spot, caller: dict[str, Any]) -> str:
        callee = self._records.by_spot.get(spot)
        if callee is None:
            return "no structure"
        inside = self._records.inside(caller)
        if any(callee["id"] in inner["refers_to"] for inner in inside):
            return "by a structure inside it"
        in_dump = any(is_inside(place, caller) for place in self.in_dump(spot))
        return "lost" if in_dump else "no reference in the dump"

    def _implementations(self, answer: Answer, record: dict[str, Any], result: Comparison) -> None:
        ours = {*self._records.implementations[record["id"]]}
        found: dict[Spot, str | None] = {}
        for spot in answer.implementations:
            named = self._records.by_spot.get(spot)
            is_trait = record["code_type"] == "Trait"
            found[spot] = (
                self._records.impl_around(spot) if is_trait else named["id"] if named else None
            )
        missing = {
            spot: self._why_no_implementation(spot)
            for spot, key in found.items()
            if key not in ours
        }
        more = dict.fromkeys(self._names([*(ours - {*found.values()})]), "the dump alone")
        result.note("implementations", answer, missing, more, len(ours & {*found.values()}))

    def _why_no_implementation(self, spot: Spot) -> str:
        around = self._records.kinds_around(spot)
        if "attribute_item" in around:
            return "derived"
        return "in a macro call" if "macro_invocation" in around else "lost"


def report(result: Comparison) -> Iterator[str]:
    """Yield the lines of the comparison."""
    for relation in RELATIONS:
        kept, missing, more = result.kept[relation], result.missing[relation], result.more[relation]
        held = kept + missing["lost"]
        share = kept / held if held else 1.0
        yield (
            f"{relation}: {kept + missing.total():,} said, {kept:,} kept, {share:.2%} of what the "
            f"dump holds; {missing.total():,} missing, {more.total():,} more"
        )
        for sign, counts in (("-", missing), ("+", more)):
            for reason, count in counts.most_common():
                yield f"  {sign} {count:>6,} {reason}"


def environment_with(target: Path) -> dict[str, str]:
    """Return the environment of rust-analyzer; Cargo builds in the folder `target`."""
    return {
        "CARGO_TARGET_DIR": str(target),
        **os.environ,
        "CARGO_NET_OFFLINE": "true",
        "RUST_BACKTRACE": "0",
    }


def parse(dump: Path, root: Path, folder: Path) -> Records:
    """Return the records of a dump."""
    structures, places = folder / "structures.jsonl", folder / "places.parquet"
    parse_dump(
        dump, root, structures, project="truth", max_bad_lines=0, max_stale_share=0,
        source_items=True, places=lambda _digest: places,
    )  # fmt: skip
    with structures.open("rb") as lines:
        return Records([json.loads(line) for line in lines], places, root)


def _asked(server: LanguageServer, records: list[dict[str, Any]]) -> Iterator[Answer]:
    """Yield what the server says, as far as it gets in its time."""
    for number, record in enumerate(records, start=1):
        began = time.perf_counter()
        try:
            yield ask(server, record)
        except ServerEnded as exc:
            print(f"after {number - 1} answers: {exc}", file=sys.stderr)
            return
        seconds = time.perf_counter() - began
        print(f"{number}/{len(records)} {record['symbol']}: {seconds:.1f} s", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--dump", type=Path)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--answers", type=Path)
    return parser.parse_args()


def main() -> int:
    """Ask, compare and print."""
    given, command = _arguments(), os.environ.get("RUST_ANALYZER", "rust-analyzer")
    root = given.root.resolve()
    with tempfile.TemporaryDirectory() as name:
        dump, environment = given.dump, environment_with(Path(name) / "target")
        if dump is None:
            dump = Path(name) / "dump.lsif"
            with dump.open("wb") as output:
                arguments = [command, "lsif", str(root)]
                subprocess.run(arguments, check=True, env=environment, stdout=output)
        records = parse(dump, root, Path(name))
        if given.answers is not None:
            answers = read_answers(given.answers)
        else:
            drawn = draw([*records.by_spot.values()], given.number, given.seed)
            with LanguageServer(command, root, environment) as server:
                answers = [*_asked(server, drawn)]
            if given.record is not None:
                write_answers(given.record, server.name, answers)
        comparer = Comparer(records, DumpedReferences(dump))
        whole, result = comparer.whole(), comparer.compare(answers)
    kinds = Counter(answer.code_type for answer in answers)
    print(f"{root.name}: the records of the whole dump against the dump: {dict(whole)}")
    print(f"{len(answers)} structures against the server: {dict(kinds)}")
    print("\n".join([*report(result), *result.listed]))
    return 1 if result.faults or whole["lost"] or whole["invented"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
