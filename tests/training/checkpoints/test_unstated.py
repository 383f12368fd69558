"""A run from before keeps its limit and its reward where its recipe says nothing of them."""

from pathlib import Path
from typing import Any

import pytest

from configs.loading import LoadedConfig, dump_config, load_config
from training.checkpoints.unstated import keep_unstated
from training.live.banner import describe_episode
from workers.environments.make import make_environment

BEFORE = {"MaxStepPerEpisode": "4500", "LearningReward": "sign"}


def load(folder: Path, text: str = "", overrides: tuple[str, ...] = ()) -> LoadedConfig:
    path = folder / "recipe.conf"
    path.write_text(f"EnvType = classic_control\nEnvID = CartPole-v1\n{text}")
    return load_config(path, overrides)


def payload_of(loaded: LoadedConfig, **values: str) -> dict[str, Any]:
    return {"facts": {"config": dump_config(loaded.config) | values}}


def test_what_nobody_states_is_the_checkpoints(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    kept = keep_unstated(loaded, payload_of(loaded, **BEFORE))
    assert dump_config(kept.config) == dump_config(loaded.config) | BEFORE
    assert "MaxStepPerEpisode = 4500, LearningReward = sign" in kept.notes[-1]
    environment = make_environment(kept.config.environment)
    said = describe_episode(kept, environment.environment_spec)
    assert said.startswith("is cut after 4,500 env steps (MaxStepPerEpisode of the checkpoint)")
    environment.close()


@pytest.mark.parametrize(
    ("text", "overrides"),
    [("LearningReward = raw\nMaxStepPerEpisode = auto", ()), ("", ("LearningReward=raw",))],
)
def test_what_recipe_or_command_line_state_wins(
    tmp_path: Path, text: str, overrides: tuple[str, ...]
) -> None:
    loaded = load(tmp_path, text, overrides)
    kept = keep_unstated(loaded, payload_of(loaded, **BEFORE))
    assert kept.config.environment.learning_reward == "raw"
    stated = bool(text)
    assert kept.config.environment.max_episode_steps == ("auto" if stated else 4500)


def test_a_new_run_and_one_that_agrees_stay_as_they_are(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert keep_unstated(loaded, None) is loaded
    assert keep_unstated(loaded, payload_of(loaded)) is loaded
