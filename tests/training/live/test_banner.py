"""The table at the start says which limit holds and what is learnt from, and who decided."""

from pathlib import Path

import pytest

from commands.experiment import told_of_local_mode
from commands.run_options import collect_overrides
from commands.verbs import build_parser
from configs.loading import load_config
from training.live.banner import describe_episode, rows_of_sources
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


def test_what_local_mode_sets_is_not_told_as_set_by_hand() -> None:
    typed = ["--train", "--local-mode", "--set=Gamma=0.9", "--set=StartTimeout=9", "--seed=3"]
    args = build_parser().parse_args(typed)
    loaded = told_of_local_mode(args, load_config(args.config_path, collect_overrides(args)))
    assert dict(rows_of_sources(loaded)) == {
        "set by hand": "Gamma, Seed, StartTimeout (command line over .conf over default)",
        "by --local-mode": "OverlapCollection, WorkerBackend, CollectiveTimeout",
    }
