"""Comparisons under way: started in the core, and waited for."""

from __future__ import annotations

import atexit
import errno
import math
import os
import threading
import time
from collections.abc import Callable

from komparu import _core
from komparu._errors import ComparisonTimeoutError, error_of

# Seconds between two looks for signals while waiting.
_POLL_INTERVAL = 0.05

_lock = threading.Lock()
_pool: _core.Pool | None = None
# A pool does not survive a fork: its threads are gone, its locks in any state. It is left alone.
_abandoned: list[_core.Pool | None] = []


def pool() -> _core.Pool:
    """Return the threads that all comparisons of this process share."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = _core.Pool()
        return _pool


def _after_fork() -> None:
    global _lock, _pool
    _lock = threading.Lock()
    _abandoned.append(_pool)
    _pool = None


os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _at_exit() -> None:
    """Stop what is under way while the libraries that it uses are still there."""
    if _pool is not None:
        _pool.close()


def await_end(
    comparison: _core.Comparison,
    timeout: float | None,
    poll: Callable[[], None] | None = None,
) -> None:
    """Wait until a comparison has an answer; cancel it when that cannot be waited for.

    :param poll: called now and then meanwhile

    :raises KomparuError: when there is none
    """
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    try:
        while not comparison.wait(min(_POLL_INTERVAL, max(deadline - time.monotonic(), 0))):
            if time.monotonic() >= deadline:
                raise timed_out(timeout)
            if poll is not None:
                poll()
    except BaseException:
        comparison.cancel()
        raise
    raise_failure(comparison)


def timed_out(timeout: float | None) -> ComparisonTimeoutError:
    """Return the error for a comparison that took too long."""
    return ComparisonTimeoutError(errno.ETIMEDOUT, f"the comparison took longer than {timeout:g} s")


def raise_failure(comparison: _core.Comparison) -> None:
    """Raise what ended a comparison without an answer, if anything did."""
    failure = comparison.failure()
    if failure is not None:
        raise error_of(*failure)
