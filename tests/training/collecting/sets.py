"""Collections run for tests, and what is asked of the datasets that they leave."""

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from configs.schema import EnvironmentSection
from tests.runs import run_here
from trajectories.episode import Episode
from trajectories.reader import Dataset, open_dataset
from trajectories.verify import verify_folder
from workers.environments.make import make_environment

PROBES = "tests.training.collecting.probes"
NOISE = (
    *("--environment", f"{PROBES}:Noise-v0", "--set", "ObservationType=pixels"),
    *("--observation_size", "44"),
)
IN_RANK = ("--set", "WorkerBackend=in_process")


def collect(folder: Path, *arguments: str, code: int = 0) -> Path:
    """Collect in this process into `folder`/set."""
    out = folder / "set"
    assert run_here(folder, "--collect", "--out_dir", str(out), *arguments) == code
    return out


def digest(episode: Episode) -> str:
    """Return a digest of all that an episode holds."""
    held = hashlib.sha256()
    arrays = [episode.observations, episode.actions, episode.rewards, *episode.labels.values()]
    for array in [*arrays, *([] if episode.states is None else [episode.states])]:
        held.update(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    values = sorted(episode.values.items())
    held.update(f"{episode.terminated} {episode.truncated} {values}".encode())
    return held.hexdigest()


def episodes_of(folder: Path) -> dict[str, str]:
    """Return each episode's id and digest; the set must be whole, and no id doubled."""
    verdict = verify_folder(folder)
    assert verdict.problems == ()
    found = [(episode.id, digest(episode)) for episode in open_dataset(folder).scan()]
    assert len(dict(found)) == len(found)
    return dict(found)


def numbers_of(folder: Path) -> list[int]:
    """Return the numbers of a set's episodes, in order."""
    return sorted(int(name.split("-")[1]) for name in episodes_of(folder))


def replayed(dataset: Dataset, episode: Episode) -> Episode:
    """Play an episode again in a fresh environment, from its seed and its actions alone."""
    section = EnvironmentSection.model_validate(dict(dataset.info.description.environment))
    environment = make_environment(section)
    seen, _ = environment.reset(seed=int(episode.values["seed"]))
    observations, states = [seen], [environment.state()]
    labels, rewards, ends = [environment.labels()], [], []
    spec = environment.environment_spec
    for action in episode.actions:
        choice = int(action) - spec.action_start if spec.discrete else action
        seen, reward, terminated, truncated, _ = environment.step(choice)
        observations.append(np.array(seen))
        states.append(environment.state())
        labels.append(environment.labels())
        rewards.append(np.float32(reward))
        ends.append((terminated, truncated))
    environment.close()
    stacked: Any = np.stack(observations)
    return Episode(
        np.moveaxis(stacked, 1, -1) if stacked.ndim == 4 else stacked,
        episode.actions,
        np.array(rewards, np.float64),
        *ends[-1],
        states=np.stack(states) if states[0].size else None,
        labels={name: np.stack(labels)[:, n] for n, name in enumerate(episode.labels)},
        values=episode.values,
    )


def assert_replays(dataset: Dataset, most: int = 3) -> None:
    """Seed and actions give the stored frames, states, labels and rewards, bit for bit."""
    for index in range(min(most, len(dataset))):
        stored = dataset.episode(index)
        again = replayed(dataset, stored)
        assert stored.observations.tobytes() == np.ascontiguousarray(again.observations).tobytes()
        assert stored.rewards.tolist() == again.rewards.tolist()
        assert (stored.terminated, stored.truncated) == (again.terminated, again.truncated)
        if stored.states is None:
            assert again.states is None
        else:
            assert np.array_equal(stored.states, again.states)  # type: ignore[arg-type]
        for name, values in stored.labels.items():
            assert np.array_equal(values, again.labels[name].astype(np.float64))


def collect_and_be_killed(folder: Path, seconds: float, *arguments: str) -> bool:
    """Collect in a forked process that is killed after `seconds`; return whether it still ran."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            code = run_here(folder, "--collect", "--out_dir", str(folder / "set"), *arguments)
        finally:
            os._exit(code)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)
