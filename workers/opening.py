"""From a configuration to a pool: who steps the environments.

The choice changes the speed alone: pools of either kind give the same results to the last bit.
"""

import functools
from dataclasses import dataclass

from configs.schema import Config, EnvironmentSection
from workers.environment_pool import EnvironmentPool
from workers.environments.base import Environment
from workers.environments.make import make_environment
from workers.environments.registered.global_streams import GlobalStreams
from workers.in_process import InProcessPool
from workers.pool import WorkerPool
from workers.step_cost import step_cost
from workers.stepping.owned_environments import BUILD_STREAM, MakeEnvironment

# An emulator or a physics engine costs more, and may crash; gymnasium's is foreign code.
NEVER_IN_THE_RANK = ("atari", "mario", "box2d", "mujoco", "gymnasium")
# Seconds of a step up to which environments stay in the rank. A message to a worker and back costs
# about 100 us; a renderer's picture takes several times as long as that.
CHEAP = 100e-6


@dataclass(frozen=True)
class Sizes:
    """How many environments there are, and their random streams.

    Attributes:
        num_environments, num_groups, base_seed, first_index: as in `WorkerPool`.
        num_workers: worker processes that were asked for, or None.
        cores: how many workers there are where none were asked for.
        made_alike: whether what environments draw while they are made is the same for all, so that
            a seeded reset gives the same episode in any of them.
    """

    num_environments: int
    num_groups: int
    base_seed: int
    first_index: int
    num_workers: int | None
    cores: int
    made_alike: bool = False


def open_pool(
    config: Config, sizes: Sizes, backend: str | None = None, *, with_states: bool = False
) -> EnvironmentPool:
    """Start the environments of `config`.

    Args:
        config: which environments, and what a pool may take.
        sizes: how many, and their random streams.
        backend: a value of WorkerBackend in place of the configuration's.
        with_states: whether states and labels come beside the observations; not from ale_vector,
            in whose place there are processes then.

    Raises:
        ScoutError: an environment could not be built, or there is no room for it.
    """
    backend = backend or config.run.worker_backend
    if with_states and backend == "ale_vector":
        backend = "processes"
    workers = min(sizes.num_workers or sizes.cores, sizes.num_environments)
    if backend == "ale_vector":
        # Other runs do without the emulator and its memory in the rank itself.
        from workers.ale_vector import AleVectorPool  # noqa: PLC0415

        return AleVectorPool(
            config.environment,
            num_environments=sizes.num_environments,
            num_threads=workers,
            num_groups=sizes.num_groups,
            base_seed=sizes.base_seed,
            first_index=sizes.first_index,
        )
    cost = None
    if sizes.num_workers is not None:
        backend = "processes"
    elif backend == "auto":
        cost = _cost_in_the_rank(config.environment, sizes.num_environments)
        backend = "in_process" if cost is not None and cost <= CHEAP else "processes"
    pool = (
        _in_process(config.environment, sizes, with_states=with_states)
        if backend == "in_process"
        else _in_workers(config, sizes, workers, with_states=with_states)
    )
    if cost is not None:
        pool.place += f": {cost * 1e6:,.0f} us a step"
    return pool


def _cost_in_the_rank(section: EnvironmentSection, num_environments: int) -> float | None:
    """Return the seconds of a step; None where the environment may not be built in the rank."""
    if section.env_type in NEVER_IN_THE_RANK:
        return None
    return step_cost(functools.partial(make_environment, section), num_environments)


def _maker(section: EnvironmentSection, sizes: Sizes) -> MakeEnvironment:
    if sizes.made_alike:
        return functools.partial(_make_alike, section, sizes.base_seed)
    return functools.partial(make_environment, section)


def _make_alike(section: EnvironmentSection, seed: int) -> Environment:
    with GlobalStreams(seed, BUILD_STREAM):
        return make_environment(section)


def _in_process(section: EnvironmentSection, sizes: Sizes, *, with_states: bool) -> EnvironmentPool:
    return InProcessPool(
        _maker(section, sizes),
        num_environments=sizes.num_environments,
        num_groups=sizes.num_groups,
        base_seed=sizes.base_seed,
        first_index=sizes.first_index,
        with_states=with_states,
    )


def _in_workers(
    config: Config, sizes: Sizes, num_processes: int, *, with_states: bool
) -> EnvironmentPool:
    run = config.run
    return WorkerPool(
        _maker(config.environment, sizes),
        num_environments=sizes.num_environments,
        num_processes=num_processes,
        num_groups=sizes.num_groups,
        base_seed=sizes.base_seed,
        first_index=sizes.first_index,
        step_timeout=run.step_timeout,
        reset_timeout=run.reset_timeout,
        max_restarts=run.max_worker_restarts,
        with_states=with_states,
    )
