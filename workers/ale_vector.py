"""A pool of Atari games that ale-py's own threads step, in this process.

It is what WorkerBackend = ale_vector means, and is used as `WorkerPool` is. It knows no rooms (the
emulators' memory cannot be read), gives no snapshots, and neither bounds nor repairs a step: an
emulator that hangs or crashes takes the process along. docs/details.md says where its games differ
from `AtariEnvironment`.
"""

import re
from dataclasses import replace
from typing import Any, Self

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environment_pool import TakeSnapshots
from workers.environments.atari.atari import MAX_FRAMES_PER_EPISODE, AtariEnvironment
from workers.environments.atari.games import load_ale_py, rom_of
from workers.environments.base import EnvironmentSpec, Observation
from workers.shared.layout import Layout
from workers.shared.protocol import (
    EpisodeSummary,
    GroupState,
    PoolStateError,
    StepBatch,
    Vectors,
    WorkerError,
)
from workers.shared.turns import Turns
from workers.supervision.lost_games import Seeds

# In 0.12.0 the reset of some games among others waits forever.
OLDEST_ALE_PY = (0, 12, 1)
# ale-py would cut an episode before it has drawn the last frame, so it is never to cut one. Its
# counter is an int32 that it also sets to one more than this.
NEVER = 2**30
_LARGEST_SEED = 2**31 - 1


class AleVectorPool:
    """N Atari games in G groups, each with threads of its own for all the cores it may use.

    Attributes:
        spec: what the games are.
        num_environments: N.
        num_groups: G.
        num_processes: threads that step a group.
        worker_restarts: always 0.
        place: where the games step, in words.
        shared_memory: None, the emulators hand out arrays of their own.
    """

    def __init__(
        self,
        section: EnvironmentSection,
        *,
        num_environments: int,
        num_threads: int,
        num_groups: int = 1,
        base_seed: int,
        first_index: int = 0,
    ) -> None:
        """Build the emulators and start the threads.

        Args:
            section: which game, and how it is played and shown.
            num_environments: N.
            num_threads: threads per group; at most one per game of a group is used.
            num_groups: G.
            base_seed, first_index: game i is first reset with base_seed + first_index + i.

        Raises:
            ConfigurationError: an unknown game, or ale-py is missing or too old.
        """
        layout = Layout.plan(num_environments, num_threads, num_groups)
        _check_version(load_ale_py().__version__)
        self.spec: EnvironmentSpec = replace(
            AtariEnvironment(section).environment_spec, can_snapshot=False, state_names=()
        )
        self.num_environments = num_environments
        self.num_groups = num_groups
        self.num_processes = layout.num_workers
        self.place = f"on {layout.num_workers} emulator thread(s) per rank"
        self.worker_restarts = 0
        self.shared_memory = None
        self._seeds = Seeds(base_seed, first_index)
        self._rows = layout.groups
        self._turns = Turns(num_groups)
        self._games = [_Games(section, rows, layout.num_workers) for rows in layout.groups]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def group(self, group: int) -> slice:
        """Return the rows of a group in [0, N)."""
        rows = self._rows[group]
        return slice(rows.start, rows.stop)

    def reset(self) -> Observation:
        """Begin a new game in all environments, seeded by global index at the first call.

        Returns:
            the observations uint8 [N, 1, H, W].
        """
        is_first = self._turns.has(GroupState.NEW)
        self._turns.expect_all(GroupState.NEW if is_first else GroupState.IDLE)
        observations = [
            games.reset(self._seeds.initial(rows) if is_first else None)
            for games, rows in zip(self._games, self._rows, strict=True)
        ]
        self._turns.put_all(GroupState.IDLE)
        return np.concatenate(observations)

    def plan_resets(self, seeds: NDArray[np.int64]) -> None:
        """Refuse: ale-py's threads reset their games by themselves.

        Raises:
            PoolStateError: always.
        """
        raise PoolStateError("ale_vector takes no seeds for resets")

    def send(self, group: int, actions: NDArray[Any]) -> None:
        """Begin a step of the n games of a group.

        Args:
            group: the group's number.
            actions: int64 [n], indices in the game's minimal set.

        Raises:
            ValueError: actions of another shape or dtype, or one that the game does not have.
        """
        self._turns.expect(group, GroupState.IDLE)
        n = len(self._rows[group])
        if actions.shape != (n,) or actions.dtype != np.int64:
            raise ValueError(
                f"actions must be int64 [{n}], not {actions.dtype} {list(actions.shape)}"
            )
        # A thread that meets a wrong action leaves its step undone, and `recv` waits forever.
        if actions.min() < 0 or actions.max() >= self.spec.num_actions:
            raise ValueError(f"actions must lie in [0, {self.spec.num_actions}): {actions}")
        self._games[group].send(actions)
        self._turns.put(group, GroupState.STEPPING)

    def recv(self, group: int) -> StepBatch:
        """Wait for the step that `send` began, however long it takes."""
        self._turns.expect(group, GroupState.STEPPING)
        batch = self._games[group].recv()
        self._turns.put(group, GroupState.IDLE)
        return batch

    def states(self, group: int) -> Vectors:
        """Return no states: [n, 0]."""
        rows = self.group(group)
        return np.zeros((rows.stop - rows.start, 0), np.float32)

    def labels(self, group: int) -> Vectors:
        """Return no labels: [n, 0]."""
        return self.states(group)

    def capture(self) -> TakeSnapshots:
        """Return what gives `snapshot`."""
        return self.snapshot

    def snapshot(self) -> list[bytes | None]:
        """Return None for every game: none can give its state."""
        self._turns.expect_all(GroupState.IDLE)
        return [None] * self.num_environments

    def restore(self, snapshots: list[bytes]) -> None:
        """Refuse.

        Raises:
            WorkerError: always.
        """
        raise WorkerError(
            f"WorkerBackend = ale_vector cannot continue {len(snapshots)} games from snapshots"
        )

    def close(self) -> None:
        """End the threads and the emulators; may be called again."""
        self._turns.put_all(GroupState.CLOSED)
        self._games = []


