"""What the kernel and the allocators count of a process."""

from __future__ import annotations

import ctypes
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks")


def sample(pid: int) -> dict[str, int]:
    """Count memory (KiB), descriptors and threads of a process."""
    proc = Path(f"/proc/{pid}")
    lines = (line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    status = dict(lines)
    return {
        "rss": int(status["VmRSS"].split()[0]),
        "anonymous": int(status["RssAnon"].split()[0]),
        # The listing has a descriptor of its own where a process looks at itself.
        "descriptors": len(os.listdir(proc / "fd")) - (pid == os.getpid()),  # noqa: PTH208
        "threads": len(os.listdir(proc / "task")),  # noqa: PTH208
    }


def settled_sample(at_least: float, at_most: float = 20.0) -> dict[str, int]:
    """Count of this process once descriptors and threads have been the same for a while.

    :param at_least: seconds after which those that are kept for the next call are gone
    """
    begun = since = time.monotonic()
    gc.collect()
    before = sample(os.getpid())
    while (now := time.monotonic()) - begun < at_most:
        if now - begun >= at_least and now - since >= 1.0:
            break
        time.sleep(0.1)
        after = sample(os.getpid())
        held_up = time.monotonic() - now > 0.5  # and so may those be that are about to leave
        if held_up or any(after[name] != before[name] for name in ("descriptors", "threads")):
            since = time.monotonic()
        before = after
    gc.collect()
    return {**sample(os.getpid()), **_allocated()}


def released_sample() -> dict[str, int]:
    """Count of this process once its allocators have given back what they only hold."""
    import pyarrow

    pyarrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc's
        trim(0)
    return sample(os.getpid())


def _allocated() -> dict[str, int]:
    """What is handed out by those who allocate, in KiB, and by Python, in objects."""
    import pyarrow

    return {
        "arrow": pyarrow.total_allocated_bytes() >> 10,
        "objects": len(gc.get_objects()),
        **_malloc(),
    }


def _malloc() -> dict[str, int]:
    """KiB that glibc's malloc has handed out, and that it has from the system, of all arenas."""
    look: Callable[[], _Mallinfo] | None = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if look is None:  # another libc, or before 2.33
        return {}
    look.restype = _Mallinfo  # type: ignore[attr-defined]
    found = look()
    used = found.uordblks + found.hblkhd
    return {"malloc_used": used >> 10, "malloc_held": (found.arena + found.hblkhd) >> 10}


class _Mallinfo(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in (*_FIELDS, "fordblks", "keepcost"))
