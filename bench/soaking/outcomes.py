"""How an operation may end, and what interrupts it."""

from __future__ import annotations

import queue
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from soaking.trees import Places

#: It came to its end; it was given up half-way; it could not be done, as was to be expected.
DONE, CANCELLED, REFUSED = "done", "cancelled", "refused"


class StopError(Exception):
    """Raised by our own callbacks."""


class Interrupter:
    """Sends SIGINT, from a thread of its own, while a call is under way on the main thread."""

    def __init__(self) -> None:
        """Start the thread; outside of calls SIGINT does nothing from now on."""
        self._delays: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._over = threading.Event()
        self._settled = True
        signal.signal(signal.SIGINT, _ignore)
        threading.Thread(target=self._send, daemon=True).start()

    def interrupts(self, call: Callable[[], object], seconds: float) -> bool:
        """Make a call, which is interrupted after so long; return whether it was."""
        if threading.current_thread() is not threading.main_thread():
            call()
            return False

        def armed() -> None:
            self.arm(seconds)
            call()

        return self.guards(armed)

    def guards(self, call: Callable[[], object]) -> bool:
        """Make a call that may arm this, on the main thread; return whether it was interrupted."""
        interrupted = False
        try:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                call()
            finally:
                signal.signal(signal.SIGINT, _ignore)
        except KeyboardInterrupt:  # there is one for each call at most
            interrupted = True
        finally:
            signal.signal(signal.SIGINT, _ignore)
            self.disarm()
        return interrupted

    def arm(self, seconds: float) -> None:
        """Interrupt the main thread after so long."""
        self._over.clear()
        self._settled = False
        self._delays.put(seconds)

    def disarm(self) -> None:
        """Interrupt nothing any more; an interrupt that was sent already comes before the end."""
        self._over.set()
        while not self._settled:  # no lock, which would have to survive an interrupt
            time.sleep(0.0002)

    def _send(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        while True:
            if not self._over.wait(self._delays.get()):
                signal.pthread_kill(main, signal.SIGINT)
            self._settled = True


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame


@dataclass
class Context:
    """What an operation needs.

    :ivar rng: where its options come from
    :ivar scratch: an empty directory for what it writes
    """

    places: Places
    rng: random.Random
    interrupter: Interrupter
    scratch: Path
    seen: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, find: Callable[[], Any]) -> Any:
        """Return what does not change, and so is found out once."""
        if key not in self.seen:
            self.seen[key] = find()
        return self.seen[key]

    def soon(self, longest: float = 0.03) -> float:
        """Return some moment from now on, in seconds; earlier ones are likelier."""
        return longest * self.rng.random() ** 2

    def interrupts(self, call: Callable[[], object], longest: float = 0.03) -> bool:
        """Make a call that is interrupted at some moment; return whether it was."""
        return self.interrupter.interrupts(call, self.soon(longest))


Operation = Callable[[Context], str]


def check(fact: bool, *what: object) -> None:
    """Raise an AssertionError, also where assertions are switched off."""
    if not fact:
        raise AssertionError(" ".join(map(str, what))[:2000])


def must_raise(kind: type[BaseException], call: Callable[[], object]) -> None:
    """Make a call that cannot succeed."""
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{call}: no {kind.__name__}")
