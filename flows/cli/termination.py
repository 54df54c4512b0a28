"""SIGTERM ends a command as Ctrl-C does: what was built aside is dropped, locks and child processes end, the exit code is 143."""

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
    """SIGTERM came: from `docker stop`, a CI job's timeout, a service manager. No failure: nothing may catch it on its way."""


def unwinding_on_sigterm(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function so that SIGTERM raises Terminated where it is at work, and does what it did before afterwards.

    While a flow runs Prefect has a handler of its own; it ends the flow, then sends the signal again to this one.
    """

    @functools.wraps(function)
    def with_handler(*arguments: P.args, **options: P.kwargs) -> R:
        if (
            threading.current_thread() is not threading.main_thread()
        ):  # only there may handlers be set
            return function(*arguments, **options)
        before = signal.signal(signal.SIGTERM, _raise)
        try:
            return function(*arguments, **options)
        finally:
            signal.signal(signal.SIGTERM, before)

    return with_handler


def _raise(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
