"""What fills rollouts: in turn with learning, or beside it."""

from contextlib import ExitStack

from agents.ppo.acting import EarlierPolicy
from agents.ppo.ppo_agent import PPOAgent
from agents.ppo.side_by_side import learning_thread
from agents.rollout import RolloutBuffer
from training.building.seeding import make_generator
from training.loop.collector import Collector
from training.loop.overlapping import OverlappingRollouts
from training.loop.rollouts import Rollouts, RolloutsInTurn
from training.loop.stopwatch import Stopwatch
from training.parts import Parts
from workers.environment_pool import EnvironmentPool


def build_rollouts(
    parts: Parts,
    pool: EnvironmentPool,
    agent: PPOAgent,
    rollout: RolloutBuffer,
    stopwatch: Stopwatch,
    steps_before: int,
    stack: ExitStack,
) -> tuple[Collector, Rollouts]:
    """Build the collector of the first rollout, and what collects while the agent trains.

    Args:
        parts: what everything is made from.
        pool, agent, rollout, stopwatch: this rank's.
        steps_before: as in `assembly.make_pool`, for the random stream of acting.
        stack: ends the thread, where there is one, before the pool.
    """
    config = parts.config
    reward = config.environment.learning_reward
    first = Collector(pool, rollout, reward, stopwatch)
    if not config.run.overlap_collection:
        return first, RolloutsInTurn(first, agent.act, parts.stop)
    purpose = f"acting beside learning from env step {steps_before}"
    generator = make_generator(config.run.seed, purpose, parts.ranks.rank, agent.device)
    second = Collector(
        pool, agent.learner.new_rollout(rollout.shape, agent.device), reward, stopwatch
    )
    return first, OverlappingRollouts(
        (first, second),
        EarlierPolicy(agent.learner, generator),
        stack.enter_context(learning_thread(agent.device)),
        parts.stop,
        stopwatch,
    )
