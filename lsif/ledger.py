"""The ledger of a parse: every definition is a structure or was skipped for a reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

SKIP_REASONS = {
    "external": "defined outside the root: the standard library, dependencies, build output",
    "build_output": "a build wrote its file under the root, or git ignores it",
    "excluded": "its file is left out by parse.exclude or .gitattributes",
    "file_missing": "its file is not under the root",
    "file_unreadable": "its file is not UTF-8 or can't be read",
    "dangling": "an id between the definition and its position is not in the dump",
    "no_hover": "the dump says nothing about it",
    "local": "a local, parameter, generic, lifetime, label, builtin type or attribute",
    "field_or_variant": "a field or variant, part of its struct or enum; "
    "with rust-analyzer 0.0.340 also a generic",
    "crate_root": "a crate as a whole",
    "whole_file": "a file as a whole, as some indexers define it",
    "import": "an import's name for what is defined elsewhere",
    "undocumented_module": "a module without documentation",
    "self_type": "`Self`, which the dump has at the type in the impl's header",
    "same_place": "another definition has the same position "
    "(one file in several crates, `Self` in a trait)",
    "derived": "made by a derive; its name is not in the source",
    "macro_made": "made by a macro call that does not contain its name",
    "source_changed": "another text is at its position: "
    "the source has changed since the dump was made",
    "no_extent": "the grammar finds no item at its position",
}
"""Why a definition is no structure, and what that means."""

UNREAD_REASONS = {
    "missing": "git tracks it, but it is not there",
    "not_utf8": "it is not UTF-8",
    "not_regular": "it is no regular file, or a link that leaves the root",
    "unreadable": "the operating system refused to read it",
    "misnamed": "its path is not UTF-8",
}
"""Why a source file was not read, and what that means."""


@dataclass
class FolderLedger:
    """What became of the Rust files in one folder at the top of the root."""

    files: int = 0
    """As the next four, which add up to it where parse.source_items is on."""
    files_from_index: int = 0
    files_from_source: int = 0
    files_excluded: int = 0
    files_unread: int = 0
    from_index: int = 0
    """Structures."""
    from_source: int = 0
    """Structures, those of impl blocks included."""


@dataclass
class ParseLedger:
    """What happened to the lines, files and definitions of a dump."""

    format: str = ""
    """Of the dump: `lsif` or `scip`."""
    lines: int = 0
    """Of a dump of LSIF; an index of SCIP has documents, occurrences and symbols instead."""
    bad_lines: int = 0
    """Those of them that could not be read."""
    first_bad: list[str] = field(default_factory=list)
    duplicate_symbols: int = 0
    """Symbols that an index of SCIP describes again; the first description counts."""
    tool: str = ""
    documents: int = 0
    packages: int = 0
    """Cargo packages whose files the dump names."""
    references_between_packages: int = 0
    """Number of places that refer to a definition of another package. Without network or vendored
    dependencies rust-analyzer finds none."""
    files_read: int = 0
    files_from_dump: int = 0
    """Files that are not under the root but have a copy in the dump."""
    files_missing: int = 0
    first_missing: list[str] = field(default_factory=list)
    """The first three missing or unreadable files, relative to the root."""
    definitions: int = 0
    structures: int = 0
    blocks: int = 0
    """Blocks inside structures; 0 if none were asked for."""
    kinds: dict[str, int] = field(default_factory=dict)
    """Structures by code_type."""
    crates: dict[str, int] = field(default_factory=dict)
    """Structures by crate."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Definitions by the reason why they are no structures; SKIP_REASONS explains each."""
    first_stale: list[str] = field(default_factory=list)
    """The first three definitions that are not where the dump says, as `file:line: ...`."""
    snippets_checked: int = 0
    """Structures whose snippet was compared with the file's lines, read again."""
    snippets_cut: int = 0
    """Structures and blocks whose snippet is only a part of their lines: see Structure."""
    source_files: int = 0
    """Rust files under the root: those that git tracks (all where it tracks none), and those that
    the dump holds. They are the files from the index, from the source, excluded and unread; with
    parse.source_items off also those that are in no dump, which are in no other count."""
    files_from_index: int = 0
    """Rust files that the dump holds."""
    files_from_source: int = 0
    """Rust files that the dump does not hold."""
    files_undeclared: int = 0
    """Rust files that the dump does not hold and no module tree has."""
    files_excluded: int = 0
    """Rust files that settings or .gitattributes leave out."""
    files_unread: dict[str, int] = field(default_factory=dict)
    """Rust files by the reason why they could not be read; UNREAD_REASONS explains each."""
    first_unread: list[str] = field(default_factory=list)
    """The first three of them, as `path: reason`."""
    files_mended: int = 0
    """Rust files with syntax that the grammar does not know, read from a copy without it."""
    by_brackets: int = 0
    """Structures whose lines are those of their brackets and folding ranges, since the grammar
    could not read all of them."""
    first_by_brackets: list[str] = field(default_factory=list)
    """The first three of them, as `file:line`."""
    extents: int = 0
    """Structures whose extent the dump says, modules left out; indexes of SCIP do, and lsif-tsc."""
    extents_differ: int = 0
    """Those of them that end elsewhere by their source, which counts."""
    first_extents_differ: list[str] = field(default_factory=list)
    """The first three of them, as `file:line`."""
    from_source: int = 0
    """Structures that the dump does not hold, those of impl blocks included."""
    impls: int = 0
    """Structures that are impl blocks; no dump holds any."""
    places: int = 0
    """Places that refer to a structure or to a symbol outside, if they were asked for. References
    to locals, fields and variants, and those in files that are left out, are none of them."""
    places_digest: str = ""
    """Of the file of places; empty if they were not asked for."""
    folders: dict[str, FolderLedger] = field(default_factory=dict)
    """By folder at the top of the root; `.` stands for the files of the root itself."""

    @property
    def balanced(self) -> bool:
        """Whether definitions of the dump = structures from the dump + skipped."""
        return self.definitions == self.structures - self.from_source + sum(self.skipped.values())

    def to_dict(self) -> dict[str, object]:
        """Return the ledger as plain data."""
        return asdict(self)
