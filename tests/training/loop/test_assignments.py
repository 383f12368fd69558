"""Numbers of episodes are handed out once each, lost ones again, and nothing is left over."""

import random

import numpy as np

from training.collecting.claims import Asked
from training.loop.assignments import Assignments
from workers.shared.protocol import NO_SEED


def played(num_episodes: int, num_environments: int, seed: int, loss: float) -> list[int]:
    """Hand out and end episodes in any order; return the numbers that came back."""
    draw = random.Random(seed)
    work = Assignments(range(num_episodes), num_environments)
    returned: list[int] = []
    while not work.is_done:
        row = draw.randrange(num_environments)
        before = work.seeds(lambda number: number).tolist()
        number = work.end(row, lost=draw.random() < loss)
        # What begins is what was planned beforehand: the pool was told so.
        begun = work.current[row]
        assert before[row] == (NO_SEED if begun is None else begun)
        returned += [] if number is None else [number]
    return returned


def test_every_number_comes_back_once_whatever_is_lost() -> None:
    for seed in range(200):
        draw = random.Random(seed)
        n, environments = draw.randrange(1, 30), draw.randrange(1, 6)
        returned = played(n, environments, seed, draw.choice([0.0, 0.3]))
        assert sorted(returned) == list(range(n))


def test_no_episode_waits_behind_another_while_an_environment_has_none() -> None:
    work = Assignments(range(3), 4)
    assert work.current == [0, 1, 2, None]
    assert work.wanted.tolist() == [True, True, True, False]
    assert np.array_equal(work.seeds(lambda number: number), np.full(4, NO_SEED))


def test_shares_of_instances_are_all_numbers_once() -> None:
    for total, instances in [(10, 3), (2, 5), (1000, 7)]:
        shares = [Asked(total, n, instances).share for n in range(instances)]
        numbers = [number for share in shares if share is not None for number in share]
        assert numbers == list(range(total))
        sizes = [len(share) for share in shares if share is not None]
        assert max(sizes) - min(sizes) <= 1
