"""Compares records with `rust-analyzer symbols`, whose parser shares nothing with this program's.

    python benchmarks/symbols.py RECORDS ROOT

Both ways: what rust-analyzer finds in a file and the records lack, and what the records have and
rust-analyzer lacks. Kinds, first and last lines are compared where both have an item. Each
difference has a reason, or is listed. rust-analyzer is taken from RUST_ANALYZER or PATH; one
process reads one file, which takes some 30 ms.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NODE = re.compile(
    r'StructureNode \{ parent: .*?, label: "(?P<label>(?:[^"\\]|\\.)*)", '
    r"navigation_range: (?P<name>\d+)\.\.\d+, node_range: (?P<start>\d+)\.\.(?P<end>\d+), "
    r"kind: (?:SymbolKind\()?(?P<kind>\w+)"
)
KINDS = {
    "Function": "Function",
    "Method": "Function",
    "Struct": "Struct",
    "Enum": "Enum",
    "Union": "Union",
    "Trait": "Trait",
    "TraitAlias": "Trait",
    "TypeAlias": "TypeAlias",
    "Const": "Const",
    "Static": "Static",
    "Macro": "Macro",
    "Module": "Module",
    "Impl": "Impl",
}
"""rust-analyzer's kinds of items as code_type. Fields, variants and the rest are no records."""
HEADS_ONLY = ("Module", "Impl")
"""Their records end where their items begin."""


LITERALS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\br(\#*)".*?"\1|"(?:[^"\\]|\\.)*"|'(?:\\[^\n]+?|[^'\\])'""", re.DOTALL
)


class Symbol(NamedTuple):
    """An item as rust-analyzer sees it; lines are 1-based and inclusive."""

    path: str
    name: str
    kind: str
    line: int
    line_from: int
    line_to: int
    is_alias: bool = False


class Agreement(NamedTuple):
    """What became of rust-analyzer's symbols and of the records."""

    agreed: Counter[str]
    """By kind."""
    explained: Counter[str]
    """Differences by their reason."""
    unexplained: list[str]
    listed: list[str]
    """Explained differences that say more than a number."""
    files: int
    seconds: float


def find_analyzer() -> str | None:
    """Return the rust-analyzer of RUST_ANALYZER or PATH that works, None if there is none."""
    command = os.environ.get("RUST_ANALYZER") or shutil.which("rust-analyzer")
    if command is None:
        return None
    works = subprocess.run([command, "--version"], capture_output=True, check=False).returncode == 0
    return command if works else None


