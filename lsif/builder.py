"""Makes the records of one file from its items, in the order of its lines."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lsif.identifiers import plain_name
from lsif.items import FILE_MODULE
from lsif.snippets import bounded_docs, snippets_of
from lsif.structure import Context, Structure, make_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lsif.items import Finder, FoundItem
    from lsif.reader.hover import Hover
    from lsif.snippets import Snippet


_LONGEST_PATH = 2000
"""Characters of a symbol, or of a part of it."""


class _Shown(NamedTuple):
    """What a record shows of its source, bounded by the file's size."""

    snippet: Snippet
    docs: str | None
    docs_inherited: bool


class RecordBuilder:
    """Makes the records of one file."""

    def __init__(
        self,
        project: str,
        source: Finder,
        path: str,
        *,
        trait_docs: Mapping[str, Mapping[str, str]] | None,
        is_generated: bool,
    ) -> None:
        """`trait_docs` are the docs that members of impls inherit, None if hovers have them."""
        self.source = source
        self._project = project
        self._path = path
        self._trait_docs = trait_docs
        self._is_test = source.is_test()
        self._is_generated = is_generated
        posix = PurePosixPath(path)
        self._folder, self._file_name = posix.parent.name or project, posix.name

    def structures(self, items: Sequence[FoundItem], module: str) -> list[Structure]:
        """Return the records of the items, which are in the order of lines.

        `module` is the path of the file's own module.
        """
        lines, ordinals = self.source.lines, Counter[str]()
        inherited = [self._inherited_docs(found) for found in items]
        docs = [
            found.item.docstring or other for found, other in zip(items, inherited, strict=True)
        ]
        snippets, docs = snippets_of(lines, items), bounded_docs(docs, len(lines.data))
        return [
            self._structure(found, module, ordinals, _Shown(snippet, text, other is not None))
            for found, snippet, text, other in zip(items, snippets, docs, inherited, strict=True)
        ]

    def _structure(
        self, found: FoundItem, module: str, ordinals: Counter[str], shown: _Shown
    ) -> Structure:
        item, path, project = found.item, self._path, self._project
        # A module in a file of its own is an item of its parent, as an inline one is.
        module_path = (
            module.rpartition("::")[0]
            if found.column == FILE_MODULE
            else "::".join((module, *item.modules))
        )
        symbol = _shortened("::".join((module_path, *item.qualifiers, item.segment or item.name)))
        ordinal = ordinals[symbol]
        ordinals[symbol] += 1
        crate = module.partition("::")[0]
        definition = found.definition
        tag = definition.range.tag if definition is not None else None
        return Structure(
            name=item.name,
            signature=item.signature,
            code_type=item.code_type,
            docstring=shown.docs,
            line=item.row + 1,
            line_from=item.row_from + 1,
            line_to=item.row_to + 1,
            context=Context(
                module=self._folder,
                file_path=path,
                file_name=self._file_name,
                struct_name=item.owner and _shortened(item.owner),
                snippet=shown.snippet.text,
            ),
            id=make_id(project, crate, symbol, path, ordinal),
            symbol=symbol,
            crate=crate,
            module_path=_shortened(module_path),
            trait_name=item.trait_name and _shortened(item.trait_name),
            visibility=item.visibility,
            is_test=item.is_test or self._is_test or (tag is not None and tag.is_test),
            docs_inherited=shown.docs_inherited,
            generated=self._is_generated or (tag is not None and tag.is_generated),
            origin="source" if definition is None else "index",
            references=definition.references if definition else 0,
            referencing_files=definition.referencing_files if definition else 0,
            snippet_from=0 if shown.snippet.row is None else shown.snippet.row + 1,
        )

    def _inherited_docs(self, found: FoundItem) -> str | None:
        """Return the docs of the trait's member for an undocumented member of a trait's impl."""
        item = found.item
        if item.docstring is not None or item.visibility != "inherited":
            return None
        if self._trait_docs is None:
            return _hover_docs(found.hover)
        return self._trait_docs.get(plain_name(item.trait_name or ""), {}).get(
            plain_name(item.name)
        )


def _shortened(path: str) -> str:
    """Return the path, or its beginning: each member of an impl repeats the type's name."""
    return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}\u2026"


def _hover_docs(hover: Hover | None) -> str | None:
    """Return what a hover documents.

    For an alias rust-analyzer shows the docs of the type behind it, and says so; these are not
    the alias's own.
    """
    docs = hover.docs if hover is not None else None
    return None if docs and docs.startswith("*This is the documentation for*") else docs
