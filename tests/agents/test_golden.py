"""Two updates of a fixed seed, number by number: a neutral change leaves them alone.

A change that means to move them writes golden_figures.json anew with
`python -m tests.agents.test_golden`, and says in its commit why they moved.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from tests.agents.small import (
    FRAME,
    VECTOR,
    Kind,
    make_agent,
    make_learner,
    settings_with,
    trained_parameters,
)
from tests.ranks import only_rank

T, N = 16, 4
# Means and norms that say nothing which the others do not: they have tests of their own.
LOOKS = ("values/", "gradient/")
FIGURES = Path(__file__).with_name("golden_figures.json")


class Case(NamedTuple):
    """A learner and its Adam.

    Where a gradient is all but zero rounding decides its sign, and a large step with a small
    epsilon makes so much of it that each kind of CPU has figures of its own.
    """

    kind: Kind
    learning_rate: float = 3e-4
    epsilon: float = 1e-5


CASES = {
    "RND": Case(Kind(VECTOR), learning_rate=1e-2, epsilon=1e-8),
    "DRND": Case(Kind(VECTOR, bonus_kind="DRND")),
    "SND": Case(Kind(VECTOR, bonus_kind="SND")),
    "BYOL-Explore": Case(Kind(VECTOR, bonus_kind="BYOL-Explore")),
    "RND on frames, BYOL": Case(Kind(FRAME, head="BYOL", project_gradient=True)),
    "RND on slow features, Barlow-Twins": Case(
        Kind(FRAME, bonus_input="slow features", head="Barlow-Twins")
    ),
}
every_case = pytest.mark.parametrize("name", list(CASES))
SETTINGS = settings_with(
    epochs=2, num_minibatches=3, normalize_advantage=True, predictor_share=0.5, max_grad_norm=0.5
)


def as_vector(positions: Tensor) -> Tensor:
    """A position as a vector [N, 3]: itself, its square, and its distance from the goal."""
    return torch.stack([positions, positions.square(), 3 - positions], dim=1).float()


def as_frame(positions: Tensor) -> Tensor:
    """A position as a frame [N, 1, 36, 36]: slanting waves, the shorter the nearer the goal."""
    column, row = torch.arange(36), torch.arange(36).unsqueeze(1)
    phase = column * (positions.view(-1, 1, 1, 1) + 6) + 3 * row
    return (14 * (phase % 36 - 18).abs()).to(torch.uint8)


def collect(
    agent: PPOAgent, rollout: RolloutBuffer, positions: Tensor, shown: Callable[[Tensor], Tensor]
) -> Tensor:
    """Walk on a line: each action moves by -1, 0 or 1; three to the right is the goal.

    Returns the positions [N] at the end.
    """
    everyone = slice(0, N)
    for t in range(T):
        decision = agent.act(rollout.observation(t, everyone))
        rollout.store_decision(t, everyone, *decision)
        moved = positions + decision.actions - 1
        terminated = moved >= 3
        truncated = torch.full_like(terminated, t % 5 == 4)
        positions = moved.masked_fill(terminated | truncated, 0)
        rollout.store_transition(
            t,
            everyone,
            observations=shown(positions),
            rewards=terminated.float() - 0.1,
            terminated=terminated,
            truncated=truncated,
            final_observations=shown(moved),
        )
    return positions


def two_updates(ranks: Ranks, case: Case) -> list[dict[str, float]]:
    """Act and learn twice; return the metrics of each update."""
    kind, learner = case.kind, make_learner(case.kind, N)
    optimizer = torch.optim.Adam(
        trained_parameters(learner), lr=case.learning_rate, eps=case.epsilon
    )
    agent = make_agent(ranks, learner, settings=SETTINGS, optimizer=optimizer)
    rollout = RolloutBuffer(kind.rollout_shape(T, N), torch.device("cpu"))
    agent.prime(rollout.shape)
    shown = as_frame if kind.observation_shape == FRAME else as_vector
    positions = torch.zeros(N, dtype=torch.int64)
    rollout.start(shown(positions))
    history = []
    for _ in range(2):
        positions = collect(agent, rollout, positions, shown)
        metrics = agent.learn(rollout)
        rollout.carry_over()
        history.append(
            {n: round(float(v), 7) for n, v in metrics.items() if not n.startswith(LOOKS)}
        )
    return history


@every_case
def test_the_figures_of_two_updates_are_what_they_were(ranks: Ranks, name: str) -> None:
    golden = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert golden.keys() == CASES.keys()
    first, second = two_updates(ranks, CASES[name])
    assert first == pytest.approx(golden[name][0], rel=1e-5, abs=1e-5)
    assert second == pytest.approx(golden[name][1], rel=1e-5, abs=1e-5)


@every_case
def test_a_run_repeats_itself_to_the_last_bit(ranks: Ranks, name: str) -> None:
    assert two_updates(ranks, CASES[name]) == two_updates(ranks, CASES[name])


def main() -> None:
    """Write the figures."""
    torch.set_num_threads(1)
    with only_rank() as ranks:
        figures = {name: two_updates(ranks, case) for name, case in CASES.items()}
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
