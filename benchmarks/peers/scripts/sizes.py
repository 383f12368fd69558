"""What every peer is told, and how it says how far it has come."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

MARK = re.compile(r"^mark (\d+)$")
ENDLESS = 2_000_000_000  # env steps: whoever watches ends the peer


@dataclass(frozen=True)
class Sizes:
    """What all peers have in common.

    Attributes:
        game: the environment's id.
        num_envs: environments in all.
        num_steps: env steps of each between two updates.
        epochs, minibatches: of an update.
        processes: processes or threads that step the environments, where that can be chosen.
        threads: torch threads of a learner.
    """

    game: str = "MontezumaRevengeNoFrameskip-v4"
    num_envs: int = 64
    num_steps: int = 128
    epochs: int = 4
    minibatches: int = 4
    processes: int = 1
    threads: int = 1

    @property
    def steps_per_update(self) -> int:
        """Env steps between two updates."""
        return self.num_envs * self.num_steps

    @property
    def minibatch_size(self) -> int:
        """Samples of a gradient step."""
        return self.steps_per_update // self.minibatches


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Let the command line say the sizes."""
    for field in fields(Sizes):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)


def sizes_of(options: argparse.Namespace) -> Sizes:
    """Return what the command line said."""
    return Sizes(**{field.name: getattr(options, field.name) for field in fields(Sizes)})


def read_sizes(more: Sequence[str] = ()) -> tuple[Sizes, argparse.Namespace]:
    """Read a peer script's command line.

    Args:
        more: further flags that the script takes, each with a text.
    """
    parser = argparse.ArgumentParser()
    add_sizes(parser)
    for name in more:
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    return sizes_of(options), options


def mark(env_steps: int) -> None:
    """Say that so many env steps have been taken and learned from."""
    print(f"mark {env_steps}", flush=True)
