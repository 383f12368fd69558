"""How often a run does what it does now and then."""

from configs.schema import Config

ENV_STEPS_PER_ROW = 2048  # of all ranks, where LogEvery = auto


def updates_per_row(config: Config, world_size: int) -> int:
    """Return the updates between two log rows."""
    run = config.run
    if run.log_every != "auto":
        return run.log_every
    env_steps = config.steps_per_update * run.num_envs * world_size
    return max(1, round(ENV_STEPS_PER_ROW / env_steps))
