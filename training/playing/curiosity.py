"""How curious a checkpoint would be of an episode: its own bonus, from which nothing is learnt."""

import itertools
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from agents.intrinsic.base import IntrinsicReward
from agents.ppo.learner import Learner
from agents.rollout import CarriedState, RolloutBuffer, RolloutShape
from configs.schema import Config

LONGEST_PIECE = 1024  # steps that are judged at once
ENVIRONMENT = slice(0, 1)


@dataclass(frozen=True)
class Step:
    """One step of one environment; observations as of a StepBatch, without the first axis.

    Attributes:
        action: what was done, [] or [A].
        observation: what came next; after a lost life that ended the episode, what opens the next.
        final: the true observation after the action.
        terminated, truncated: whether the episode ended.
    """

    action: Tensor
    observation: Tensor
    final: Tensor
    terminated: bool
    truncated: bool


@dataclass
class Lived:
    """What one environment went through, from `first` on."""

    first: Tensor
    steps: list[Step] = field(default_factory=list)


def describe_bonus(config: Config) -> str | None:
    """Say which bonus a checkpoint's frames are judged by; None for plain PPO."""
    section = config.intrinsic
    if section.kind == "none":
        return None
    if section.kind == "BYOL-Explore":
        # Its features are normalised over whatever is judged together: in training a rollout.
        return "bonus: BYOL-Explore, normed over this episode"
    seen = ", of features" if section.rnd_input == "features" else ""
    return f"bonus: {section.kind}{seen}, as training scales it"


@torch.no_grad()
def judge_episode(
    learner: Learner, lived: Lived, shape: RolloutShape, device: torch.device
) -> Tensor | None:
    """Return the scaled bonus of each step [T], on the CPU, or None where there is no bonus.

    The statistics are the checkpoint's, and stay as they are.

    Args:
        learner: one whose bonus was built for one environment; no parameter or statistic changes.
        lived: the episode, at least one step.
        shape: of the run's rollouts; its length and number of environments mean nothing here.
        device: the learner's.
    """
    intrinsic = learner.intrinsic
    if intrinsic is None:
        return None
    intrinsic.start_episodes()
    carried: CarriedState | None = None
    parts = []
    with learner.precision(device):
        for steps in _even_pieces(lived.steps):
            piece = replace(shape, rollout_steps=len(steps), num_envs=1)
            rollout = learner.new_rollout(piece, device)
            if carried is None:
                rollout.start(lived.first.unsqueeze(0))
            else:
                rollout.restore(carried)
            parts.append(_judge(learner, intrinsic, rollout, steps))
            carried = rollout.end_state()
        bonuses = intrinsic.scaled(torch.cat(parts))
    intrinsic.start_episodes()
    return bonuses.flatten().cpu()


def _judge(
    learner: Learner, intrinsic: IntrinsicReward, rollout: RolloutBuffer, steps: list[Step]
) -> Tensor:
    """Lay `steps` into the rollout and return their raw bonuses [T, 1]."""
    zero = torch.zeros(1, device=rollout.device)
    for t, step in enumerate(steps):
        rollout.store_decision(t, ENVIRONMENT, step.action.unsqueeze(0), zero, zero, zero)
        rollout.store_transition(
            t,
            ENVIRONMENT,
            step.observation.unsqueeze(0),
            zero,
            torch.tensor([step.terminated]),
            torch.tensor([step.truncated]),
            step.final.unsqueeze(0),
        )
    return intrinsic.raw_bonuses(learner.experience(rollout))


def _even_pieces(steps: list[Step]) -> list[list[Step]]:
    """Cut an episode into pieces of about equal length.

    A short one at the end would be judged by too few frames where a bonus normalises over them.
    """
    count = -(-len(steps) // LONGEST_PIECE)
    bounds = [index * len(steps) // count for index in range(count + 1)]
    return [steps[start:stop] for start, stop in itertools.pairwise(bounds)]
