"""A policy at play, outside of training."""

import copy
import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.encoders.encoder import Encoder
from agents.networks.actor_critic import PolicyOutput
from agents.networks.recurrent_actor_critic import PolicyInput
from agents.recurrent.recollection import Recollection, recollection
from configs.errors import EnvironmentFailure
from configs.loading import LoadedConfig
from configs.schema import Config
from training.building.seeding import make_generator, stream_seed
from training.dreaming.opening import open_pool
from workers.environment_pool import EnvironmentPool
from workers.environments.base import EnvironmentSpec
from workers.opening import Sizes
from workers.shared.protocol import EpisodeSummary, StepBatch

DEFAULT_ENVIRONMENTS = 8
LONGEST_GAME = 1_000_000  # env steps; ten times the longest one of Atari

Judge = Callable[[PolicyInput], PolicyOutput]
"""A policy with its critics: of stacked observations [n, S * C, H, W] or vectors [n, D], and for a
recurrent one what it remembers beside them."""


class Witness(Protocol):
    """Who sees the steps of an evaluation."""

    def begin(self, observations: NDArray[Any]) -> None:
        """Take the first observations [N, ...]."""

    def add(self, actions: NDArray[Any], batch: StepBatch) -> None:
        """Take a step: the policy's actions [N] or [N, A], and what came of them."""


class Choice(NamedTuple):
    """What a policy does, and what it expects, on the CPU: actions [n] or [n, A], values [n]."""

    actions: Tensor
    value_extrinsic: Tensor
    value_intrinsic: Tensor


class Memory(Protocol):
    """What a player remembers of the episodes of n environments."""

    def push(self, observations: Tensor, starts: Tensor) -> None:
        """Take what came next [n, ...], and where an episode begins with it [n], on the device."""


class GamePlayer(Protocol):
    """Whatever plays games; `Memory` is of its own making.

    Attributes:
        spec: the environment that it plays.
        device: where it computes.
    """

    spec: EnvironmentSpec
    device: torch.device

    def remember(self, observations: Tensor) -> Any:
        """Return the `Memory` of episodes that begin with `observations` [n, ...]."""

    def act(self, memory: Any) -> Tensor:
        """Return the actions [n] or [n, A], on the CPU."""

    def reseeded(self, seed: int) -> Self:
        """Return the same player with a random stream of its own, from `seed`."""


class Player:
    """A policy with the frames it needs to remember.

    Args:
        policy: what decides.
        spec: the environment.
        stack_size: frames in the policy's input.
        device: where the policy computes.
        seed: of the sampled actions.
        greedy: take the likeliest action instead of sampling.
        encoder: frozen, on `device`; its features are the policy's input in the place of frames.
        memory_size: numbers that the policy remembers; 0 without a memory.
    """

    def __init__(
        self,
        policy: Judge,
        spec: EnvironmentSpec,
        stack_size: int,
        device: torch.device,
        seed: int,
        *,
        greedy: bool,
        encoder: Encoder | None = None,
        memory_size: int = 0,
    ) -> None:
        self.spec = spec
        self.device = device
        self._policy = policy
        self._stack_size = stack_size
        self._greedy = greedy
        self._encoder = encoder
        self._memory_size = memory_size
        self._generator = make_generator(seed, "evaluation actions", 0, device)

    def remember(self, observations: Tensor) -> Recollection:
        """Return the memory of episodes that begin with `observations` [n, ...]."""
        first = observations.to(self.device)
        return recollection(self._encoder, first, self._stack_size, self._memory_size)

    def act(self, frames: Recollection) -> Tensor:
        """Return the actions [n] or [n, A] for what `frames` remembers, on the CPU."""
        return self.decide(frames).actions

    def reseeded(self, seed: int) -> Self:
        """Return the same player with a random stream of its own, from `seed`."""
        other = copy.copy(self)
        other._generator = torch.Generator(self.device).manual_seed(seed)
        return other

    @torch.no_grad()
    def decide(self, frames: Recollection) -> Choice:
        """Return what is done in the face of what `frames` remembers, and what is expected.

        A policy with a memory remembers it from then on: call once for each step.
        """
        distribution, extrinsic, intrinsic, memory = self._policy(frames.policy_input)
        frames.keep(memory)
        action = distribution.mode() if self._greedy else distribution.sample(self._generator)
        return Choice(action.cpu(), extrinsic.cpu(), intrinsic.cpu())


