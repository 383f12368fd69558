"""Whether a checkpoint fits a configuration: refused with a table of wanted and found."""

from pathlib import Path

import pytest

from configs.errors import CheckpointError
from configs.loading import config_from_mapping, load_config
from configs.schema import Config
from training.checkpoints.compatibility import ENVIRONMENT_FIELDS, check_fit, stated_fields
from training.ranks.agreement import differing_keys

PONG = {"EnvID": "PongNoFrameskip-v4"}
CARTPOLE = {"EnvType": "classic_control", "EnvID": "CartPole-v1"}

# Another environment, another number of actions, another architecture: key, wanted, found.
MISFITS = [
    ("EnvID", "BreakoutNoFrameskip-v4", "PongNoFrameskip-v4"),
    ("EnvType", "gymnasium", "atari"),
    ("FrameSkip", "2", "4"),
    ("StateStackSize", "3", "4"),
    ("PreProcHeight", "96", "84"),
    ("PreProcWidth", "96", "84"),
    ("ConvChannels", "16, 32, 32", "32, 64, 64"),
    ("ThirdKernel", "3", "4"),
    ("HiddenSize", "128", "256"),
    ("FeatureDim", "256", "448"),
    ("IntrinsicReward", "none", "RND"),
    ("RNDFeatureDim", "64", "512"),
    ("RNDHiddenSize", "64", "512"),
    ("RNDConvChannels", "16, 32, 32", "32, 64, 64"),
    ("RNDLeakySlope", "0.01", "0.2"),
    ("IntrinsicReward", "DRND", "RND"),
    ("RNDInput", "features", "pixels"),
    ("UseEmaBackboneForRND", "True", "False"),
    ("RNDStateHiddenSizes", "32", "64, 64"),
    ("DRNDTargets", "5", "10"),
    ("WorldModelSize", "128", "256"),
    ("RepresentationLearningParameter", "BYOL", "None"),
    ("BYOL_projectionHiddenSize", "64", "896"),
    ("BYOL_projectionSize", "64", "256"),
    ("BarlowTwinsProjectionSizes", "64, 64", "1024, 1024, 1024"),
    ("FreezeSharedBackbone", "True", "False"),
]
FEATURES = {"RNDInput": "features"}
BYOL = {"RepresentationLearningParameter": "BYOL"}
BARLOW_TWINS = {"RepresentationLearningParameter": "Barlow-Twins"}
# Without these, on both sides, the key means nothing.
NEEDED = {
    "UseEmaBackboneForRND": FEATURES,
    "RNDStateHiddenSizes": FEATURES,
    "DRNDTargets": {"IntrinsicReward": "DRND"},
    "WorldModelSize": {"IntrinsicReward": "BYOL-Explore"},
    "BYOL_projectionHiddenSize": BYOL,
    "BYOL_projectionSize": BYOL,
    "BarlowTwinsProjectionSizes": BARLOW_TWINS,
    "FreezeSharedBackbone": BYOL | {"SSLPretraining": "10"},
}


def config(**values: str) -> Config:
    return config_from_mapping(PONG | values)


@pytest.mark.parametrize(("key", "wanted", "found"), MISFITS)
def test_what_shapes_environment_and_networks_must_be_the_same(
    key: str, wanted: str, found: str
) -> None:
    both = NEEDED.get(key, {})
    with pytest.raises(CheckpointError) as caught:
        check_fit(config(**both, **{key: wanted}), config(**both), "demo.ckpt")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("demo.ckpt does not fit")
    assert lines[1].split() == ["key", "wanted", "found", "in", "the", "checkpoint"]
    assert f"{key} {wanted} {found}".split() in [line.split() for line in lines]


@pytest.mark.parametrize(
    ("key", "wanted", "found"),
    [
        ("ObservationType", "pixels", "state"),
        ("StateHiddenSizes", "32", "64, 64"),
        ("RNDStateHiddenSizes", "32", "64, 64"),
    ],
)
def test_agents_that_see_state_vectors_must_fit_in_what_shapes_those(
    key: str, wanted: str, found: str
) -> None:
    with pytest.raises(CheckpointError, match=rf"{key}\s+{wanted}\s+{found}"):
        check_fit(config(**CARTPOLE, **{key: wanted}), config(**CARTPOLE), "demo.ckpt")


