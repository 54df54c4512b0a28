"""What became of each place that the language server says: kept, or missing for a reason.

The reasons are what the dump and the source show. `lost` is what the dump has and the records have
not, `invented` the contrary; both are defects.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from graph_records import Records, is_inside

if TYPE_CHECKING:
    from graph_answers import Answer
    from graph_dump import DumpedReferences, Spot

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
        # To rust-analyzer a comment is a part of the item below.
        around = self._records.kinds_around(self._records.behind_comments(spot))
        for kind, reason in (
            ("attribute_item", "derived"),
            ("macro_definition", "in a macro's definition"),
            ("macro_invocation", "in a macro call"),
        ):
            if kind in around:
                return reason
        return "lost"
