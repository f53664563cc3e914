"""What the figures were measured on, and how quiet it was meanwhile."""

from __future__ import annotations

import datetime
import os
import platform
import resource
import subprocess
import time
from pathlib import Path

from figures import Circumstances

ROOT = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def cpu_model() -> str:
    """The processor's name, as the kernel gives it."""
    information = Path("/proc/cpuinfo").read_text()
    virtual = " (virtual machine)" if " hypervisor" in information else ""
    for line in information.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip() + virtual
    return platform.machine()


def file_system(path: Path) -> str:
    """Type of the file system that holds ``path``."""
    command = ["df", "--output=fstype", str(path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return printed.split()[-1]


def memory_gib() -> float:
    """Physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def system() -> str:
    """The distribution's name."""
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def commit() -> str:
    """What is measured, as git names it; ``+`` when it was changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--dirty=+"]
    done = subprocess.run([*command, "--exclude=*"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def describe(work: Path) -> dict[str, str]:
    """The machine as label and value; ``work`` is where the trees lie."""
    return {
        "cpu": cpu_model(),
        "cores": str(cores()),
        "memory": f"{memory_gib():.0f} GiB",
        "system": system(),
        "kernel": platform.release(),
        "file system": file_system(work),
    }


def _own_cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _busy_and_stolen() -> tuple[float, float]:
    """Seconds that all cores together were busy, and seconds that a hypervisor withheld."""
    values = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, kernel, _idle, _waiting, hard, soft, stolen = map(int, values[:8])
    return (user + nice + kernel + hard + soft) / _TICKS, stolen / _TICKS


class Watch:
    """Notes the circumstances from its making on."""

    def __init__(self) -> None:
        self._started = datetime.datetime.now(datetime.timezone.utc)
        self._begun = time.monotonic()
        self._load = os.getloadavg()[0]
        self._own = _own_cpu()
        self._busy, self._stolen = _busy_and_stolen()

    def circumstances(self) -> Circumstances:
        """What was observed. The load average counts our own contenders, ``others`` does not."""
        seconds = time.monotonic() - self._begun
        busy, stolen = _busy_and_stolen()
        others = max(0.0, busy - self._busy - (_own_cpu() - self._own))
        return Circumstances(
            started=self._started.isoformat(timespec="seconds"),
            seconds=round(seconds, 1),
            commit=commit(),
            load_before=round(self._load, 2),
            load_after=round(os.getloadavg()[0], 2),
            others=round(others / seconds, 3),
            stolen=round((stolen - self._stolen) / seconds, 3),
        )
