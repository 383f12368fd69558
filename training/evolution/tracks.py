"""The seeds of the episodes that controllers are judged by."""

from training.building.seeding import stream_seed


def training_seeds(run_seed: int, generation: int, trials: int) -> list[int]:
    """Return what the environments of a generation are reset with; all members play the same.

    They are even, those of evaluations are odd: no evaluation meets what was trained on.
    """
    purpose = f"episodes of generation {generation}"
    return [stream_seed(run_seed, purpose, trial) & ~1 for trial in range(trials)]


def evaluation_seeds(run_seed: int, trials: int) -> list[int]:
    """Return the seeds of an evaluation's episodes, the same in each one."""
    return [stream_seed(run_seed, "episodes of evaluations", trial) | 1 for trial in range(trials)]
