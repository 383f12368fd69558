"""What a pool may take: seconds, replacements, file descriptors."""

import os
import resource
from dataclasses import dataclass

from configs.errors import ConfigurationError

DESCRIPTORS_PER_WORKER = 4  # its pipe, both ends while it starts, and what multiprocessing keeps
SPARE_DESCRIPTORS = 16


@dataclass(frozen=True)
class Limits:
    """Seconds that a step and a build, reset or restore may take; lost workers to be replaced."""

    step_timeout: float
    reset_timeout: float
    max_restarts: int


def check_descriptors(num_workers: int) -> None:
    """Refuse a start that would run out of file descriptors half-way.

    Raises:
        ConfigurationError: it would.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    present = len(os.listdir("/proc/self/fd"))
    needed = present + num_workers * DESCRIPTORS_PER_WORKER + SPARE_DESCRIPTORS
    if needed > limit:
        raise ConfigurationError(
            f"{num_workers} worker processes need {needed} open files and this process may have "
            f"{limit}: raise the limit (ulimit -n) or use fewer worker processes"
        )
