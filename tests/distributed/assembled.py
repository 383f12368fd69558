"""An agent and its environments on each rank, as a run puts them together."""

from pathlib import Path
from typing import Any

import torch

from agents.ranks import Ranks
from configs.loading import LoadedConfig
from configs.schema import Config, EnvironmentSection, PPOSection, RunSection
from tests.agents.small import parameters_of
from training.assembly import build_agent, make_pool
from training.folders.run_folder import RunFolder
from training.loop.stop_request import StopRequest
from training.options import RunOptions
from training.parts import Parts
from training.ranks.distributed import Place
from training.session import Session

NUM_ENVS = 20
OPTIONS = RunOptions(
    command_line="", log_name="ranks", save_model_path=Path("unused"), num_workers=1
)


def config_of(num_envs: int) -> Config:
    """Return a configuration with so many environments of each rank."""
    return Config(
        environment=EnvironmentSection(env_type="classic_control", env_id="CartPole-v1"),
        ppo=PPOSection(rollout_steps=2),
        run=RunSection(num_envs=num_envs, seed=5),
    )


def assembled(ranks: Ranks, num_envs: int = NUM_ENVS) -> dict[str, Any]:
    """Build pool and agent; return what this rank begins with.

    The global generator stands elsewhere on each rank, as after an import that draws from it.
    """
    torch.manual_seed(10 * ranks.world_size + ranks.rank)
    place = Place(ranks.rank, ranks.world_size, ranks.rank, ranks.world_size)
    parts = Parts(
        session=Session(place, torch.device("cpu")),
        folder=RunFolder(Path("unused"), "ranks"),
        options=OPTIONS,
        loaded=LoadedConfig(config_of(num_envs), {}, ()),
        ranks=ranks,
        stop=StopRequest(),
    )
    with make_pool(parts, 0) as pool:
        agent, _ = build_agent(parts, pool, 0)
        return {
            "first": pool.reset().copy(),
            "weights": parameters_of(agent.learner),
            "actions": agent.act(torch.zeros(50, 4)).actions.tolist(),
            "share": agent._settings.predictor_share,
        }
