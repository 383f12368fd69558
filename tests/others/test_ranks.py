"""Ranks that differ in what their environments do, and not in how often they learn."""

import json
from pathlib import Path

import pytest

from tests.others.environments import named
from tests.records import checkpoint_path, figures, read_status
from tests.runs import CARTPOLE, run_main, write_recipe
from training.checkpoints.storage import load_payload

NAME = "uneven"
RANKS, T, N, UPDATES = 2, 16, 2, 6
RECIPE = CARTPOLE.replace("classic_control", "gymnasium")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_trlx_373_ranks_of_unlike_episodes_make_the_same_updates(tmp_path: Path) -> None:
    """Games of 3 steps beside games of 40, and a worker that is lost and replaced on one rank."""
    steps = RANKS * T * N * UPDATES
    recipe = write_recipe(tmp_path, RECIPE, EnvID=named("OthersUneven-v0"), TotalEnvSteps=steps)
    died = tmp_path / "died"
    arguments = ("--train", f"--config_path={recipe}", f"--log_name={NAME}", "--num_workers=1")
    ended = run_main(tmp_path, *arguments, ranks=RANKS, environment={"DIED": str(died)})
    assert ended.code == 0, ended.output
    assert died.exists()
    assert ended.output.count("was lost while stepping") == 1
    payload = load_payload(checkpoint_path(tmp_path, NAME))
    assert (payload["updates"], payload["env_steps"]) == (UPDATES, steps)
    assert len(figures(tmp_path, NAME)) == UPDATES
    lengths = {episode["length"] for episode in json.loads(payload["episodes"])[0]}
    assert lengths == {3, 40}
    assert read_status(tmp_path, NAME)["code"] == 0
