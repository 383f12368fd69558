"""How busy the first GPU is while something runs, as nvidia-smi says."""

import shutil
import statistics
import subprocess
import threading
import time
from types import TracebackType
from typing import NamedTuple, Self

SECONDS_BETWEEN = 0.5
PATIENCE = 10.0  # seconds for an answer
QUERY = (
    "nvidia-smi",
    "--id=0",
    "--query-gpu=utilization.gpu,memory.used,power.draw",
    "--format=csv,noheader,nounits",
)


class Reading(NamedTuple):
    """Seconds since 1970, percent of the time in which a kernel ran, MiB taken, watts."""

    time: float
    busy: float
    memory: float
    power: float


def read_line(line: str, now: float) -> Reading | None:
    """Return what a line of nvidia-smi says, None where it is no three numbers."""
    try:
        busy, memory, power = (float(part) for part in line.split(","))
    except ValueError:
        return None
    return Reading(now, busy, memory, power)


def summary(readings: list[Reading]) -> dict[str, float] | None:
    """Return mean and largest use; None without readings."""
    if not readings:
        return None
    return {
        "gpu_busy_percent": statistics.fmean(reading.busy for reading in readings),
        "gpu_memory_mib": max(reading.memory for reading in readings),
        "gpu_watts": statistics.fmean(reading.power for reading in readings),
        "gpu_readings": float(len(readings)),
    }


class Meter:
    """Reads twice a second in a thread, from entry to exit; nothing without nvidia-smi."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="meter", daemon=True)

    def __enter__(self) -> Self:
        if shutil.which(QUERY[0]) is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def summary(self, span: tuple[float, float]) -> dict[str, float] | None:
        """Return what was read within a span of time, seconds since 1970."""
        begin, end = span
        return summary([each for each in self._readings if begin <= each.time <= end])

    def _read(self) -> None:
        while not self._over.wait(SECONDS_BETWEEN):
            try:
                said = subprocess.run(
                    QUERY, capture_output=True, text=True, timeout=PATIENCE, check=False
                ).stdout
            except (OSError, subprocess.TimeoutExpired):
                continue
            reading = read_line(said.strip(), time.time())
            if reading is not None:
                self._readings.append(reading)
