"""How many threads torch computes with on the CPU."""

import torch

from configs.schema import Config
from training.ranks.distributed import Place


def learner_threads(config: Config, place: Place) -> int:
    """Return torch's threads on the CPU; small networks on state vectors are fastest with one."""
    if config.run.learner_threads != "auto":
        return config.run.learner_threads
    return place.cores if config.observes_pixels else 1


def set_threads(device: torch.device, threads: int) -> None:
    """Set torch's threads on the CPU; on a GPU leave them to torch's default."""
    if device.type == "cpu":
        torch.set_num_threads(threads)
