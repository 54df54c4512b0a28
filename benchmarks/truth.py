"""Compares structures.jsonl with the sources, by a walk that shares no code with the parser.

    python benchmarks/truth.py structures.jsonl ROOT

Prints a table by kind, and each definition that is wrong or unexplained. A definition that is in
the sources and not in the records is missing for a reason that the sources show: its file
belongs to no crate (`file`), or a `cfg` applies to it or to something around it (`cfg`), or it is
spelled in a macro call among items or statements (`macro`); else `other`. Macro calls are not
expanded; what they spell counts where it parses as an item by itself.

The walk has the parser's grammar. Where rust-analyzer is installed, its symbols, of a grammar of
its own, are compared, too: see symbols.py.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tree_sitter
import tree_sitter_rust

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {
    "function_item": "Function",
    "function_signature_item": "Function",
    "struct_item": "Struct",
    "enum_item": "Enum",
    "union_item": "Union",
    "trait_item": "Trait",
    "type_item": "TypeAlias",
    "associated_type": "TypeAlias",
    "const_item": "Const",
    "static_item": "Static",
    "macro_definition": "Macro",
}


ITEM_PLACES = ("source_file", "declaration_list", "block")
QUOTING = (b"quote", b"quote_spanned", b"parse_quote", b"parse_quote_spanned", b"stringify")


class Definition(NamedTuple):
    """One definition of the sources; lines are 1-based and inclusive."""

    kind: str
    name: str
    path: str
    line: int
    line_from: int
    line_to: int
    under_cfg: bool
    in_macro: bool


class _Around(NamedTuple):
    """What is around a definition."""

    path: str
    parser: tree_sitter.Parser
    row: int = 0
    """Row of the file in which the tree begins: that of a macro call's tokens, else 0."""
    under_cfg: bool = False
    in_macro: bool = False


class Comparison(NamedTuple):
    """What became of the definitions of the sources."""

    found: Counter[str]
    missing: dict[str, Counter[str]]
    """By reason, then by kind."""
    wrong: list[tuple[Definition, tuple[int, int]]]
    """Definitions whose record has other lines, with those."""
    unexplained: list[Definition]


def walk(root: Path) -> Iterator[Definition]:
    """Yield every definition in the Rust files under `root`."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))
    for path in sorted(root.rglob("*.rs")):
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        around = _Around(path.relative_to(root).as_posix(), parser)
        yield from _walk_node(parser.parse(data).root_node, around)


def _walk_node(node: tree_sitter.Node, around: _Around) -> Iterator[Definition]:
    """Yield the definitions below the node, each with the attributes and comments before it."""
    begins: int | None = None
    conditional = False
    for child in node.children:
        text = child.text or b""
        is_doc = text.startswith((b"///", b"/**")) and not text.startswith(
            (b"////", b"/***", b"/**/")
        )
        if child.type == "attribute_item" or (child.type.endswith("_comment") and is_doc):
            begins = child.start_point.row if begins is None else begins
            conditional |= child.type == "attribute_item" and text.replace(b" ", b"").startswith(
                b"#[cfg("
            )
            continue
        if child.type.endswith("_comment"):
            continue
        name = child.child_by_field_name("name")
        inside = around._replace(under_cfg=around.under_cfg or conditional)
        is_valid = not (around.in_macro and child.has_error)
        if child.type in KINDS and name is not None and name.text != b"_" and is_valid:
            first = child.start_point.row if begins is None else begins
            yield Definition(
                KINDS[child.type],
                (name.text or b"").decode(),
                around.path,
                around.row + name.start_point.row + 1,
                around.row + first + 1,
                around.row + child.end_point.row + 1,
                inside.under_cfg,
                around.in_macro,
            )
        if child.type == "macro_invocation":
            yield from _walk_call(child, inside)
        else:
            yield from _walk_node(child, inside)
        begins, conditional = None, False


def _walk_call(call: tree_sitter.Node, around: _Around) -> Iterator[Definition]:
    """Yield the definitions that a macro call among items or statements spells."""
    name = (call.child_by_field_name("macro") or call).text or b""
    above = call.parent
    if above is not None and above.type == "expression_statement":
        above = above.parent
    tokens = next((child for child in call.children if child.type == "token_tree"), None)
    if tokens is None or above is None or above.type not in ITEM_PLACES or name in QUOTING:
        return
    text = (tokens.text or b"")[1:-1]
    inside = around._replace(row=around.row + tokens.start_point.row, in_macro=True)
    yield from _walk_node(around.parser.parse(text).root_node, inside)


def compare(records: list[dict[str, Any]], root: Path) -> Comparison:
    """Return how the records compare with the sources."""
    by_place = {(one["context"]["file_path"], one["line"], one["name"]): one for one in records}
    files = {one["context"]["file_path"] for one in records}
    result = Comparison(Counter(), defaultdict(Counter), [], [])
    for definition in walk(root):
        record = by_place.get((definition.path, definition.line, definition.name))
        if record is None:
            reason = (
                "file"
                if definition.path not in files
                else "cfg"
                if definition.under_cfg
                else "macro"
                if definition.in_macro
                else "other"
            )
            result.missing[reason][definition.kind] += 1
            if reason == "other":
                result.unexplained.append(definition)
            continue
        result.found[definition.kind] += 1
        lines = (record["line_from"], record["line_to"])
        if (
            lines != (definition.line_from, definition.line_to)
            or record["code_type"] != definition.kind
        ):
            result.wrong.append((definition, lines))
    return result


def main() -> int:
    """Print the comparison."""
    records = [
        json.loads(line)
        for line in Path(sys.argv[1]).read_text(encoding="utf-8").split("\n")
        if line
    ]
    result = compare(records, Path(sys.argv[2]))
    head = f"{'kind':<12}{'found':>8}{'no crate':>10}{'cfg':>6}{'macro':>7}{'other':>7}"
    print(f"{head}{'wrong lines':>13}")
    wrong = Counter(definition.kind for definition, _ in result.wrong)
    for kind in dict.fromkeys(KINDS.values()):
        missing = [result.missing[reason][kind] for reason in ("file", "cfg", "macro", "other")]
        print(
            f"{kind:<12}{result.found[kind]:>8}{missing[0]:>10}{missing[1]:>6}{missing[2]:>7}"
            f"{missing[3]:>7}{wrong[kind]:>13}"
        )
    found, missed = result.found.total(), sum(map(Counter.total, result.missing.values()))
    print(f"{found} of {found + missed} definitions are in the records, {len(result.wrong)} wrong")
    for definition, lines in result.wrong:
        print(f"wrong: {definition}, the record has {lines}")
    for definition in result.unexplained:
        print(f"missing: {definition}")
    return _compare_symbols(records)


def _compare_symbols(records: list[dict[str, Any]]) -> int:
    """Compare with rust-analyzer, if there is one."""
    import symbols  # noqa: PLC0415 - tests import this module where benchmarks is no folder of sys.path

    command = symbols.find_analyzer()
    if command is None:
        print("rust-analyzer symbols: not compared, since no rust-analyzer was found")
        return 0
    symbols.report(symbols.compare(records, Path(sys.argv[2]), command))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
