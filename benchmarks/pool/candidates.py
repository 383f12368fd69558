"""Who takes part in the comparison of pools, in which order, and who cannot."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.free_memory import lacks_room
from benchmarks.gymnasium_games import make_gymnasium
from benchmarks.pool.contenders import SEED, Contender, Ours, WithoutTransport
from benchmarks.pool.others import GymnasiumAsync, Subproc, ale_vector, envpool_games
from configs.schema import EnvironmentSection
from workers.ale_vector import AleVectorPool
from workers.environments.make import make_environment
from workers.in_process import InProcessPool
from workers.pool import WorkerPool

FLOOR, POOL = "no transport", "pool, 2 groups"
INSTALL = "make peers_venv"


@dataclass(frozen=True)
class Candidate:
    """One way of stepping N environments, not yet started.

    Attributes:
        name: as the table shows it.
        build: starts it.
        megabytes: what an environment was seen to take, rounded up.
        package: the module that must be there.
        atari_only: whether it knows no other games.
    """

    name: str
    build: Callable[[], Contender]
    megabytes: float
    package: str = "gymnasium"
    atari_only: bool = False

    def obstacle(self, section: EnvironmentSection, num_environments: int) -> str | None:
        """Return why it must be left out, or None."""
        if self.atari_only and section.env_type != "atari":
            return "it has Atari games only"
        try:  # now, so that what it imports is not taken for memory of its environments
            importlib.import_module(self.package)
        except ImportError as error:
            return f"{error} ({INSTALL})"
        return lacks_room(self.megabytes * num_environments)


def candidates(
    section: EnvironmentSection, num_environments: int, num_processes: int
) -> list[Candidate]:
    """Return all, in the order in which they must be started.

    Those that fork come first: no threads, no torch and no pipes are there yet to be inherited.
    """
    make = partial(make_environment, section)
    sizes: dict[str, Any] = {"num_environments": num_environments, "base_seed": SEED}
    ours = partial(WorkerPool, make, num_processes=num_processes, **sizes)
    threads = partial(AleVectorPool, section, num_threads=num_processes, **sizes)
    games = (section, num_environments, num_processes)

    def wrapped(num_frames: int) -> Callable[[], Contender]:
        return partial(
            GymnasiumAsync, partial(make_gymnasium, section, num_frames), num_environments
        )

    stack = section.stack_size
    single = partial(make_gymnasium, section, 1)
    same = partial(GymnasiumAsync, make, num_environments)
    return [
        Candidate("gymnasium AsyncVectorEnv", wrapped(1), 12),
        Candidate(f"gymnasium AsyncVectorEnv, {stack} frames", wrapped(stack), 12, atari_only=True),
        Candidate("gymnasium AsyncVectorEnv, Scout's environments", same, 12),
        Candidate(
            "stable-baselines3 SubprocVecEnv",
            partial(Subproc, single, num_environments),
            200,
            "stable_baselines3",
        ),
        Candidate(FLOOR, partial(WithoutTransport, make, num_environments, num_processes), 4),
        Candidate("pool, 1 group", partial(Ours, partial(ours, num_groups=1)), 4),
        Candidate(POOL, partial(Ours, partial(ours, num_groups=2)), 4),
        Candidate("pool, in this process", partial(Ours, partial(InProcessPool, make, **sizes)), 4),
        Candidate("pool, ale_vector", partial(Ours, threads), 4, "ale_py", atari_only=True),
        Candidate(
            "ale_py AtariVectorEnv", partial(ale_vector, *games), 4, "ale_py", atari_only=True
        ),
        Candidate("envpool", partial(envpool_games, *games), 4, "envpool"),
    ]


def chosen(all_of_them: Sequence[Candidate], words: Sequence[str]) -> list[Candidate]:
    """Return those in whose names one of `words` occurs, all where there are none; the floor too.

    Args:
        all_of_them: candidates.
        words: parts of names, in any case.
    """
    return [
        candidate
        for candidate in all_of_them
        if not words
        or candidate.name == FLOOR
        or any(word.casefold() in candidate.name.casefold() for word in words)
    ]
