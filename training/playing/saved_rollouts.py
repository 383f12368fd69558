"""The episodes of an evaluation as a dataset, beside a table of their returns and lengths."""

import csv
import functools
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from configs.schema import EnvironmentSection
from training.folders.files import replace_file, storage_error
from training.folders.versions import collect_versions
from training.playing.loaded_agent import LoadedAgent, action_choice
from training.playing.player import environment_seeds, episode_shares
from training.recording.describing import describe, episode_of, schema_from_spec
from training.recording.recorder import Lived, Recorder
from training.recording.removing import remove_dataset
from training.recording.writing import WritingThread
from trajectories.episode import Value
from trajectories.writer import ShardWriter
from workers.environment_pool import EnvironmentPool
from workers.environments.parts.actions import in_units
from workers.shared.protocol import EpisodeSummary, StepBatch

TABLE = "episodes.csv"
WRITER = "evaluation"


def keep_episodes(
    agent: LoadedAgent,
    pool: EnvironmentPool,
    folder: Path,
    *,
    episodes: int,
    seed: int,
    greedy: bool,
    with_info: bool,
    command_line: str,
) -> "SavedRollouts":
    """Return what writes the episodes of a checkpoint that plays.

    Args:
        agent: plays.
        pool: made with_states.
        folder: of the dataset.
        episodes: how many are counted.
        seed: of the environments.
        greedy: whether actions are the likeliest ones.
        with_info: see `SavedRollouts`.
        command_line: what was typed.
    """
    n = pool.num_environments
    return SavedRollouts(
        folder,
        pool,
        agent.config.environment,
        policy=f"checkpoint {agent.path.name}, {action_choice(agent, greedy=greedy)} actions",
        seeds=environment_seeds(seed, n),
        shares=episode_shares(episodes, n),
        with_info=with_info,
        provenance={
            "command": command_line,
            "run_seed": seed,
            "env_steps_trained": agent.payload["env_steps"],
            "versions": collect_versions(),
        },
    )


class SavedRollouts:
    """Watches an evaluation and writes each game that it counts; a context manager.

    Where a lost life ends an episode, a game is several of them.
    """

    def __init__(
        self,
        folder: Path,
        pool: EnvironmentPool,
        section: EnvironmentSection,
        *,
        policy: str,
        seeds: Sequence[int],
        shares: Sequence[int],
        with_info: bool,
        provenance: Mapping[str, Any],
    ) -> None:
        """Begin a dataset in `folder`, in the place of one of an earlier evaluation.

        Args:
            folder: of the dataset.
            pool: made with_states.
            section: how its environments were made.
            policy: which one plays, in words.
            seeds: what each environment is first reset with.
            shares: how many games of each are counted.
            with_info: whether what the environments tell of a game is written, too.
            provenance: how the evaluation was started.

        Raises:
            StorageError: it cannot be written.
        """
        self._folder, self._pool = folder, pool
        self._policy, self._seeds, self._shares = policy, seeds, shares
        self._with_info = with_info
        self._played = [0] * pool.num_environments
        self._lost: set[int] = set()  # environments that were replaced and have other seeds
        self._lives: list[list[Lived]] = [[] for _ in seeds]
        self._rows: list[dict[str, Value]] = []
        self._schema = schema_from_spec(pool.spec, None)
        # What is stored is in the environment's units.
        stored = section.model_copy(update={"action_mapping": "clip"})
        try:
            remove_dataset(folder)
        except OSError as error:
            raise storage_error(folder, error) from error
        writer = ShardWriter(
            folder,
            self._schema,
            describe(stored, policy, None, pool.spec.max_episode_steps),
            WRITER,
            provenance=provenance,
        )
        self._thread = WritingThread(writer)

    def begin(self, observations: NDArray[Any]) -> None:
        """Take the first observations [N, ...]."""
        self._recorder = Recorder(self._pool, observations)
        if self._pool.worker_restarts:  # nobody says whose environments were lost so early
            self._lost.update(range(self._pool.num_environments))

    def add(self, actions: NDArray[Any], batch: StepBatch) -> None:
        """Take a step: the policy's actions, and what came of them."""
        counted = [done < share for done, share in zip(self._played, self._shares, strict=True)]
        taken = in_units(self._pool.spec, actions)
        for row, lived in self._recorder.add(taken, batch, np.array(counted)).items():
            self._lives[row].append(lived)
        for game in batch.episodes:
            row = game.environment
            if game.lost:
                self._lost.add(row)
            elif counted[row]:
                self._write(game)
                self._played[row] += 1
            self._lives[row].clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.close()
        if error is None:
            self._write_table()

    def _write(self, game: EpisodeSummary) -> None:
        row, number = game.environment, self._played[game.environment]
        info: dict[str, Value] = {f"info.{name}": value for name, value in game.metrics.items()}
        if game.rooms:
            info["info.rooms"] = " ".join(map(str, game.rooms))
        values: dict[str, Value] = {
            "environment": row,
            **({} if row in self._lost else {"environment_seed": self._seeds[row]}),
            "game": number,
            "policy": self._policy,
            **(info if self._with_info else {}),
        }
        told = ("policy", "environment_seed")
        beside = {name: value for name, value in values.items() if name not in told}
        self._rows.append({**beside, "return": game.score, "length": game.length})
        for life, lived in enumerate(self._lives[row]):
            own: dict[str, Value] = {"id": f"{row}-{number}-{life}", "life": life}
            # Later episodes go on with the environment's stream, after a loss with another one.
            if number == life == 0 and row not in self._lost:
                own["seed"] = self._seeds[row]
            make = functools.partial(episode_of, lived, self._schema, None, values | own)
            self._thread.put(make, lived.num_bytes)

    def _write_table(self) -> None:
        self._rows.sort(key=lambda row: (row["environment"], row["game"]))
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, names, lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows)
        replace_file(self._folder / TABLE, text.getvalue().encode())
