"""An actor of TD3 that was exported, at play."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.encoders.encoder import Encoder
from configs.schema import Config
from training.building.stacking import stack_size
from training.exporting.form import CPU, PROGRAM
from training.playing.deterministic_player import Actor, DeterministicPlayer
from workers.environments.base import EnvironmentSpec


@dataclass(frozen=True)
class ExportedActor:
    """What a folder holds.

    Attributes:
        folder: where it lies.
        config: of the run that trained it.
        spec: the environment.
        actor: on the CPU, in the precision that it was trained in.
    """

    folder: Path
    config: Config
    spec: EnvironmentSpec
    actor: Actor

    def player(self, seed: int, *, greedy: bool = False) -> DeterministicPlayer:
        """Return the actor at play; `seed` is that of the noise on its actions."""
        return self._player(self.actor, seed, greedy=greedy)

    def graph_player(self, seed: int, *, greedy: bool = False) -> DeterministicPlayer:
        """Return its graph at play, in float32. Only your own: torch unpickles what it asks for."""
        return self._player(ActorProgram(self.folder), seed, greedy=greedy)

    def _player(self, actor: Actor, seed: int, *, greedy: bool) -> DeterministicPlayer:
        noise = 0.0 if greedy else self.config.td3.exploration_noise
        size = stack_size(self.config, self.spec)
        return DeterministicPlayer(actor, self.spec, size, CPU, seed, noise=noise)


class ActorProgram:
    """The .pt2 form of an actor, see `Actor`.

    Args:
        folder: where it lies.
    """

    encoder: Encoder | None = None  # it is a part of the graph

    def __init__(self, folder: Path) -> None:
        self._run: Any = torch.export.load(folder / PROGRAM).module()

    @torch.no_grad()
    def act(self, observations: Tensor) -> Tensor:
        """Return the actor's actions [n, A], float32, for observations [n, ...]."""
        mean: Tensor = self._run(observations)[0]
        return mean

    @torch.no_grad()
    def values(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_1 [n] of observations [n, ...] and of the actor's own actions, without noise."""
        del actions
        value: Tensor = self._run(observations)[-1]
        return value
