"""An agent as a run of its recipe would build it, in this process and on the CPU."""

import torch

from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from benchmarks.learner.made_up_play import made_up_spec
from configs.schema import Config
from training.building.learner import (
    build_learner,
    build_optimizer,
    learning_settings,
    rollout_shape,
)

SEED = 1


def build_agent(config: Config, ranks: Ranks) -> PPOAgent:
    """Build the agent of a configuration; its weights and its draws are the same each time."""
    torch.manual_seed(SEED)
    spec, num_envs = made_up_spec(config), config.run.num_envs
    learner = build_learner(config, spec, num_envs)
    agent = PPOAgent(
        learner,
        build_optimizer(config, learner),
        learning_settings(config, num_envs),
        ranks,
        torch.Generator().manual_seed(SEED),
    )
    agent.prime(rollout_shape(config, spec, num_envs))
    return agent
