"""Two updates of a fixed seed, number by number: a neutral change leaves them alone.

A change that means to move them prints the new table with `python -m tests.agents.test_golden`, and
says in its commit why they moved.
"""

import pytest
import torch

from agents.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from tests.agents.small import VECTOR, Kind, make_agent, make_learner, settings_with
from tests.ranks import only_rank

T, N = 16, 4
KIND = Kind(VECTOR)
SETTINGS = settings_with(
    epochs=2, num_minibatches=3, normalize_advantage=True, predictor_share=0.5, max_grad_norm=0.5
)
GOLDEN = [
    {
        "intrinsic/mean": 0.4582465,
        "intrinsic/max": 2.7707381,
        "intrinsic/raw": 8.4646292,
        "intrinsic/normalizer": 18.4717809,
        "observation/mean": 0.0,
        "observation/std": 1.0,
        "losses/explained_variance": -1.394794,
        "losses/policy": -0.0292072,
        "losses/value_extrinsic": 0.297442,
        "losses/entropy": 1.0946606,
        "losses/approx_kl": 0.0038608,
        "losses/clip_fraction": 0.2734488,
        "losses/value_intrinsic": 2.0363805,
        "losses/predictor": 1.959136,
        "losses/grad_norm": 4.7097335,
    },
    {
        "intrinsic/mean": 0.1696932,
        "intrinsic/max": 1.1495186,
        "intrinsic/raw": 2.9779878,
        "intrinsic/normalizer": 17.5492469,
        "observation/mean": 1.4635417,
        "observation/std": 1.4203648,
        "losses/explained_variance": -0.8846174,
        "losses/policy": -0.0190864,
        "losses/value_extrinsic": 0.1882469,
        "losses/entropy": 1.0784057,
        "losses/approx_kl": 0.0021964,
        "losses/clip_fraction": 0.1424964,
        "losses/value_intrinsic": 0.3372542,
        "losses/predictor": 1.6321238,
        "losses/grad_norm": 2.8655179,
    },
]


def step(t: int, positions: torch.Tensor, actions: torch.Tensor) -> dict[str, torch.Tensor]:
    """A walk on a line: each action moves by -1, 0 or 1; three to the right is the goal."""
    moved = positions + actions - 1
    terminated = moved >= 3
    truncated = torch.full_like(terminated, t % 5 == 4)
    ended = terminated | truncated
    return {
        "observations": seen(torch.where(ended, torch.zeros_like(moved), moved)),
        "rewards": terminated.float() - 0.1,
        "terminated": terminated,
        "truncated": truncated,
        "final_observations": seen(moved),
    }


def seen(positions: torch.Tensor) -> torch.Tensor:
    """A position as a vector [N, 3]: itself, its square, and its distance from the goal."""
    return torch.stack([positions, positions.square(), 3 - positions], dim=1).float()


def collect(agent: PPOAgent, rollout: RolloutBuffer) -> None:
    everyone = slice(0, N)
    for t in range(T):
        observations = rollout.observation(t, everyone)
        decision = agent.act(observations)
        rollout.store_decision(t, everyone, *decision)
        following = step(t, observations[:, 0].long(), decision.actions)
        rollout.store_transition(t, everyone, **following)


def two_updates(ranks: Ranks) -> list[dict[str, float]]:
    """Act and learn twice; return the metrics of each update."""
    agent = make_agent(ranks, make_learner(KIND, N), settings=SETTINGS)
    rollout = RolloutBuffer(KIND.rollout_shape(T, N), torch.device("cpu"))
    agent.prime(rollout.shape)
    rollout.start(seen(torch.zeros(N, dtype=torch.int64)))
    history = []
    for _ in range(2):
        collect(agent, rollout)
        metrics = agent.learn(rollout)
        rollout.carry_over()
        history.append({name: round(float(value), 7) for name, value in metrics.items()})
    return history


@pytest.mark.parametrize("update", [0, 1])
def test_the_figures_of_an_update_are_what_they_were(ranks: Ranks, update: int) -> None:
    figures = two_updates(ranks)[update]
    assert figures == pytest.approx(GOLDEN[update], rel=1e-5, abs=1e-5)


def test_a_run_repeats_itself_to_the_last_bit(ranks: Ranks) -> None:
    assert two_updates(ranks) == two_updates(ranks)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    with only_rank() as ranks:
        for figures in two_updates(ranks):
            print("    {")
            for name, value in figures.items():
                print(f'        "{name}": {value!r},')
            print("    },")


if __name__ == "__main__":
    main()
