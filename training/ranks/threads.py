"""How many threads torch computes with on the CPU."""

import torch

from configs.schema import Config
from training.ranks.distributed import Place


def learner_threads(config: Config, place: Place) -> int:
    """Return torch's threads on the CPU.

    Small networks on state vectors are fastest with one, and so is bfloat16 (see
    `settle_precision`).
    """
    run = config.run
    if run.learner_threads != "auto":
        return run.learner_threads
    return 1 if run.precision == "bfloat16" or not config.observes_pixels else place.cores


def set_threads(device: torch.device, threads: int) -> None:
    """Set torch's threads on the CPU; on a GPU leave them to torch's default."""
    if device.type == "cpu":
        torch.set_num_threads(threads)
