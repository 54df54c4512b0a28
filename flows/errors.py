"""What can go wrong with a run as a whole.

FlowError
├── ClusterError            the workers that are to embed are not to be had
├── LedgerError             what came out of a stage is not what went into the next
├── VerifyError             an index does not hold what its records say
├── ChecksFailed            something that a run needs is missing
├── CheckoutError           the sources of a git URL or ref can't be had
│   └── RepositoryUnreachable  the repository can't be reached now; it may answer later
├── ServerUnreachable       the Prefect server does not answer
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


class CheckoutError(FlowError):
    """The sources of a git URL or ref can't be had."""


class RepositoryUnreachable(CheckoutError):
    """The repository can't be reached now; it may answer later."""

    retryable = True


class ServerUnreachable(FlowError):
    """The Prefect server does not answer."""


class UsageError(FlowError):
    """The command line asks for something that makes no sense."""
