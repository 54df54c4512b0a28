"""Makes the records of one file from its items, in the order of its lines."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lsif.items import FILE_MODULE
from lsif.structure import Context, Structure, make_id

if TYPE_CHECKING:
    from lsif.items import Finder, FoundItem


class RecordBuilder:
    """Makes the records of one file."""

    def __init__(
        self,
        project: str,
        source: Finder,
        path: str,
        module: str,
        *,
        is_generated: bool,
    ) -> None:
        self._project = project
        self._source = source
        self._path = path
        self._module = module
        self._is_test = source.is_test()
        self._is_generated = is_generated
        posix = PurePosixPath(path)
        self._folder, self._file_name = posix.parent.name or project, posix.name
        self._ordinals: Counter[str] = Counter()

    def structure(self, found: FoundItem) -> Structure:
        """Return the record of an item; must be called in the order of lines."""
        item, path, project = found.item, self._path, self._project
        # A module in a file of its own is an item of its parent, as an inline one is.
        module_path = (
            self._module.rpartition("::")[0]
            if found.column == FILE_MODULE
            else "::".join((self._module, *item.modules))
        )
        symbol = "::".join((module_path, *item.qualifiers, item.segment or item.name))
        ordinal = self._ordinals[symbol]
        self._ordinals[symbol] += 1
        crate = self._module.partition("::")[0]
        inherited_docs, definition = _inherited_docs(found), found.definition
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
                snippet=self._source.snippet(item.row_from, item.row_to),
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


def _inherited_docs(found: FoundItem) -> str | None:
    """Return the docs of the trait's member for an undocumented member of a trait's impl.

    For an alias rust-analyzer shows the docs of the type behind it, and says so; these are not
    the alias's own.
    """
    hover = found.hover
    if (
        found.item.docstring is not None
        or found.item.visibility != "inherited"
        or hover is None
        or hover.docs is None
    ):
        return None
    return None if hover.docs.startswith("*This is the documentation for*") else hover.docs
