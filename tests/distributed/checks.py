"""What every rank does in the tests of several ranks; the tests compare what came of it."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from agents.losses.moments import moments_of
from agents.minibatches import MinibatchPlan, draw_minibatches
from agents.ppo.ppo_agent import LearningSettings, PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.errors import NonFiniteError
from tests.agents.scripts import draw_script
from tests.agents.small import (
    FRAME,
    Kind,
    gradients_of,
    make_agent,
    make_learner,
    parameters_of,
    rollout_of,
    settings_with,
    trained_parameters,
)
from tests.distributed.assembled import assembled

T, ENVS = 5, 3  # of each rank: 15 samples, which 4 minibatches do not divide
KINDS = {
    "vectors": Kind(),
    "frames": Kind(FRAME, discrete=False),
    "no bonus": Kind(bonus=False),
    "running scaling": Kind(discrete=False, running=True),
    "a model of the user's": Kind(discrete=False, custom=True),
    "BYOL": Kind(FRAME, head="BYOL", project_gradient=True),
    "Barlow-Twins": Kind(FRAME, head="Barlow-Twins", bonus_input="features"),
    "slow features": Kind(FRAME, bonus_input="slow features"),
    "GRU": Kind(discrete=False, memory="GRU"),
    "LSTM": Kind(FRAME, memory="LSTM", bonus_input="features"),
    "a model that remembers": Kind(memory="LSTM", custom=True),
}
PART_OF_A_BATCH = Kind(FRAME, head="Barlow-Twins", share=0.4)  # 6 of the 15 samples of a rank
WHOLE_BATCH = settings_with(normalize_advantage=True)
MASKED = settings_with(predictor_share=0.3)
UNEVEN = settings_with(epochs=2, num_minibatches=4, normalize_advantage=True, predictor_share=0.3)


def all_checks(ranks: Ranks) -> dict[str, Any]:
    """Run every check in one set of processes."""
    return {
        "assembled": assembled(ranks),
        "messages": messages(ranks),
        "weights apart": parameters_of(agent_of(ranks, Kind(), UNEVEN, seed=ranks.rank).learner),
        "whole batch": {name: whole_batch(ranks, kind, ENVS) for name, kind in KINDS.items()},
        "masked": masked(ranks),
        "part for the head": part_for_the_head(ranks),
        "uneven": {name: uneven(ranks, kind) for name, kind in KINDS.items()},
        "plans": plans(ranks),
        "poisoned": poisoned(ranks),
    }


def payload(rank: int) -> bytes:
    """What a rank has to tell: nothing on rank 0, every byte's value in turn elsewhere."""
    return bytes(range(256)) * (3 * rank)


def some_data(rank: int) -> Tensor:
    """Samples [4 rank, 2, 3] whose mean differs from rank to rank."""
    generator = torch.Generator().manual_seed(rank)
    return torch.randn(4 * rank, 2, 3, generator=generator) + 100 * rank


def by_columns(rank: int) -> Tensor:
    """The numbers 0 to 5 in two rows, which rank 0 alone keeps column by column."""
    table = torch.arange(6.0).reshape(2, 3)
    return table.t().contiguous().t() if rank == 0 else table


def in_pieces(ranks: Ranks, size: int) -> list[Tensor]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("agents.ranks.PIECE", size)
        return ranks.bytes_on_first(payload(ranks.rank))


def messages(ranks: Ranks) -> dict[str, Any]:
    """Use every kind of message once or twice."""
    rank, last = ranks.rank, ranks.world_size - 1
    summed = torch.tensor([float(rank), 1.0])
    return {
        "sum": ranks.sum(summed),
        "sum of columns": ranks.sum(by_columns(rank)),
        "summed": summed,
        "any": [ranks.any(flag=flag) for flag in (False, rank == last, True)],
        "gather": ranks.gather(torch.tensor([rank, 10 * rank])),
        "gather_bytes": ranks.gather_bytes(payload(rank)),
        "gather_nothing": ranks.gather_bytes(b""),
        "bytes_on_first": in_pieces(ranks, 3),
        "nothing_on_first": ranks.bytes_on_first(b""),
        "broadcast_bytes": [
            ranks.broadcast_bytes(b"" if rank == 0 else b"not looked at"),
            ranks.broadcast_bytes(b"\x00from rank 0\xff" if rank == 0 else payload(rank)),
        ],
        "merge": ranks.merge(moments_of(some_data(rank))),
        "merge scalars": ranks.merge(moments_of(torch.tensor([float(rank)]))),
    }


