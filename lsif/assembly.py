"""Brings together what a dump and a repository say of each file, before the files are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lsif.errors import DumpError
from lsif.formats import read_dump
from lsif.join import DumpedFile
from lsif.paths import base_of, relative_path
from lsif.reader.graph import Graph, Outline
from lsif.reader.read import ReadLedger
from lsif.references.collected import collect
from lsif.rust.module_tree import module_files, survey
from lsif.rust.modules import cfg_test_places, package_folder
from lsif.rust.traits import TraitDocs

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lsif.formats import Format
    from lsif.inventory import Inventory
    from lsif.ledger import ParseLedger
    from lsif.reader.elements import MetaData
    from lsif.references.collected import Collected
    from lsif.workers import Workers

    PathOf = Callable[[str], str | None]
    """The path under the root of a document's URI, None if it is outside."""


class Assembly(NamedTuple):
    """The files to read, by path, and what is the same for all of them."""

    meta: MetaData
    files: dict[str, DumpedFile]
    test_modules: frozenset[str]
    """Files and folders that only tests compile."""
    collected: Collected | None
    """The dump's references; None if nobody wants them."""


class Assembler:
    """Reads a dump; counts its definitions in a ledger, and those that it skips in `skipped`."""

    def __init__(self, dump: Path, root: Path, ledger: ParseLedger, skipped: Counter[str]) -> None:
        self._dump, self._root, self._ledger, self._skipped = dump, root, ledger, skipped

    def assemble(
        self,
        inventory: Inventory,
        workers: Workers,
        *,
        max_bad_lines: int,
        dump_format: Format = "auto",
        places: Path | None = None,
    ) -> Assembly:
        """Return the files to read. Raises DumpError if the dump is none, or empty.

        The folder `places` takes the places of references; without it there are none.
        """
        lines = ReadLedger()
        tables = read_dump(
            self._dump,
            lines,
            max_bad_lines=max_bad_lines,
            dump_format=dump_format,
            workers=workers,
            places=places,
            root=self._root,
        )
        graph = self._checked(Graph(tables), lines)
        base = base_of(graph.document_uris, graph.project_root, self._root)
        paths: dict[str, str | None] = {}

        def path_of(uri: str) -> str | None:
            if uri not in paths:
                paths[uri] = relative_path(uri, base, self._root)
            return paths[uri]

        outlines = {
            path: outline
            for uri, outline in graph.outlines(lambda uri: path_of(uri) is not None).items()
            if (path := path_of(uri)) is not None
        }
        inventory.leave_out_output(outlines)
        outlines = {
            path: outline for path, outline in outlines.items() if not inventory.is_output(path)
        }
        chosen = inventory.choose(path for path in outlines if path.endswith(".rs"))
        for_tests = not inventory.source_items
        surveying = workers.submit(survey, self._root, chosen, for_tests)
        files = self._files(graph, outlines, inventory, path_of)
        self._count_references(graph, path_of)
        if not self._ledger.definitions and not (inventory.source_items and chosen):
            raise DumpError(
                f"{self._dump} holds no definition. "
                "Is the repository a Cargo project with Rust files in its crates? "
                "If they are for another platform, switch them on: rust_analyzer.cfg."
            )
        declared, traits = surveying.result()
        if inventory.source_items:
            modules = module_files(self._root, set(chosen), declared)
            trait_docs = TraitDocs(traits, modules)
            for path in chosen:
                known = files.get(path) or DumpedFile(
                    outlines.get(path) or Outline("rust"), [], in_dump=path in outlines
                )
                if not known.in_dump and not modules[path].is_declared:
                    self._ledger.files_undeclared += 1
                is_generated = inventory.selection.is_generated(path)
                files[path] = known._replace(
                    module=modules[path], is_generated=is_generated, trait_docs=trait_docs.of(path)
                )
        kept = {path for path in outlines if not inventory.selection.leaves_out(path)}
        collected = collect(graph, kept | files.keys(), path_of, places) if places else None
        return Assembly(graph.meta, files, cfg_test_places(declared), collected)

    def _checked(self, graph: Graph, lines: ReadLedger) -> Graph:
        """Return the graph if the dump is complete; note what was read."""
        graph.check_complete()
        ledger = self._ledger
        ledger.format, ledger.lines, ledger.bad_lines = lines.format, lines.lines, lines.bad_lines
        ledger.first_bad = lines.first_bad
        ledger.duplicate_symbols = lines.duplicate_symbols
        ledger.tool, ledger.documents = graph.meta.tool, graph.document_count
        return graph

    def _files(
        self,
        graph: Graph,
        outlines: Mapping[str, Outline],
        inventory: Inventory,
        path_of: PathOf,
    ) -> dict[str, DumpedFile]:
        """Return the files with definitions under the root; count all definitions."""
        files: dict[str, DumpedFile] = {}
        for definition in graph.definitions(lambda uri: path_of(uri) is not None):
            self._ledger.definitions += 1
            path = path_of(definition.document_uri) or ""
            if inventory.is_output(path):
                self._skipped["build_output"] += 1
                continue
            if inventory.selection.leaves_out(path):
                self._skipped["excluded"] += 1
                continue
            if path not in files:
                files[path] = DumpedFile(outlines[path], [])
            files[path].definitions.append(definition)
        self._ledger.definitions += graph.skipped.total()
        self._skipped += graph.skipped
        return files

    def _count_references(self, graph: Graph, path_of: PathOf) -> None:
        packages: dict[str, str | None] = {}

        def package_of(uri: str) -> str | None:
            path = path_of(uri)
            if path is None:
                return None
            folder = path.rpartition("/")[0]
            if folder not in packages:
                packages[folder] = package_folder(self._root, path)
            return packages[folder]

        ledger = self._ledger
        ledger.references_between_packages = graph.references_between(package_of)
        ledger.packages = len({package for package in packages.values() if package is not None})
