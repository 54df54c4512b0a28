"""What can go wrong in a run as a whole.

FlowError
├── ClusterError            the workers that should embed are not available
├── LedgerError             a stage did not get what the one before it gave
├── VerifyError             an index does not contain what its records say
├── ChangesUnknown          nothing says which lines changed since an index was made
├── Untested                no test reaches something that changed (exit code 3)
├── ChecksFailed            something that a run needs is missing
├── CheckoutError           the sources of a git URL or ref can't be fetched
│   └── RepositoryUnreachable  the repository can't be reached now, perhaps later
├── ServerUnreachable       the Prefect server does not answer
└── UsageError              the command line makes no sense (exit code 2)
"""

from configs.errors import LsifIngestError


class FlowError(LsifIngestError):
    """A failure of this package."""


class ClusterError(FlowError):
    """The workers that should embed are not available."""


class LedgerError(FlowError):
    """A stage did not get what the one before it gave."""


class VerifyError(FlowError):
    """An index does not contain what its records say."""


class ChangesUnknown(FlowError):
    """Nothing says which lines changed since an index was made."""


class Untested(FlowError):
    """No test reaches something that changed."""


class ChecksFailed(FlowError):
    """Something that a run needs is missing."""


class CheckoutError(FlowError):
    """The sources of a git URL or ref can't be fetched."""


class RepositoryUnreachable(CheckoutError):
    """The repository can't be reached now, perhaps later."""

    retryable = True


class ServerUnreachable(FlowError):
    """The Prefect server does not answer."""


class UsageError(FlowError):
    """The command line makes no sense."""
