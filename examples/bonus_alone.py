"""RND's bonus for another library's rollouts, without the rest: python -m examples.bonus_alone.

The arrays are those of stable-baselines3's rollout buffer, observations [T, N, ...] and rewards
[T, N]. A bonus is of what followed, which such a buffer does not hold after its last step
(`_last_obs` there) and at an episode's end (`infos[n]["terminal_observation"]`). Walkers go to and
fro in half of a corridor until its bonus has faded; then a door opens, and what lies behind is new.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from agents.intrinsic.base import Experience
from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.minibatches import draw_minibatches
from agents.networks.rnd import VectorEncoder
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer, RolloutShape

T, N, PLACES, DOOR = 64, 8, 16, 8
COEF, GAMMA, EPOCHS, NUM_MINIBATCHES = 0.5, 0.99, 4, 4
Array = NDArray[np.float32]


class Rollout(NamedTuple):
    """What another library collected; D = PLACES."""

    observations: Array  # [T, N, D]
    rewards: Array  # [T, N]
    last_observations: Array  # [N, D]
    terminal_observations: dict[tuple[int, int], Array]  # (t, n) -> [D]


def what_followed(rollout: Rollout) -> Array:
    """Return the observation that each step led to [T, N, D], never one after a reset."""
    followed = np.concatenate([rollout.observations[1:], rollout.last_observations[None]])
    for at, observation in rollout.terminal_observations.items():
        followed[at] = observation
    return followed


class Bonus:
    """Judges rollouts by how badly a network foretells what was seen, and trains that network."""

    def __init__(self, size: int, ranks: Ranks) -> None:
        target, predictor = (VectorEncoder(size, (32,), 16, leaky_slope=0.2) for _ in range(2))
        self._rnd = RandomNetworkDistillation(target, predictor, (size,), N, GAMMA)
        self._optimizer = torch.optim.Adam(predictor.parameters(), lr=1e-3)
        self._generator = torch.Generator().manual_seed(0)
        self._shape = RolloutShape(T, N, 1, (size,), torch.float32, ())
        self._ranks = ranks

    def judge(self, followed: Array) -> Array:
        """Return the bonuses [T, N] of what followed each step [T, N, D], and learn from it."""
        rows = torch.from_numpy(followed).flatten(0, 1)
        experience = Experience(RolloutBuffer(self._shape, rows.device), rows.__getitem__)
        bonuses = self._rnd.scale(self._rnd.raw_bonuses(experience), self._ranks)
        self._rnd.observe(experience, self._ranks)
        sampler = self._rnd.sampler(experience, self._generator)
        plans = draw_minibatches(
            torch.zeros(len(rows)),  # advantages: a bonus alone has none
            epochs=EPOCHS,
            num_minibatches=NUM_MINIBATCHES,
            predictor_share=1.0,
            generator=self._generator,
            ranks=self._ranks,
        )
        for plan in plans:
            self._optimizer.zero_grad()
            self._rnd.losses(sampler(plan))["predictor"].backward()
            self._optimizer.step()
        return bonuses.numpy()


def walk(random: np.random.Generator, places: NDArray[np.int64], end: int) -> Rollout:
    """Walk T steps; who comes to the end of what is open starts anew. Changes `places` [N]."""
    one_hot = np.eye(PLACES, dtype=np.float32)
    observations, rewards = np.zeros((T, N, PLACES), np.float32), np.zeros((T, N), np.float32)
    terminal = {}
    for t in range(T):
        observations[t] = one_hot[places]
        places += random.choice([-1, 1], size=N)
        places.clip(0, None, out=places)
        for n in np.flatnonzero(places == end):
            terminal[t, int(n)] = one_hot[end]
            places[n] = 0
    return Rollout(observations, rewards, one_hot[places], terminal)


if __name__ == "__main__":
    torch.manual_seed(0)
    random, places = np.random.default_rng(0), np.zeros(N, np.int64)
    store = dist.HashStore()  # type: ignore[attr-defined] # not in __all__
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    bonus = Bonus(PLACES, Ranks(torch.device("cpu")))
    for number in range(1, 61):
        rollout = walk(random, places, DOOR if number <= 40 else PLACES - 1)
        followed = what_followed(rollout)
        bonuses = bonus.judge(followed)
        rewards = rollout.rewards + COEF * bonuses  # what PPO there would learn from
        new = followed.argmax(axis=-1) > DOOR
        if number in (2, 10, 40):
            print(f"rollout {number}: reward {rewards.mean():.4f} a step before the door")
        if new.any():
            print(f"rollout {number}: {rewards[~new].mean():.4f} before the door, ", end="")
            print(f"{rewards[new].mean():.4f} behind it, where nobody had been")
            break
    dist.destroy_process_group()
