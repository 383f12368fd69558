"""What a file of an older code means as a whole, and that our own files never mean it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from configs.loading import LoadedConfig, load_config

Load = Callable[..., LoadedConfig]
LINEAR = "shared_ppo_backbone_last_layer_type = Linear\n"
CLASSIC = "EnvType = classic_control\nEnvID = CartPole-v1\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, *overrides: str) -> LoadedConfig:
        path = tmp_path / "old.conf"
        path.write_text(text)
        return load_config(path, overrides)

    return load


def test_the_studys_backbone_is_that_of_jcwleos_port(load: Load) -> None:
    loaded = load(LINEAR)
    assert (loaded.config.ppo.third_kernel, loaded.config.intrinsic.leaky_slope) == (3, 0.01)
    assert "= Linear: read as Preset = jcwleo, the networks of the code it" in loaded.notes[0]


def test_the_studys_bonus_on_features_has_its_layers(load: Load) -> None:
    loaded = load("TrainMethod = modified_RND\n" + LINEAR)
    assert loaded.config.intrinsic.state_hidden_sizes == (64, 128, 256)
    assert "Preset = jcwleo and RNDStateHiddenSizes = 64, 128, 256" in loaded.notes[0]
    assert load("TrainMethod = modified_RND").config.intrinsic.state_hidden_sizes == (64, 64)


def test_what_the_user_says_in_our_words_wins(load: Load) -> None:
    text = "TrainMethod = modified_RND\nPreset = paper\nRNDStateHiddenSizes = 9\n" + LINEAR
    config = load(text).config
    assert (config.ppo.preset, config.intrinsic.state_hidden_sizes) == ("paper", (9,))
    config = load(CLASSIC + "TrainMethod = RND\nObservationType = state").config
    assert config.environment.observation_type == "state"


def test_an_update_proportion_that_the_study_never_used_is_told(load: Load) -> None:
    loaded = load(LINEAR + "UpdateProportion = 0.5")
    assert loaded.config.intrinsic.predictor_share == 0.25
    assert "UpdateProportion = 0.5: read as 0.25" in loaded.notes[1]
    heeded = load(LINEAR + "UpdateProportion = 0.5", "UpdateProportion=0.5")
    assert heeded.config.intrinsic.predictor_share == 0.5
    assert load("UpdateProportion = 0.5").config.intrinsic.predictor_share == 0.5


@pytest.mark.parametrize("minibatches", [1, 4, 8])
def test_a_slow_backbone_moves_in_an_epoch_as_far_as_the_studys(
    load: Load, minibatches: int
) -> None:
    text = f"EMA_tau = 0.05\nMiniBatch = {minibatches}\n"
    rate = load(LINEAR + text).config.intrinsic.slow_rate
    assert (1 - rate) ** minibatches == pytest.approx(0.95)
    assert load(text).config.intrinsic.slow_rate == 0.05


def test_minibatches_of_the_command_line_decide_how_far_a_slow_backbone_moves(load: Load) -> None:
    loaded = load(LINEAR + "EMA_tau = 0.05\nMiniBatch = 8\n", "MiniBatch=4")
    assert (1 - loaded.config.intrinsic.slow_rate) ** 4 == pytest.approx(0.95)


def test_a_method_of_the_command_line_decides_which_layers_the_studys_bonus_has(load: Load) -> None:
    text = "TrainMethod = modified_RND\n" + LINEAR
    assert load(text, "TrainMethod=RND").config.intrinsic.state_hidden_sizes == (64, 64)
    text = "TrainMethod = RND\n" + LINEAR
    loaded = load(text, "TrainMethod=modified_RND")
    assert loaded.config.intrinsic.state_hidden_sizes == (64, 128, 256)


def test_a_task_of_the_command_line_is_not_taken_for_the_files(load: Load) -> None:
    loaded = load(CLASSIC + "TrainMethod = RND\n", "EnvType=gymnasium")
    assert not loaded.config.observes_pixels
    assert not any("ObservationType = pixels" in note for note in loaded.notes)
    breakout = LINEAR + "TrainMethod = PPO\nEnvID = BreakoutNoFrameskip-v4"
    notes = load(breakout, "EnvID=PongNoFrameskip-v4").notes
    assert not any("leaves out the no-op" in note for note in notes)


def test_classic_control_is_seen_as_pictures_with_and_without_a_head(load: Load) -> None:
    for head in ("None", "BYOL", "Barlow-Twins"):
        text = f"{CLASSIC}TrainMethod = RND\nrepresentationLearningMethod = {head}\n"
        loaded = load(text + "MaxStepPerEpisode = 18000")
        assert loaded.config.observes_pixels
        assert loaded.config.environment.max_episode_steps == "auto"
        assert "ObservationType = pixels and MaxStepPerEpisode = auto" in loaded.notes[0]
    assert load(text + "MaxStepPerEpisode = 90").config.environment.max_episode_steps == 90


def test_classic_control_of_our_own_files_stays_a_vector(load: Load) -> None:
    assert not load(CLASSIC + "IntrinsicReward = RND").config.observes_pixels


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LINEAR + "UpdateProportion = half", "UpdateProportion = half: is not a number"),
        (LINEAR + "EMA_tau = 2", "EMA_tau = 2: is out of bounds"),
        (LINEAR + "Preset = paper\nPreset = paper", "Preset = paper: is set twice"),
        (LINEAR + LINEAR, "Linear: is set twice"),
        (CLASSIC + "TrainMethod = RND\nMaxStepPerEpisode = long", "is not a whole number"),
    ],
)
def test_a_slip_in_an_older_file_is_told_as_anywhere(load: Load, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    assert told in str(caught.value)


def test_a_task_that_is_another_one_is_told(load: Load) -> None:
    text = LINEAR + "TrainMethod = PPO\nEnvID = BreakoutNoFrameskip-v4"
    assert any("leaves out the no-op" in note for note in load(text).notes)
    mario = load("TrainMethod = RND\nEnvType = mario\nEnvID = SuperMarioBros-v0")
    assert any("12 in the code it comes from" in note for note in mario.notes)


def test_a_frozen_backbone_may_come_from_a_checkpoint(load: Load) -> None:
    text = "representationLearningMethod = BYOL\nfreeze_shared_backbone = True\nloadModel = "
    assert load(text + "True").config.representation.freeze_backbone
    with pytest.raises(ConfigurationError, match="or loadModel = True"):
        load(text + "False")


def test_a_section_for_each_experiment_is_one_error_each(load: Load) -> None:
    keys = "NumEnv = 4\nGama = 0.9\n"
    with pytest.raises(ConfigurationError) as caught:
        load(f"[DEFAULT]\nNumEnv = 8\n[RED]\n{keys}[BLUE]\n{keys}no sense\n[Run]\nSeed = 3\n")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["[RED]", "[BLUE]"]
    assert all(line.endswith("a file holds one run: give each run its own") for line in lines)


def test_sections_near_a_known_one_repeat_no_key(load: Load) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load("[PPO]\nGamma = 0.9\n[PPO1]\nGamma = 0.8\n[PPO2]\nGamma = 0.7\n")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["[PPO1]", "[PPO2]"]
    assert all(line.endswith("did you mean [PPO]?") for line in lines)