def test_keys_that_shape_nothing_may_differ() -> None:
    check_fit(config(StateHiddenSizes="32"), config(), "demo.ckpt")
    check_fit(config(ObservationType="pixels"), config(), "demo.ckpt")
    check_fit(config(**CARTPOLE, HiddenSize="32", FrameSkip="2"), config(**CARTPOLE), "demo.ckpt")
    plain = {"IntrinsicReward": "none"}
    check_fit(config(**plain, RNDFeatureDim="32"), config(**plain), "demo.ckpt")


@pytest.mark.parametrize(
    ("key", "value", "both"),
    [
        ("DRNDTargets", "5", {}),
        ("WorldModelSize", "5", {"IntrinsicReward": "DRND"}),
        ("UseEmaBackboneForRND", "True", {}),
        ("RNDStateHiddenSizes", "5", {}),
        ("RNDConvChannels", "5, 5, 5", FEATURES),
        ("RNDHiddenSize", "5", FEATURES),
        ("BYOL_projectionHiddenSize", "5", BARLOW_TWINS),
        ("BYOL_projectionSize", "5", {}),
        ("BarlowTwinsProjectionSizes", "5", BYOL),
    ],
)
def test_keys_of_another_bonus_or_another_head_may_differ(
    key: str, value: str, both: dict[str, str]
) -> None:
    check_fit(config(**both, **{key: value}), config(**both), "demo.ckpt")


def test_what_the_recipe_does_not_state_is_taken_from_the_checkpoint(tmp_path: Path) -> None:
    recipe = tmp_path / "some.conf"
    recipe.write_text("EnvID = PongNoFrameskip-v4\nSeed = 3\n")
    loaded = load_config(recipe, ["HiddenSize=32", "MaxStepPerEpisode=100"])
    assert sorted(stated_fields(loaded)) == [
        "environment.env_id",
        "environment.max_episode_steps",
        "ppo.hidden_size",
    ]
    found = config(FeatureDim="16", HiddenSize="32", MaxStepPerEpisode="100")
    check_fit(loaded.config, found, "demo.ckpt", stated_fields(loaded))
    other = config(HiddenSize="32", MaxStepPerEpisode="50")
    with pytest.raises(CheckpointError, match=r"MaxStepPerEpisode\s+100\s+50"):
        check_fit(loaded.config, other, "demo.ckpt", stated_fields(loaded))


def test_all_misfits_stand_in_one_table() -> None:
    with pytest.raises(CheckpointError) as caught:
        check_fit(config(FrameSkip="2", HiddenSize="8"), config(), "demo.ckpt")
    assert "FrameSkip" in str(caught.value)
    assert "HiddenSize" in str(caught.value)
    assert "EnvID" not in str(caught.value)


def test_what_may_change_while_a_run_goes_on_is_no_misfit() -> None:
    wanted = config(LearningRate="3e-4", NumEnv="7", TotalEnvSteps="5", Seed="9", Epoch="2")
    check_fit(wanted, config(), "demo.ckpt")


def test_only_the_fields_asked_for_are_compared() -> None:
    check_fit(config(HiddenSize="8"), config(), "demo.ckpt", ENVIRONMENT_FIELDS)
    with pytest.raises(CheckpointError, match="FrameSkip"):
        check_fit(config(FrameSkip="2"), config(), "demo.ckpt", ENVIRONMENT_FIELDS)


def test_keys_that_differ_between_any_two_ranks_are_found() -> None:
    ranks = [{"A": "1", "B": "2"}, {"A": "1", "B": "2"}, {"A": "3", "B": "2"}]
    assert differing_keys(ranks) == ["A"]
    assert differing_keys(ranks[:2]) == []
    assert differing_keys([{"A": "1"}, {}]) == ["A"]
    assert differing_keys([{}, {"A": "1"}]) == ["A"]
