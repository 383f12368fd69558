"""A small run that ended: what strangers' files are held against."""

from pathlib import Path

import pytest

from tests.property.sandbox import Ended, run
from tests.records import checkpoint_path
from tests.runs import CARTPOLE, write_recipe

NAME = "trained"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that run; tests change nothing in it."""
    folder = tmp_path_factory.mktemp("trained")
    recipe = write_recipe(folder, CARTPOLE, TotalEnvSteps=64)
    ended: Ended = run(folder, "--train", f"--config_path={recipe}", f"--log_name={NAME}")
    assert ended.code == 0, ended.said
    return folder


@pytest.fixture(scope="session")
def checkpoint(trained: Path) -> bytes:
    """Its checkpoint."""
    return checkpoint_path(trained, NAME).read_bytes()
