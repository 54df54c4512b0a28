"""Errors of a search.

SearchError                 the query can't be searched with
StructureMissing            the index has no such structure
FileUnknown                 the index has no such file
ProjectUnknown              a request names a project that is not indexed
MapFailed                   the map of the structures can't be made
EvaluationError             a file of judged queries can't be read
CalibrationError            a calibration can't be read, fitted or written
"""

from configs.errors import LsifIngestError


class SearchError(LsifIngestError):
    """The query can't be searched with."""


class StructureMissing(LsifIngestError):
    """The index has no such structure."""


class FileUnknown(LsifIngestError):
    """The index has no such file."""


class ProjectUnknown(LsifIngestError):
    """A request names a project that is not indexed."""


class MapFailed(LsifIngestError):
    """The map of the structures can't be made."""


class EvaluationError(LsifIngestError):
    """A file of judged queries can't be read."""


class CalibrationError(LsifIngestError):
    """A calibration can't be read, fitted or written."""