def open_environments(
    config: Config,
    seed: int,
    num_environments: int = DEFAULT_ENVIRONMENTS,
    num_processes: int | None = None,
    backend: str | None = None,
    *,
    with_states: bool = False,
) -> EnvironmentPool:
    """Start the environments of an evaluation; their random streams depend on seed and number.

    Args:
        config: that of the policy.
        seed: of the evaluation.
        num_environments: at most as many as there will be episodes.
        num_processes: workers, if there are to be any; by default one for each core, where the
            environments do not step in this process.
        backend: a value of WorkerBackend in place of the policy's. ale_vector, which shows no
            rooms, is read as processes.
        with_states: whether states and labels come beside the observations.
    """
    backend = backend or config.run.worker_backend
    sizes = Sizes(
        num_environments=num_environments,
        num_groups=1,
        base_seed=environment_seeds(seed, num_environments)[0],
        first_index=0,
        num_workers=num_processes,
        cores=len(os.sched_getaffinity(0)),
    )
    backend = "processes" if backend == "ale_vector" else backend
    return open_pool(config, sizes, backend, with_states=with_states)


def num_environments(loaded: LoadedConfig, episodes: int) -> int:
    """Return how many environments play: as asked for, else a few; never more than episodes."""
    by_hand = loaded.sources["NumEnv"] == "command line"
    return min(loaded.config.run.num_envs, episodes) if by_hand else usual_environments(episodes)


def usual_environments(episodes: int) -> int:
    """Return how many environments play where nobody asks for a number of them."""
    return min(DEFAULT_ENVIRONMENTS, episodes)


def environment_seeds(seed: int, num_environments: int) -> list[int]:
    """Return what each environment of an evaluation is first reset with; see `WorkerPool`."""
    first = stream_seed(seed, "evaluation environments")
    return [first + index for index in range(num_environments)]


def episode_shares(num_episodes: int, num_environments: int) -> list[int]:
    """Return how many of the episodes each environment plays."""
    each, rest = divmod(num_episodes, num_environments)
    return [each + (index < rest) for index in range(num_environments)]


def play_episodes(
    pool: EnvironmentPool,
    player: GamePlayer,
    num_episodes: int,
    show: Callable[[int, list[float]], None] | None = None,
    longest_game: int = LONGEST_GAME,
    witness: Witness | None = None,
) -> list[EpisodeSummary]:
    """Play `num_episodes` and return their summaries, by environment and time.

    Every environment plays a share fixed beforehand: taking the first to finish would favour short
    episodes. Episodes of a lost worker are played again.

    Args:
        pool: the environments.
        player: decides.
        num_episodes: how many.
        show: told after each step the env steps so far, and the scores of the episodes that ended.
        longest_game: env steps for which the end of an episode is waited for.
        witness: sees all that happens, and changes nothing.

    Raises:
        EnvironmentFailure: an episode is longer than that.
    """
    shares = episode_shares(num_episodes, pool.num_environments)
    played: list[list[EpisodeSummary]] = [[] for _ in shares]
    first = pool.reset()
    if witness is not None:
        witness.begin(first)
    frames, env_steps = player.remember(torch.from_numpy(first)), 0
    lengths = np.zeros(pool.num_environments, np.int64)  # of the episodes under way
    while any(len(done) < share for done, share in zip(played, shares, strict=True)):
        actions = player.act(frames).numpy()
        pool.send(0, actions)
        batch = pool.recv(0)
        if witness is not None:
            witness.add(actions, batch)
        ended = torch.from_numpy(batch.terminated | batch.truncated).to(player.device)
        frames.push(torch.from_numpy(batch.observations).to(player.device), ended)
        lengths += 1
        for episode in batch.episodes:
            lengths[episode.environment] = 0
            if not episode.lost and len(played[episode.environment]) < shares[episode.environment]:
                played[episode.environment].append(episode)
        env_steps += pool.num_environments
        if show is not None:
            show(env_steps, [episode.score for done in played for episode in done])
        if lengths.max() >= longest_game:
            raise _endless(pool.spec, int(lengths.argmax()), longest_game, sum(map(len, played)))
    return [episode for done in played for episode in done]


def _endless(spec: EnvironmentSpec, environment: int, steps: int, ended: int) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"environment {environment} of the evaluation has played {steps:,} env steps of "
        f"{spec.env_id} and its episode has not ended ({ended} episodes have): let the environment "
        "end its episodes, or train with MaxStepPerEpisode = N in the recipe, which cuts them there"
    )


def spec_from_text(text: str) -> EnvironmentSpec:
    """Return the spec that a checkpoint holds as JSON, with JSON's lists as tuples."""
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in json.loads(text).items()
    }
    return EnvironmentSpec(**fields)
