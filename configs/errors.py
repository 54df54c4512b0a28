"""The root of the error tree. Each package's errors.py draws its own part.

LsifIngestError
├── configs.errors.ConfigError
├── lsif.errors.LsifError
├── embedding.errors.EmbeddingError
├── storage.errors.StorageError
├── search.errors.SearchError
├── search.errors.ReferencesMissing
├── search.errors.StructureMissing
├── search.errors.FileUnknown
├── search.errors.ProjectUnknown
├── search.errors.MapFailed
├── search.errors.EvaluationError
├── search.errors.CalibrationError
└── flows.errors.FlowError
"""


class LsifIngestError(Exception):
    """A failure that its message explains in one or two lines: expected, found, what to do."""

    retryable = False
    """True if the same call may succeed a little later with nothing else changed."""


class ConfigError(LsifIngestError):
    """A configuration that can't be used."""
