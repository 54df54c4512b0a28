"""What can go wrong with a run as a whole.

FlowError
├── ClusterError            the workers that are to embed are not to be had
├── LedgerError             what came out of a stage is not what went into the next
├── VerifyError             an index does not hold what its records say
├── ChecksFailed            something that a run needs is missing
└── UsageError              the command line asks for something that makes no sense (exit code 2)
"""

from configs.errors import LsifIngestError


class FlowError(LsifIngestError):
    """A failure of this package."""


class ClusterError(FlowError):
    """The workers that are to embed are not to be had."""


class LedgerError(FlowError):
    """What came out of a stage is not what went into the next."""


class VerifyError(FlowError):
    """An index does not hold what its records say."""


class ChecksFailed(FlowError):
    """Something that a run needs is missing."""


class UsageError(FlowError):
    """The command line asks for something that makes no sense."""
