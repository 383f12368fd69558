"""An agent that acts and learns while a clock runs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from benchmarks.learner.agent import build_agent
from benchmarks.learner.made_up_play import MadeUpPlay
from configs.schema import Config


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU time, of all threads of this process, and of wall time."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Turn:
    """What an arm took: for a batch of observations, and for a sample and epoch of an update.

    An arm whose policy is compiled only acts.
    """

    act: Cost
    update: Cost | None


class Arm:
    """An agent on the CPU.

    Args:
        config: what it is built from.
        ranks: this process alone.
        compiled: let torch.compile translate the policy; the agent then only acts.
    """

    def __init__(self, config: Config, ranks: Ranks, *, compiled: bool) -> None:
        self._agent: PPOAgent = build_agent(config, ranks)
        self._epochs = config.ppo.epochs
        self._compiled = compiled
        if compiled:
            self._agent.learner.policy.compile()

    def take_turn(self, rollout: RolloutBuffer, batches: int) -> Turn:
        """Act on `batches` batches, then learn."""
        acting = measure(lambda: self._act(rollout, batches), batches)
        if self._compiled:
            return Turn(acting, None)
        samples = rollout.rewards.numel() * self._epochs
        return Turn(acting, measure(lambda: self._agent.learn(rollout), samples))

    def _act(self, rollout: RolloutBuffer, batches: int) -> None:
        everyone = slice(0, rollout.shape.num_envs)
        for index in range(batches):
            self._agent.act(rollout.observation(index % rollout.shape.rollout_steps, everyone))


def measure(work: Callable[[], object], parts: int) -> Cost:
    """Return what one of `parts` equal parts of `work` takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Cost(cpu / parts, wall / parts)


def take_turns(
    arms: Mapping[str, Arm], rollout: RolloutBuffer, play: MadeUpPlay, repeats: int, batches: int
) -> dict[str, list[Turn]]:
    """Let all arms take `repeats` turns each, after one that is not counted."""
    turns: dict[str, list[Turn]] = {name: [] for name in arms}
    for repeat in range(-1, repeats):
        play.fill(rollout)
        for name, arm in arms.items():
            turn = arm.take_turn(rollout, batches)
            if repeat >= 0:
                turns[name].append(turn)
    return turns
