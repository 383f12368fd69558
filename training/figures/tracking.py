"""Mirrors a run's TensorBoard curves to Weights & Biases, where that was asked for."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from configs.errors import ConfigurationError
from training.folders.run_folder import RunFolder


@contextmanager
def track_with_wandb(folder: RunFolder, config: Mapping[str, str]) -> Iterator[None]:
    """Send all TensorBoard curves written in this block to Weights & Biases.

    The key comes from the environment (WANDB_API_KEY) or from an earlier login, never from a flag.

    Args:
        folder: the run; its name is the run's name there, too.
        config: the flat configuration, shown beside the curves.

    Raises:
        ConfigurationError: where the package is not installed.
    """
    try:
        wandb = importlib.import_module("wandb")
    except ImportError as error:
        raise ConfigurationError(
            "--use_wandb needs the package wandb: .venv/bin/pip install wandb"
        ) from error
    run = wandb.init(
        project="scout",
        name=folder.name,
        id=folder.name,
        resume="allow",
        dir=str(folder.path),
        config=dict(config),
        sync_tensorboard=True,
    )
    try:
        yield
    finally:
        run.finish()
