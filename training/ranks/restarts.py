"""What torchrun --max-restarts means for a rank: whether it can work, and what a restart is."""

import os
import socket

from configs.errors import ConfigurationError
from training.folders.lock import process_start


def check_restarts() -> None:
    """Refuse --max-restarts where restarted ranks would read the addresses of the lost ones.

    Raises:
        ConfigurationError: with the variable to set.
    """
    restarts = os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")
    if restarts != "0" and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise ConfigurationError(
            f"torchrun --max-restarts {restarts} cannot re-join its ranks by default; start it "
            "again with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in its environment"
        )


def is_restart() -> bool:
    """Whether torchrun has started this rank before."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def launcher() -> str:
    """Name the process that started this one: its host, number and start.

    It tells the run that a restarted rank was at from one that lay there before.
    """
    parent = os.getppid()
    return f"{socket.gethostname()} {parent} {process_start(parent)}"