class _Games:
    """The n games of a group: their emulators, and what these do not keep themselves."""

    def __init__(self, section: EnvironmentSection, rows: range, num_threads: int) -> None:
        from ale_py.vector_env import AtariVectorEnv  # noqa: PLC0415 - see load_ale_py

        self._rows = rows
        self._life_done = section.life_done
        cap = section.max_episode_steps
        self._max_steps = MAX_FRAMES_PER_EPISODE // section.frame_skip if cap == "auto" else cap
        self._emulators = AtariVectorEnv(
            rom_of(section.env_id),
            len(rows),
            num_threads=num_threads,
            max_num_frames_per_episode=NEVER,
            repeat_action_probability=section.sticky_probability if section.sticky_actions else 0.0,
            autoreset_mode=gymnasium.vector.AutoresetMode.SAME_STEP,
            img_height=section.frame_height,
            img_width=section.frame_width,
            frameskip=section.frame_skip,
            stack_num=1,
            maxpool=True,
            noop_max=0,
            use_fire_reset=False,
            episodic_life=False,  # it would reset the whole game, see `recv`
            reward_clipping=False,
        )
        self._scores = np.zeros(len(rows), np.float64)
        self._lengths = np.zeros(len(rows), np.int64)
        self._lives = np.zeros(len(rows), np.int32)

    def reset(self, seeds: tuple[int, ...] | None) -> Observation:
        """Begin a new game in all; return the observations uint8 [n, 1, H, W]."""
        seed = None if seeds is None else np.array(seeds) & _LARGEST_SEED
        observations: Observation
        observations, info = self._emulators.reset(seed=seed)
        self._scores[:] = 0.0
        self._lengths[:] = 0
        self._lives = info["lives"]
        return observations

    def send(self, actions: NDArray[np.int64]) -> None:
        """Begin a step."""
        self._emulators.send(actions)

    def recv(self) -> StepBatch:
        """Wait for the step; end games at the cap, and episodes at a lost life if asked for.

        ale-py has reset the games that are over within the step.
        """
        observations, rewards, game_over, _, info = self._emulators.recv()
        final_observations = observations
        if game_over.any():
            final_observations = observations.copy()
            final_observations[game_over] = info["final_obs"][game_over]
        self._scores += rewards
        self._lengths += 1
        truncated = (self._lengths >= self._max_steps) & ~game_over
        terminated = game_over
        if self._life_done:
            terminated = game_over | (info["lives"] < self._lives)
        if truncated.any():
            observations, info = self._emulators.reset(options={"reset_mask": truncated})
        self._lives = info["lives"]
        return StepBatch(
            observations=observations,
            final_observations=final_observations,
            rewards=rewards.astype(np.float32),
            terminated=terminated,
            truncated=truncated,
            episodes=self._finish_games(game_over | truncated),
        )

    def _finish_games(self, ended: NDArray[np.bool_]) -> list[EpisodeSummary]:
        """Return the games that ended, and begin to count anew."""
        episodes = [
            EpisodeSummary(
                environment=self._rows[index],
                score=float(self._scores[index]),
                length=int(self._lengths[index]),
                rooms=(),
                metrics={},
                lost=False,
            )
            for index in np.flatnonzero(ended).tolist()
        ]
        self._scores[ended] = 0.0
        self._lengths[ended] = 0
        return episodes


def _check_version(version: str) -> None:
    """Refuse an ale-py that cannot reset some games among others."""
    found = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if found < OLDEST_ALE_PY:
        oldest = ".".join(map(str, OLDEST_ALE_PY))
        raise ConfigurationError(
            f"WorkerBackend = ale_vector needs ale-py {oldest} or newer, not {version}: install "
            "that, or set WorkerBackend = processes"
        )
