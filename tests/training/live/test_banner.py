"""The table at the start says which limit holds and what is learnt from, and who decided."""

from pathlib import Path

import pytest

from configs.loading import load_config
from training.live.banner import describe_episode
from workers.environments.make import make_environment

PENDULUM = "EnvType = classic_control\nEnvID = Pendulum-v1\n"
PONG = "EnvID = PongNoFrameskip-v4\n"


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        (
            PENDULUM,
            [],
            "is cut after 200 env steps (Pendulum-v1's own limit); learns from the raw reward "
            "(the default of LearningReward for classic_control)",
        ),
        (
            PENDULUM + "LearningReward = sign",
            ["MaxStepPerEpisode=90"],
            "is cut after 90 env steps (MaxStepPerEpisode); learns from the sign of the reward "
            "(LearningReward)",
        ),
        (
            PONG,
            [],
            "is cut after 4,500 env steps (the default of MaxStepPerEpisode for atari); learns "
            "from the sign of the reward (the default of LearningReward for atari)",
        ),
        (
            PONG + "MaxStepPerEpisode = auto\nLearningReward = raw",
            [],
            "is cut after 27,000 env steps (PongNoFrameskip-v4's own limit); learns from the raw "
            "reward (LearningReward)",
        ),
    ],
)
def test_the_start_says_when_an_episode_is_cut_and_what_is_learnt_from(
    tmp_path: Path, text: str, overrides: list[str], said: str
) -> None:
    recipe = tmp_path / "recipe.conf"
    recipe.write_text(text)
    loaded = load_config(recipe, overrides)
    environment = make_environment(loaded.config.environment)
    assert describe_episode(loaded, environment.environment_spec) == said
    environment.close()
