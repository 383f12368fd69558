"""The loop: environments, a policy for each of them, and numbered episodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.collecting.numbering import environment_seed, policy_seed
from training.collecting.policies import Policy
from training.loop.assignments import Assignments
from training.recording.recorder import Lived, Recorder
from workers.environment_pool import EnvironmentPool
from workers.environments.parts.actions import in_units

TakeEpisode = Callable[[int, Lived], None]
"""Takes the number of an episode and what was lived in it."""


@dataclass
class Tally:
    """How far the loop is.

    Attributes:
        env_steps: of all environments.
        episodes, frames: that were kept.
    """

    env_steps: int = 0
    episodes: int = 0
    frames: int = 0


def play_numbers(
    pool: EnvironmentPool,
    policies: Sequence[Policy],
    numbers: Sequence[int],
    run_seed: int,
    take: TakeEpisode,
    go_on: Callable[[Tally], bool],
) -> Tally:
    """Play the episodes of these numbers, each once; those of a lost worker are played again.

    Args:
        pool: N environments in one group, made with_states and not reset yet.
        policies: one for each environment.
        numbers: of the episodes.
        run_seed: what their seeds follow from.
        take: is given each episode when it ends.
        go_on: asked after each step; where it says no, episodes under way are given up.
    """

    def seed_of(number: int) -> int:
        return environment_seed(run_seed, number)

    n, spec, tally = pool.num_environments, pool.spec, Tally()
    work = Assignments(numbers, n)
    pool.plan_resets(work.first_seeds(seed_of))
    observations = pool.reset()
    pool.plan_resets(work.seeds(seed_of))
    recorder = Recorder(pool, observations)
    _begin(policies, work, range(n), run_seed)
    actions = np.zeros(n if spec.discrete else (n, spec.num_actions), np.int64)
    if not spec.discrete:
        actions = actions.astype(np.float32)
    while not work.is_done:
        for row in np.flatnonzero(work.wanted).tolist():
            actions[row] = policies[row].act(observations[row])
        pool.send(0, actions)
        batch = pool.recv(0)
        observations = batch.observations
        lost = {episode.environment for episode in batch.episodes if episode.lost}
        lived = recorder.add(in_units(spec, actions), batch, work.wanted)  # as it was acted on
        tally.env_steps += n
        ended = np.flatnonzero(batch.terminated | batch.truncated).tolist()
        for row in ended:
            number = work.end(row, lost=row in lost)
            if number is not None:
                take(number, lived[row])
                tally.episodes += 1
                tally.frames += len(lived[row].observations)
        if ended:
            pool.plan_resets(work.seeds(seed_of))
            _begin(policies, work, ended, run_seed)
        if not go_on(tally):
            break
    return tally


def _begin(
    policies: Sequence[Policy], work: Assignments, rows: Sequence[int], run_seed: int
) -> None:
    """Tell the policies of these environments that an episode begins, where one is wanted."""
    for row in rows:
        number = work.current[row]
        if number is not None:
            policies[row].reset(policy_seed(run_seed, number))