def agent_of(
    ranks: Ranks, kind: Kind, settings: LearningSettings, *, envs: int = ENVS, seed: int = 0
) -> PPOAgent:
    """Build this rank's agent, whose parameters do not move under SGD with a rate of 0."""
    learner = make_learner(kind, envs, seed=seed)
    still = torch.optim.SGD(trained_parameters(learner), lr=0.0)
    return make_agent(ranks, learner, settings=settings, optimizer=still, seed=10 + ranks.rank)


def rollouts_of(ranks: Ranks, kind: Kind, count: int, envs: int) -> tuple[RolloutBuffer, list[Any]]:
    """Return this rank's rollout, opened, and its part of what happens to all environments."""
    everywhere = kind.rollout_shape(T, envs * ranks.world_size)
    mine = slice(ranks.rank * envs, (ranks.rank + 1) * envs)
    scripts = [draw_script(everywhere, seed).columns(mine) for seed in range(count)]
    rollout = rollout_of(kind.rollout_shape(T, envs))
    rollout.start(scripts[0].first)
    return rollout, scripts


def whole_batch(ranks: Ranks, kind: Kind, envs: int) -> dict[str, Any]:
    """Learn from two rollouts, each as one minibatch; nothing in it is left to chance."""
    agent = agent_of(ranks, kind, WHOLE_BATCH, envs=envs)
    rollout, scripts = rollouts_of(ranks, kind, 2, envs)
    agent.prime(rollout.shape)
    for script in scripts:
        script.fill(rollout)
        losses = agent.learn(rollout)
        rollout.carry_over()
    return {
        "gradients": gradients_of(agent.learner),
        "losses": {name: value.double() for name, value in losses.items()},
        "statistics": dict(agent.learner.named_buffers()),
    }


def masked(ranks: Ranks) -> dict[str, Tensor]:
    """Learn from one rollout with a mask before the predictor, drawn by each rank for itself."""
    agent = agent_of(ranks, Kind(), MASKED)
    rollout, scripts = rollouts_of(ranks, Kind(), 1, ENVS)
    scripts[0].fill(rollout)
    agent.learn(rollout)
    return gradients_of(agent.learner)


def part_for_the_head(ranks: Ranks) -> dict[str, Tensor]:
    """Learn from one rollout of which each rank's head sees a part, chosen by the rank's draws."""
    agent = agent_of(ranks, PART_OF_A_BATCH, WHOLE_BATCH)
    rollout, scripts = rollouts_of(ranks, PART_OF_A_BATCH, 1, ENVS)
    scripts[0].fill(rollout)
    agent.learn(rollout)
    return gradients_of(agent.learner)


def uneven(ranks: Ranks, kind: Kind) -> dict[str, Tensor]:
    """Train for three updates with Adam; return parameters and merged statistics."""
    learner = make_learner(kind, ENVS)
    few = 2 if kind.memory else UNEVEN.num_minibatches  # of whole environments: 2 and 1
    settings = replace(UNEVEN, num_minibatches=few)
    agent = make_agent(ranks, learner, settings=settings, seed=10 + ranks.rank)
    rollout, scripts = rollouts_of(ranks, kind, 3, ENVS)
    agent.prime(rollout.shape)
    for script in scripts:
        script.fill(rollout)
        agent.learn(rollout)
        rollout.carry_over()
    return dict(agent.learner.state_dict())


def plans(ranks: Ranks) -> dict[str, Any]:
    """Draw a plan for advantages whose mean and spread differ from rank to rank."""
    generator = torch.Generator().manual_seed(ranks.rank)
    advantages = torch.randn(T * ENVS, generator=generator) * (1 + ranks.rank) + 10 * ranks.rank
    drawn = draw_minibatches(
        advantages,
        epochs=2,
        num_minibatches=4,
        predictor_share=0.3,
        generator=generator,
        ranks=ranks,
    )
    plans: list[MinibatchPlan] = list(drawn)
    return {"advantages": advantages, "plans": [vars(plan) for plan in plans]}


def poisoned(ranks: Ranks) -> tuple[str, bool]:
    """Learn from a rollout that is spoilt on the last rank alone."""
    agent = agent_of(ranks, Kind(), WHOLE_BATCH)
    rollout, scripts = rollouts_of(ranks, Kind(), 1, ENVS)
    scripts[0].fill(rollout)
    if ranks.rank == ranks.world_size - 1:
        rollout.rewards[0, 0] = float("inf")
    before = parameters_of(agent.learner)
    try:
        agent.learn(rollout)
    except NonFiniteError as error:
        after = parameters_of(agent.learner)
        return str(error), all(torch.equal(before[name], after[name]) for name in before)
    return "", False
