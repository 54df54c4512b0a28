"""What can go wrong with an index.

StorageError
├── IndexMissing            there is no such collection
├── IndexDamaged            what is stored can't be read
├── IndexMismatch           the collection was made with other models, or is not this project's
├── IndexShrinks            it would lose too much of what it has
├── IndexLocked             another process is writing it
├── IndexUnreachable        the server does not answer (a later try may succeed)
├── IndexUnready            the server does not get ready in time
├── RequestRejected         the server objects to what a request holds
└── KeyRejected             the server rejects the API key
"""

from configs.errors import LsifIngestError


class StorageError(LsifIngestError):
    """A failure of this package."""


class IndexMissing(StorageError):
    """There is no such collection."""

    ADVICE = "Make one: lsif-ingest ingest --repo DIR"


class IndexDamaged(StorageError):
    """What is stored can't be read."""


class IndexMismatch(StorageError):
    """The collection was made with other models, or is not this project's."""


class IndexShrinks(StorageError):
    """The index would lose too much of what it has."""


class IndexLocked(StorageError):
    """Another process is writing the index."""


class IndexUnreachable(StorageError):
    """The server does not answer."""

    retryable = True

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds that the server asks to wait for."""


class IndexUnready(StorageError):
    """The server does not get ready in time."""

    retryable = True


class RequestRejected(StorageError):
    """The server objects to what a request holds."""


class KeyRejected(StorageError):
    """The server rejects the API key."""
