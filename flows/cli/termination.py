"""SIGTERM ends a command as Ctrl-C does.

A generation that is not finished is dropped, locks are released, child processes end. The exit code
is 143.
"""

from __future__ import annotations

import functools
import signal
import threading
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

P = ParamSpec("P")
R = TypeVar("R")

EXIT_CODE = 128 + signal.SIGTERM


class Terminated(BaseException):
    """SIGTERM came: from `docker stop`, a CI job's timeout, a service manager.

    It is no failure, and no handler of failures may catch it.
    """


def unwinding_on_sigterm(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, wrapped so that SIGTERM raises Terminated while it runs.

    While a flow runs, Prefect has its own handler; it ends the flow and sends the signal again.
    """

    @functools.wraps(function)
    def with_handler(*arguments: P.args, **options: P.kwargs) -> R:
        # Python sets handlers in the main thread only.
        if threading.current_thread() is not threading.main_thread():
            return function(*arguments, **options)
        before = signal.signal(signal.SIGTERM, _raise)
        try:
            return function(*arguments, **options)
        finally:
            signal.signal(signal.SIGTERM, before)

    return with_handler


def _raise(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
