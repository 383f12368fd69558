"""How many threads torch computes with on the CPU."""

import torch

from configs.schema import Config, RunSection
from training.ranks.distributed import Place


def learner_threads(config: Config, place: Place) -> int:
    """Return torch's threads on the CPU for an agent.

    Small networks on state vectors are fastest with one.
    """
    if config.run.learner_threads == "auto" and not config.observes_pixels:
        return 1
    return model_threads(config.run, place)


def model_threads(run: RunSection, place: Place) -> int:
    """Return torch's threads on the CPU for a model on a dataset, whatever an agent would see.

    All cores of this rank, unless they are given; one in bfloat16 (see `bfloat16_pays`).
    """
    if run.learner_threads != "auto":
        return run.learner_threads
    return 1 if run.precision == "bfloat16" else place.cores


def set_threads(device: torch.device, threads: int) -> None:
    """Set torch's threads on the CPU; on a GPU leave them to torch's default."""
    if device.type == "cpu":
        torch.set_num_threads(threads)
