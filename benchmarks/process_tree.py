"""What a program and all the processes it started have taken: CPU time and memory."""

import time
from pathlib import Path

import psutil

SCAN_EVERY = 1.0  # seconds between two looks for new processes, which cost more than a clock
_PROCESS_CLOCK = 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h


class ProcessTree:
    """The process `pid` and its descendants; those that have ended are remembered.

    Attributes:
        peak_memory: MB, the most that was seen at once.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cpu: dict[int, float] = {}  # seconds, of every process ever seen
        self._scanned = float("-inf")
        self.peak_memory = 0.0

    def cpu_seconds(self) -> float:
        """Return the CPU time so far, of all threads of all processes."""
        if time.monotonic() - self._scanned >= SCAN_EVERY:
            self._scan()
        for pid, before in self._cpu.items():
            self._cpu[pid] = max(before, _cpu_seconds(pid))
        return sum(self._cpu.values())

    def _scan(self) -> None:
        """Look for new processes, and at the memory of all."""
        self._scanned = time.monotonic()
        try:
            root = psutil.Process(self._pid)
            alive = [root.pid, *(child.pid for child in root.children(recursive=True))]
        except psutil.NoSuchProcess:
            return
        for pid in alive:
            self._cpu.setdefault(pid, 0.0)
        self.peak_memory = max(self.peak_memory, sum(map(proportional_memory, alive)))


def proportional_memory(pid: int) -> float:
    """Return a process's MB, shared pages divided among their users; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    kibibytes = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return kibibytes * 1024 / 1e6


def _cpu_seconds(pid: int) -> float:
    """Return a process's CPU time to the nanosecond, ended threads included; 0 if it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | _PROCESS_CLOCK)
    except OSError:
        return 0.0
