"""What can go wrong with an index.

StorageError
├── IndexMissing            there is no such collection
├── IndexMismatch           the collection was made with other models, or is not this project's
├── IndexLocked             another process is writing it
├── IndexUnreachable        the server does not answer (a later try may succeed)
└── IndexRefused            the server refuses the API key
"""

from configs.errors import LsifIngestError


class StorageError(LsifIngestError):
    """A failure of this package."""


class IndexMissing(StorageError):
    """There is no such collection."""


class IndexMismatch(StorageError):
    """The collection was made with other models, or is not this project's."""


class IndexLocked(StorageError):
    """Another process is writing the index."""


class IndexUnreachable(StorageError):
    """The server does not answer."""

    retryable = True


class IndexRefused(StorageError):
    """The server refuses the API key."""
