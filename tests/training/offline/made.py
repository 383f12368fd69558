"""Small datasets with something to learn in them, and runs on them."""

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.encoders.objective import Samples
from tests.runs import run_here
from training.checkpoints.storage import Payload, load_payload, unpack
from training.offline.loader import Loader
from trajectories.episode import Episode
from trajectories.manifest import Description
from trajectories.schema import ActionSpace, Schema
from trajectories.writer import ShardWriter

SIZE, STEPS = 64, 12
BOX = ActionSpace("box", (2,), "float32", low=(-1.0, -1.0), high=(1.0, 1.0))
FRAMES = Schema((SIZE, SIZE, 3), "uint8", BOX, ("x", "y"), ("left", "top"))
VECTORS = Schema((4,), "float32", ActionSpace("discrete", (), "int64", (3,), start=1))
ENVIRONMENT = "Square-v0"
DESCRIPTION = Description({"id": ENVIRONMENT}, "random")
RECIPE = "[Run]\nLearnerThreads = 1\n"
UNTIMED = ("wall_time", "time/", "system/")


def square(seed: int, schema: Schema = FRAMES, steps: int = STEPS) -> Episode:
    """Return an episode of a square that wanders over a grey field."""
    generator = np.random.default_rng(seed)
    height, width, _ = schema.observation_shape
    walk = np.cumsum(generator.normal(0, 3, (steps + 1, 2)), axis=0)
    walk += np.array([width / 2, height / 2])
    places = np.clip(walk, 2, (width - 3, height - 3)).astype(int)
    frames = np.full((steps + 1, height, width, 3), 60, np.uint8)
    for frame, (x, y) in zip(frames, places, strict=True):
        frame[y - 2 : y + 3, x - 2 : x + 3] = (220, 80, 40)
    states = (walk / width).astype(np.float32)  # no two are the same
    labels = {name: states[:, number].astype(float) for number, name in enumerate(schema.labels)}
    return Episode(
        frames,
        generator.uniform(-1, 1, (steps, 2)).astype(np.float32),
        generator.normal(size=steps),
        terminated=True,
        truncated=False,
        states=states if schema.state else None,
        labels=labels,
        values={"id": f"square-{seed}", "seed": seed},
    )


def vectors(seed: int, steps: int = STEPS) -> Episode:
    """Return an episode of VECTORS whose next observation follows from the last and the action."""
    generator = np.random.default_rng(seed)
    actions = generator.integers(1, 4, steps)
    observations = np.zeros((steps + 1, 4), np.float32)
    observations[0] = generator.normal(size=4)
    for step, action in enumerate(actions):
        observations[step + 1] = 0.9 * observations[step] + action
    rewards = generator.normal(size=steps)
    values = {"id": f"vectors-{seed}"}
    return Episode(observations, actions, rewards, terminated=False, truncated=True, values=values)


def write(
    folder: Path,
    episodes: Sequence[Episode],
    schema: Schema = FRAMES,
    description: Description = DESCRIPTION,
    per_shard: int = 5,
) -> Path:
    """Write a dataset; return its folder."""
    with ShardWriter(folder, schema, description, "a") as into:
        for count, episode in enumerate(episodes, start=1):
            into.add(episode)
            if count % per_shard == 0:
                into.flush()
    return folder


def squares(folder: Path, count: int = 20, **changes: Any) -> Path:
    """Write a dataset of squares, its schema with changes."""
    schema = replace(FRAMES, **changes)
    return write(folder, [square(seed, schema) for seed in range(count)], schema)


def train(
    folder: Path,
    *arguments: str,
    dataset: str = "D",
    model_dir: str = "E",
    verb: str = "--train_encoder",
) -> int:
    """Train in this process, in `folder`; return the exit code."""
    typed = command(folder, *arguments, dataset=dataset, model_dir=model_dir, verb=verb)
    return run_here(folder, *typed)


def command(
    folder: Path,
    *arguments: str,
    dataset: str = "D",
    model_dir: str = "E",
    verb: str = "--train_encoder",
) -> tuple[str, ...]:
    """Return what is typed to train in `folder`, where a recipe is written."""
    (folder / "recipe.conf").write_text(RECIPE)
    places = (f"--dataset={dataset}", f"--model_dir={model_dir}")
    return (verb, "--config_path=recipe.conf", *places, *arguments)


def state_of(path: Path) -> Payload:
    """Return all state in a checkpoint, the parts of ranks unpacked; what it tells is left out."""
    payload = load_payload(path)
    del payload["facts"]
    payload["ranks"] = [unpack(part.numpy().tobytes()) for part in payload["ranks"]]
    return payload


def rows_of(model_dir: Path) -> list[dict[str, float]]:
    """Return the rows of figures without what depends on the clock."""
    rows = [json.loads(line) for line in (model_dir / "metrics.jsonl").open()]
    return [{k: v for k, v in row.items() if not k.startswith(UNTIMED)} for row in rows]


def status_of(model_dir: Path) -> dict[str, Any]:
    """Return the model's last word."""
    status: dict[str, Any] = json.loads((model_dir / "status.json").read_text())
    return status


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a signal while that step is taken."""
    handed_out, whole = 0, Loader.next

    def next_and_stop(loader: Loader) -> Samples:
        nonlocal handed_out
        handed_out += 1
        if handed_out == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return whole(loader)

    monkeypatch.setattr(Loader, "next", next_and_stop)
