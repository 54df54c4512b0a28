"""What can be wrong with a dump and the sources it speaks of.

LsifError
├── DumpError               the dump can't be read as LSIF
├── SourceError             the sources are not those that the dump was made of
├── StructuresError         a structures.jsonl can't be read
├── PlacesError             a file of places can't be read
└── RustAnalyzerError       rust-analyzer made no dump
    └── RustAnalyzerMissing there is no such program
"""

from configs.errors import LsifIngestError


class LsifError(LsifIngestError):
    """A failure of this package."""


class DumpError(LsifError):
    """The dump can't be read as LSIF."""


class SourceError(LsifError):
    """The sources are not those that the dump was made of."""


class StructuresError(LsifError):
    """A structures.jsonl can't be read."""


class PlacesError(LsifError):
    """A file of places can't be read."""


class RustAnalyzerError(LsifError):
    """rust-analyzer made no dump."""


class RustAnalyzerMissing(RustAnalyzerError):
    """There is no such program."""
