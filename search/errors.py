"""What can go wrong with a search.

SearchError                 the query can't be searched with
"""

from configs.errors import LsifIngestError


class SearchError(LsifIngestError):
    """The query can't be searched with."""
