"""A few updates with collection beside learning, and the same done slowly, one after the other."""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.ppo.acting import Decision
from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.loading import LoadedConfig, load_config
from tests.halves import COMPONENTS
from tests.runs import CARTPOLE, PONG, write_recipe
from training.assembly import build_agent, make_pool
from training.building.rollouts import build_rollouts
from training.building.seeding import make_generator
from training.folders.run_folder import RunFolder
from training.loop.collector import Collector
from training.loop.overlapping import OverlappingRollouts
from training.loop.stopwatch import Stopwatch
from training.options import RunOptions
from training.parts import Parts
from training.ranks.distributed import Place
from training.session import Session
from workers.environment_pool import EnvironmentPool

UPDATES = 4
CPU = torch.device("cpu")
RECIPES = {
    "vectors": CARTPOLE + "OverlapCollection = True\n",
    "frames": PONG + "OverlapCollection = True\n",
    "a head in bfloat16": COMPONENTS["BYOL"]
    .replace("LearnerThreads = 1\n", "OverlapCollection = True\nPrecision = bfloat16\n")
    .replace("SSLPretraining = 2\n", ""),
}


@dataclass(frozen=True)
class Run:
    """What the updates are done with, just built."""

    parts: Parts
    pool: EnvironmentPool
    agent: PPOAgent
    rollout: RolloutBuffer
    stack: ExitStack

    def overlapping(self, should_stop: Callable[[], bool]) -> OverlappingRollouts:
        parts = Parts(
            self.parts.session,
            self.parts.folder,
            self.parts.options,
            self.parts.loaded,
            self.parts.ranks,
            should_stop,
        )
        collector, rollouts = build_rollouts(
            parts, self.pool, self.agent, self.rollout, Stopwatch(), 0, self.stack
        )
        assert isinstance(rollouts, OverlappingRollouts)
        collector.start()
        return rollouts


@contextmanager
def built(ranks: Ranks, loaded: LoadedConfig) -> Iterator[Run]:
    place = Place(ranks.rank, ranks.world_size, ranks.rank, ranks.world_size)
    parts = Parts(
        session=Session(place, CPU),
        folder=RunFolder(Path("unused"), "overlapping"),
        options=RunOptions(
            command_line="", log_name="overlapping", save_model_path=Path("unused"), num_workers=1
        ),
        loaded=loaded,
        ranks=ranks,
        stop=lambda: False,
    )
    with ExitStack() as stack:
        pool = stack.enter_context(make_pool(parts, 0))
        agent, rollout = build_agent(parts, pool, 0)
        yield Run(parts, pool, agent, rollout, stack)


def recipe(folder: Path, name: str) -> LoadedConfig:
    return load_config(write_recipe(folder, RECIPES[name]), [])


def side_by_side(ranks: Ranks, loaded: LoadedConfig, first: str) -> dict[str, Any]:
    """Do all updates with collection beside learning.

    Args:
        ranks, loaded: as for `built`.
        first: the side that comes to its end before the other begins, or "neither".
    """
    learned, collected = threading.Event(), threading.Event()
    steps, more = 0, True
    with built(ranks, loaded) as run:
        T = run.rollout.shape.rollout_steps

        def should_stop() -> bool:
            nonlocal steps
            if first == "learning" and steps >= T:
                assert learned.wait(60)
            steps += 1
            if steps % T == 0:
                collected.set()
            return False

        def learn(rollout: RolloutBuffer) -> dict[str, Tensor]:
            if first == "collection" and more:
                assert collected.wait(60)
            losses = run.agent.learn(rollout)
            learned.set()
            return losses

        rollouts, kept = run.overlapping(should_stop), []
        for update in range(UPDATES):
            complete, episodes = rollouts.collect()
            assert complete
            held = {name: value.clone() for name, value in rollouts.current.contents().items()}
            learned.clear()
            collected.clear()
            more = update + 1 < UPDATES
            losses = rollouts.learn(learn, more=more)
            kept.append({"rollout": held, "losses": losses, "episodes": len(episodes)})
        return {"updates": kept, "learner": run.agent.learner.state_dict()}


def one_after_the_other(ranks: Ranks, loaded: LoadedConfig) -> dict[str, Any]:
    """Collect with the policy as it is before an update, then learn from what lay ready."""
    with built(ranks, loaded) as run:
        agent, config = run.agent, run.parts.config
        purpose = "acting beside learning from env step 0"
        generator = make_generator(config.run.seed, purpose, ranks.rank, CPU)

        def collect(rollout: RolloutBuffer) -> int:
            old = copy.deepcopy(agent.learner.policy)

            @torch.no_grad()
            def act(observations: Tensor) -> Decision:
                with agent.learner.precision(CPU):
                    output = old(observations)
                actions = output.distribution.sample(generator)
                log_probs = output.distribution.log_prob(actions)
                return Decision(actions, log_probs, output.value_extrinsic, output.value_intrinsic)

            reward = config.environment.learning_reward
            collector = Collector(run.pool, rollout, reward, Stopwatch())
            return len(collector.collect(act, lambda: False)[1])

        rollout, kept = run.rollout, []
        rollout.start(torch.from_numpy(run.pool.reset()))
        episodes = collect(rollout)
        for update in range(UPDATES):
            ahead, ahead_episodes = RolloutBuffer(rollout.shape, CPU), 0
            held = {name: value.clone() for name, value in rollout.contents().items()}
            if update + 1 < UPDATES:
                ahead.restore(rollout.end_state())
                ahead_episodes = collect(ahead)
            losses = agent.learn(rollout)
            kept.append({"rollout": held, "losses": losses, "episodes": episodes})
            rollout, episodes = ahead, ahead_episodes
        return {"updates": kept, "learner": agent.learner.state_dict()}


def both(ranks: Ranks, loaded: LoadedConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Do it both ways."""
    return side_by_side(ranks, loaded, "neither"), one_after_the_other(ranks, loaded)
