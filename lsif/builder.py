"""Makes the records of one file from its items, in the order of its lines."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lsif.identifiers import plain_name
from lsif.items import FILE_MODULE
from lsif.structure import Context, Structure, make_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lsif.items import Finder, FoundItem
    from lsif.reader.hover import Hover


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

    def structures(self, items: Iterable[FoundItem], module: str) -> list[Structure]:
        """Return the records of the items, which are in the order of lines.

        `module` is the path of the file's own module.
        """
        ordinals: Counter[str] = Counter()
        return [self._structure(found, module, ordinals) for found in items]

    def _structure(self, found: FoundItem, module: str, ordinals: Counter[str]) -> Structure:
        item, path, project = found.item, self._path, self._project
        # A module in a file of its own is an item of its parent, as an inline one is.
        module_path = (
            module.rpartition("::")[0]
            if found.column == FILE_MODULE
            else "::".join((module, *item.modules))
        )
        symbol = "::".join((module_path, *item.qualifiers, item.segment or item.name))
        ordinal = ordinals[symbol]
        ordinals[symbol] += 1
        crate = module.partition("::")[0]
        inherited_docs, definition = self._inherited_docs(found), found.definition
        return Structure(
            name=item.name,
            signature=item.signature,
            code_type=item.code_type,
            docstring=item.docstring or inherited_docs,
            line=item.row + 1,
            line_from=item.row_from + 1,
            line_to=item.row_to + 1,
            context=Context(
                module=self._folder,
                file_path=path,
                file_name=self._file_name,
                struct_name=item.owner,
                snippet=self.source.snippet(item.row_from, item.row_to),
            ),
            id=make_id(project, crate, symbol, path, ordinal),
            symbol=symbol,
            crate=crate,
            module_path=module_path,
            trait_name=item.trait_name,
            visibility=item.visibility,
            is_test=item.is_test or self._is_test,
            docs_inherited=inherited_docs is not None,
            generated=self._is_generated,
            origin="source" if definition is None else "index",
            references=definition.references if definition else 0,
            referencing_files=definition.referencing_files if definition else 0,
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


def _hover_docs(hover: Hover | None) -> str | None:
    """Return what a hover documents.

    For an alias rust-analyzer shows the docs of the type behind it, and says so; these are not
    the alias's own.
    """
    docs = hover.docs if hover is not None else None
    return None if docs and docs.startswith("*This is the documentation for*") else docs
