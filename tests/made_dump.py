"""Dumps of a few definitions, as rust-analyzer would write them, and the sources that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.ledger import ParseLedger
from lsif.structure import Structure


class Dump:
    """A dump of one crate, element by element, as rust-analyzer writes them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "r"
        self.folder = folder
        self.elements: list[dict[str, Any]] = [
            {"type": "vertex", "label": "metaData", "projectRoot": "file:///r",
             "positionEncoding": "utf-16",
             "toolInfo": {"name": "rust-analyzer", "version": "1"}},
        ]  # fmt: skip
        self._documents: dict[str, int] = {}

    def _add(self, **element: Any) -> int:
        self.elements.append(element)
        return len(self.elements) - 1

    def source(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        self._documents[path] = self._add(
            type="vertex", label="document", uri=f"file:///r/{path}", languageId="rust"
        )

    def define(
        self,
        path: str,
        line: int,
        column: int,
        length: int,
        module: str,
        declaration: str,
        *,
        docs: str = "",
        end_line: int | None = None,
    ) -> int:
        """Define what stands at the place (0-based); `module` empty for locals.

        Return its reference result.
        """
        end = {"line": line if end_line is None else end_line, "character": column + length}
        place = self._add(
            type="vertex", label="range", start={"line": line, "character": column}, end=end
        )
        results = self._add(type="vertex", label="resultSet")
        self._add(type="edge", label="next", inV=results, outV=place)
        head = f"\n```rust\n{module}\n```\n" if module else ""
        tail = f"\n\n---\n\n{docs}" if docs else ""
        value = f"{head}\n```rust\n{declaration}\n```{tail}"
        hover = self._add(
            type="vertex",
            label="hoverResult",
            result={"contents": {"kind": "markdown", "value": value}},
        )
        self._add(type="edge", label="textDocument/hover", inV=hover, outV=results)
        result = self._add(type="vertex", label="definitionResult")
        self._add(type="edge", label="textDocument/definition", inV=result, outV=results)
        self._add(
            type="edge", label="item", document=self._documents[path], inVs=[place], outV=result
        )
        references = self._add(type="vertex", label="referenceResult")
        self._add(type="edge", label="textDocument/references", inV=references, outV=results)
        return references

    def outside(self, uri: str, module: str, declaration: str) -> int:
        """Define what a file outside the root has; return its reference result."""
        self._documents[uri] = self._add(
            type="vertex", label="document", uri=uri, languageId="rust"
        )
        return self.define(uri, 0, 3, 3, module, declaration)

    def refer(self, path: str, line: int, column: int, length: int, to: int) -> int:
        """Refer to a reference result from a place (0-based); return its range."""
        end = {"line": line, "character": column + length}
        place = self._add(
            type="vertex", label="range", start={"line": line, "character": column}, end=end
        )
        self.refer_by(path, place, to)
        return place

    def refer_by(self, path: str, place: int, to: int) -> None:
        """Refer to a reference result from a range, which may not exist."""
        self._add(
            type="edge", label="item", document=self._documents[path], property="references",
            inVs=[place], outV=to,
        )  # fmt: skip

    def parse(
        self, *, source_items: bool = False, **settings: Any
    ) -> tuple[ParseLedger, list[Structure]]:
        """Parse the dump; return the ledger, which balances, and the structures."""
        dump, output = self.folder / "dump.lsif", self.folder / "out.jsonl"
        dump.write_bytes(
            b"".join(
                orjson.dumps({"id": number, **line}) + b"\n"
                for number, line in enumerate(self.elements)
            )
        )
        ledger = parse_dump(
            dump, self.root, output, project="r", max_bad_lines=0, max_stale_share=0,
            source_items=source_items, **settings,
        )  # fmt: skip
        assert ledger.balanced
        return ledger, list(read_structures(output))
