"""Episodes and datasets made up for tests, each from its seed alone."""

from pathlib import Path

import numpy as np

from trajectories.episode import Episode
from trajectories.manifest import Description
from trajectories.schema import ActionSpace, Schema
from trajectories.writer import ShardWriter

BOX = ActionSpace("box", (2,), "float32", low=(-1.0, -1.0), high=(1.0, 1.0))
SCHEMA = Schema((8, 8, 3), "uint8", BOX, ("x", "y"), ("target",))
DESCRIPTION = Description({"id": "Made-v0", "wrappers": ["resize 8x8"]}, "random")


def episode(seed: int, length: int = 40, schema: Schema = SCHEMA) -> Episode:
    """Return an episode that fits a schema; its frames compress as real ones do."""
    generator = np.random.default_rng(seed)
    shape = (length + 1, *schema.observation_shape)
    action = schema.action
    if action.kind == "box":
        actions = generator.uniform(-1, 1, (length, *action.shape)).astype(action.dtype)
    else:
        sizes = np.reshape(action.sizes or 2, action.shape if action.sizes else ())
        actions = action.start + generator.integers(0, sizes, (length, *action.shape))
        actions = actions.astype(action.dtype)
    observations = np.cumsum(generator.integers(0, 2, shape), axis=0)
    return Episode(
        observations.astype(schema.observation_dtype),
        actions,
        generator.normal(size=length),
        terminated=seed % 2 == 0,
        truncated=seed % 2 == 1,
        states=generator.random((length + 1, len(schema.state)), np.float32)
        if schema.state
        else None,
        labels={name: generator.normal(size=length + 1) for name in schema.labels},
        latent_std=np.ones(shape, schema.observation_dtype)
        if schema.latent == "gaussian"
        else None,
        values={"id": f"made-{seed}", "seed": seed, "policy": "random"},
    )


def dataset(
    folder: Path,
    seeds: range = range(12),
    *,
    writer: str = "a",
    per_shard: int = 4,
    length: int = 40,
) -> Path:
    """Write a dataset with so many episodes a shard, and return its folder."""
    with ShardWriter(folder, SCHEMA, DESCRIPTION, writer) as into:
        for count, seed in enumerate(seeds, start=1):
            into.add(episode(seed, length))
            if count % per_shard == 0:
                into.flush()
    return folder
