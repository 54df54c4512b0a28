"""The root of every package's error tree.

LsifIngestError
├── configs.errors.ConfigError
├── lsif.errors.LsifError
├── embedding.errors.EmbeddingError
├── storage.errors.StorageError
├── search.errors.SearchError
└── flows.errors.FlowError
"""


class LsifIngestError(Exception):
    """A failure that its message explains: what was expected, what was found, and the way out, in one or two lines."""

    retryable = False
    """True where the same call may succeed a little later, nothing else changed."""


class ConfigError(LsifIngestError):
    """A configuration that can't be used."""
