"""What can go wrong with a run as a whole.

FlowError
├── LedgerError             what came out of a stage is not what went into the next
└── UsageError              the command line asks for something that makes no sense (exit code 2)
"""

from configs.errors import LsifIngestError


class FlowError(LsifIngestError):
    """A failure of this package."""


class LedgerError(FlowError):
    """What came out of a stage is not what went into the next."""


class UsageError(FlowError):
    """The command line asks for something that makes no sense."""