def symbols_in(command: str, data: bytes, path: str) -> list[Symbol]:
    """Return the items of one file."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    output = subprocess.run([command, "symbols"], input=text, capture_output=True, check=True)
    starts = [0, *(match.end() for match in re.finditer(rb"\n", text))]

    def line(offset: str, back: int = 0) -> int:
        return bisect_right(starts, int(offset) - back)

    return [
        Symbol(
            path,
            match["label"].removeprefix("r#"),
            KINDS[match["kind"]],
            line(match["name"]),
            line(match["start"]),
            line(match["end"], 1),
            match["kind"] == "TraitAlias",
        )
        for match in NODE.finditer(output.stdout.decode())
        if match["kind"] in KINDS
    ]


def compare(records: Iterable[dict[str, Any]], root: Path, command: str) -> Agreement:
    """Return how the records of a repository agree with rust-analyzer, file by file."""
    by_file: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_file.setdefault(record["context"]["file_path"], []).append(record)
    result = Agreement(Counter(), Counter(), [], [], 0, 0.0)
    for path in sorted(by_file.keys() | _sources(root)):
        data = (root / path).read_bytes()
        began = time.perf_counter()
        symbols = symbols_in(command, data, path)
        seconds = result.seconds + time.perf_counter() - began
        result = result._replace(files=result.files + 1, seconds=seconds)
        if path in by_file:
            _compare_file(by_file[path], symbols, data.decode().split("\n"), result)
        else:
            absent = [symbol for symbol in symbols if _why_absent(symbol) == "absent"]
            if absent:
                result.explained["in a file without records"] += len(absent)
                result.listed.append(f"no records: {path}, {len(absent)} symbols")
    return result


def _sources(root: Path) -> set[str]:
    """Return the Rust files under the root that are UTF-8, without build output."""
    found = set()
    for file in root.rglob("*.rs"):
        path = file.relative_to(root)
        if "target" in path.parts[:-1] or not file.is_file() or file.is_symlink():
            continue
        try:
            file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found.add(path.as_posix())
    return found


def _compare_file(
    records: list[dict[str, Any]], symbols: list[Symbol], lines: list[str], result: Agreement
) -> None:
    waiting: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for record in records:
        waiting.setdefault((record["line"], _name(record)), []).append(record)
    for symbol in symbols:
        name = "impl" if symbol.kind == "Impl" else symbol.name
        found = waiting.get((symbol.line, name))
        if not found:
            reason = _why_absent(symbol)
            result.explained[reason] += 1
            if reason == "absent":
                result.unexplained.append(f"absent: {symbol}")
            continue
        kinds = [record["code_type"] for record in found]
        record = found.pop(kinds.index(symbol.kind) if symbol.kind in kinds else 0)
        differences = list(_differences(symbol, record, lines))
        result.explained.update(reason for reason in differences if reason in EXPLAINED)
        wrong = [reason for reason in differences if reason not in EXPLAINED]
        if wrong:
            result.explained["wrong"] += 1
            result.unexplained.append(f"{', '.join(wrong)}: {symbol}")
        else:
            result.agreed[symbol.kind] += 1
    for record in (record for found in waiting.values() for record in found):
        reason = _why_unknown(record, lines)
        result.explained[reason] += 1
        if reason == "unknown":
            place = f"{record['context']['file_path']}:{record['line']}"
            result.unexplained.append(f"unknown: {place} {record['symbol']}")


EXPLAINED = {
    "plain comment": "rust-analyzer counts plain comments before an item as its own",
    "docs of a trait alias": "which rust-analyzer does not count as its own",
}
"""Differences of first lines that are no faults."""


def _name(record: dict[str, Any]) -> str:
    return "impl" if record["code_type"] == "Impl" else record["name"].removeprefix("r#")


def _differences(symbol: Symbol, record: dict[str, Any], lines: list[str]) -> Iterator[str]:
    if record["code_type"] != symbol.kind:
        yield f"kind {record['code_type']}"
    first, last = record["line_from"], record["line_to"]
    if first != symbol.line_from:
        between = lines[min(first, symbol.line_from) - 1 : max(first, symbol.line_from) - 1]
        is_alias = symbol.kind == "Trait" and symbol.line_from > first and symbol.is_alias
        if _is_plain(between):
            yield "docs of a trait alias" if is_alias else "plain comment"
        else:
            yield f"first line {first}"
    if symbol.kind not in HEADS_ONLY and last != symbol.line_to:
        yield f"last line {last}"


def _is_plain(lines: list[str]) -> bool:
    """Return whether the lines are comments; the first may have one behind other code."""
    text = re.sub(r"\A[^\n]*?(?=//|/\*)", "", "\n".join(lines)).strip()
    return re.fullmatch(r"(?:\s|//[^\n]*|/\*.*?\*/)*", text, re.DOTALL) is not None


def _why_absent(symbol: Symbol) -> str:
    """Return why rust-analyzer's symbol is in no record."""
    if symbol.name == "_":
        return "const _"
    if symbol.kind == "Module":
        return "module without documentation, or in a file of its own"
    return "absent"


def _why_unknown(record: dict[str, Any], lines: list[str]) -> str:
    """Return why a record is no symbol of rust-analyzer's."""
    if record["code_type"] == "Module":
        return "module in a file of its own"
    if (record["code_type"], record["name"]) == ("Macro", "try"):
        return "a macro try, whose name is a keyword to rust-analyzer"
    line = lines[record["line"] - 1]
    name = re.search(rf"(?<!\w){re.escape(_name(record))}(?!\w)", line)
    text = "\n".join([*lines[: record["line"] - 1], line[: name.start() if name else None]])
    return "in a macro call" if _in_call(text) else "unknown"


def _in_call(before: str) -> bool:
    """Return whether a macro call is still open where the text ends, by its brackets alone."""
    text = LITERALS.sub("", before)
    depth = 0
    for match in reversed(list(re.finditer(r"[\w:]+\s*!\s*(?:\w+\s*)?[({\[]|[({\[]|[)}\]]", text))):
        if match[0] in ")}]":
            depth += 1
        elif depth:
            depth -= 1
        elif "!" in match[0]:
            return True
    return False


def report(result: Agreement) -> None:
    """Print the comparison."""
    total = result.agreed.total()
    print(
        f"rust-analyzer symbols: {total} agree, {len(result.unexplained)} differ without a reason"
    )
    print(f"  {result.files} files in {result.seconds:.1f} s; {dict(result.agreed)}")
    for reason, count in result.explained.most_common():
        print(f"  {count:>7} {reason}")
    for line in (*result.unexplained, *result.listed):
        print(f"  {line}")


def main() -> int:
    """Compare, and print the result."""
    command = find_analyzer()
    if command is None:
        print("There is no rust-analyzer: nothing to compare with.")
        return 0
    with Path(sys.argv[1]).open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    report(compare(records, Path(sys.argv[2]), command))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
