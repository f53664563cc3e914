"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def cpu_model() -> str:
    """The processor's name, as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def file_system(path: Path) -> str:
    """Type of the file system that holds ``path``."""
    command = ["df", "--output=fstype", str(path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return printed.split()[-1]


def memory_gib() -> float:
    """Physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def describe(work: Path) -> dict[str, str]:
    """The machine as label and value; ``work`` is where the trees lie."""
    return {
        "cpu": cpu_model(),
        "cores": str(cores()),
        "memory": f"{memory_gib():.0f} GiB",
        "kernel": platform.release(),
        "file system": file_system(work),
        "load at start": f"{os.getloadavg()[0]:.2f}",
    }
