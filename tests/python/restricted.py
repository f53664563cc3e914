"""Run a program with fewer rights or descriptors than the tests have.

``python restricted.py [--descriptors N] [--ordinary] PROGRAM ARGUMENT...``: a program of its own,
as a process with threads had better not fork and then do such things itself.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_FOWNER = 1, 2, 3


def command(descriptors: int | None = None, ordinary: bool = False) -> list[str]:
    """The words to put before a program so that it runs restricted.

    ``descriptors`` limits how many it may open. If ``ordinary``, permission bits apply to it even
    if it is root's: the user stays the same, so that an interpreter which only root can reach
    still starts, but loses the right to override them.
    """
    flags = [] if descriptors is None else ["--descriptors", str(descriptors)]
    flags += ["--ordinary"] if ordinary else []
    return [sys.executable, str(Path(__file__).resolve()), *flags] if flags else []


def give_up_overrides() -> None:
    """Drop, for the program about to be executed, root's right to ignore permission bits."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_FOWNER):
        if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot drop a capability")


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


_CAPABILITY_VERSION = 0x20080522


@contextmanager
def ordinary_thread() -> Iterator[None]:
    """Let permission bits apply to this thread and those it starts, even if they are root's."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = _CapabilityHeader(_CAPABILITY_VERSION, 0)
    sets = (_Capabilities * 2)()

    def call(name: str) -> None:
        if getattr(libc, name)(ctypes.byref(header), sets) != 0:
            raise OSError(ctypes.get_errno(), name)

    call("capget")
    before = sets[0].effective
    sets[0].effective &= ~(1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH)
    call("capset")
    try:
        yield
    finally:
        sets[0].effective = before
        call("capset")


def become_nobody() -> None:
    """Turn this whole process, which must be root's, into an ordinary user's.

    Everything it needs must have been imported already: that user may not be able to read the
    interpreter's files.
    """
    os.chdir("/")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--descriptors", type=int)
    parser.add_argument("--ordinary", action="store_true")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    wanted = parser.parse_args()
    if wanted.descriptors is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted.descriptors, wanted.descriptors))
    if wanted.ordinary:
        give_up_overrides()
    os.execv(wanted.program[0], wanted.program)


if __name__ == "__main__":
    main()
