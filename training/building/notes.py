"""What the user should know of how a run was started, beside what the run is."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from configs.typed import typed
from training.ranks.distributed import Place


def crowded_cores(place: Place) -> list[str]:
    """Return a note where agent processes share a core."""
    cores, ranks = len(os.sched_getaffinity(0)), place.local_world_size
    if ranks <= cores:
        return []
    return [
        f"{ranks} agent processes share {cores} core{'s' if cores > 1 else ''} and take turns; "
        f"{typed('--nproc_per_node', cores)} is as many as can run at once"
    ]


def undone_nohup(environment: Mapping[str, str]) -> list[str]:
    """Return a note where nohup was to protect torchrun, which takes the signal over from it.

    The shell leaves the name of the program that it has started under "_".
    """
    by_nohup = Path(environment.get("_", "")).name == "nohup"
    if not by_nohup or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return []
    return [
        "nohup does not protect torchrun: a closed terminal stops this run, saved; setsid or tmux "
        "keeps it going, or torchrun --signals-to-handle SIGTERM,SIGINT,SIGQUIT"
    ]
