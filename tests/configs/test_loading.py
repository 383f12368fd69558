from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from configs.loading import config_from_mapping, dump_config, load_config, render_conf
from configs.options import Option, all_options, option_values, value_text
from configs.schema import Config

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "recipe.conf"
        path.write_text(text, encoding="utf-8")
        return path

    return write


OTHER_WORDS = {
    "EnvID": "my_package.envs:Maze-v0",
    "Model": "byol",
    "DynamicsModel": "causal_transformer",
    "Backbone": "encoder:runs/an encoder",
    "MarioStages": "1-1, 1-2",
    "CustomModel": "customnet",
    "CustomModelConfig": '{"hidden": 32}',
}


def another_value(option: Option) -> str:
    """Return a value that is allowed and is not the default."""
    words = [choice for choice in option.choices if choice not in ("auto", option.default)]
    if words:
        return words[0]
    if option.key in OTHER_WORDS:
        return OTHER_WORDS[option.key]
    if "commas" in option.allowed:
        return "8, 16, 24"
    if "whole" in option.allowed:
        return "1" if option.default in ("auto", "all") else str(int(option.default) + 1)
    return "0.375"


CHANGEABLE = list(all_options().values())
# What else must be set, so that a key's other value contradicts nothing.
COMPANIONS = {
    "SSLPretraining": "RepresentationLearningParameter = BYOL",
    "FreezeSharedBackbone": "RepresentationLearningParameter = BYOL\nSSLPretraining = 5",
    "Nuisance": "EnvType = minigrid",
    "FrameColour": "EnvType = box2d\nEnvID = CarRacing-v3\nIntrinsicReward = none",
    "Renderer": "EnvType = box2d",
    "DreamTemperature": "EnvType = dream",
    "ActionSpace": "EnvType = box2d",
    "ActionRepeat": "EnvType = box2d",
    "Backbone": "Representation = finetune",
    "MarioStages": "EnvType = mario\nEnvID = SuperMarioBrosRandomStages-v0",
    "CustomModelConfig": "CustomModel = customnet",
    "Representation": "ObservationType = state\nEnvType = sprites\nEnvID = SpritesState-v0",
}


def test_keys_are_unique_over_all_sections() -> None:
    keys = [option.key.casefold() for option in all_options().values()]
    assert len(keys) == len(set(keys)) == len(option_values(Config()))


@pytest.mark.parametrize("option", CHANGEABLE, ids=lambda option: option.key)
def test_every_key_survives_a_file_and_a_checkpoint(write: Write, option: Option) -> None:
    wanted = another_value(option)
    config = load_config(write(f"{option.key} = {wanted}\n{COMPANIONS.get(option.key, '')}")).config
    assert value_text(option_values(config)[option.key]) == wanted != option.default
    assert load_config(write(render_conf(config))).config == config
    assert config_from_mapping(dump_config(config)) == config


def test_a_path_that_a_file_would_cut_short_is_read_from_a_checkpoint_of_before() -> None:
    path = "data/run #3/vae"
    stored = {"VisionModel": path, "Backbone": f"encoder:{path}", "Representation": "finetune"}
    config = config_from_mapping(stored)
    assert (config.evolution.vision_model, config.ppo.encoder_path) == (path, path)


def test_a_rendered_file_sets_every_key_so_that_no_preset_changes_it(write: Write) -> None:
    config = load_config(write("Preset = cleanrl\nAdamEps = 3e-7")).config
    again = load_config(write(render_conf(config)))
    assert again.config == config
    assert set(again.sources.values()) == {"file"}


@pytest.mark.parametrize(
    "text",
    [
        "Gamma = 0.5",
        "[DEFAULT]\nGamma = 0.5",
        "[PPO]\nGamma = 0.5",
        "[ppo]\n  gamma=0.5",
        "# head\n\nGAMMA = 0.5 # comment",
        "Gamma = 0.5 ; comment\r\n",
        "\ufeffGamma = 0.5",
    ],
)
def test_a_key_is_read_in_its_section_or_in_none_and_in_any_case(write: Write, text: str) -> None:
    assert load_config(write(text)).config.ppo.gamma == 0.5


@pytest.mark.parametrize("word", ["true", "YES", "On", "1"])
def test_words_for_true_in_any_case(write: Write, word: str) -> None:
    assert load_config(write(f"LifeDone = {word}")).config.environment.life_done is True


@pytest.mark.parametrize("word", ["False", "no", "OFF", "0"])
def test_words_for_false_in_any_case(write: Write, word: str) -> None:
    assert load_config(write(f"StickyAction = {word}")).config.environment.sticky_actions is False


def test_choices_are_matched_in_any_case_and_normalised(write: Write) -> None:
    loaded = load_config(
        write("IntrinsicReward = rnd\nrepresentationlearningparameter = NONE\nThirdKernel = 3")
    )
    assert loaded.config.intrinsic.kind == "RND"
    assert loaded.config.representation.kind == "None"
    assert loaded.config.ppo.third_kernel == 3


def test_no_interpolation_and_no_comment_inside_a_word(write: Write) -> None:
    assert load_config(write("EnvID = a/b-v0#not-a-comment"), ["EnvID=A-v1"]).config
    with pytest.raises(ConfigurationError, match="is not a name"):
        load_config(write("EnvID = %(Gamma)s"))


def test_command_line_wins_over_file_over_preset_over_default(write: Write) -> None:
    path = write("Preset = cleanrl\nAdamEps = 2e-5\nNumEnv = 4")
    loaded = load_config(path, ["numenv=6", "RNDLeakySlope=0.3"])
    assert loaded.config.run.num_envs == 6
    assert loaded.sources["NumEnv"] == "command line"
    assert loaded.config.ppo.adam_epsilon == 2e-5
    assert loaded.sources["AdamEps"] == "file"
    assert loaded.config.ppo.clip_value_loss is True
    assert loaded.sources["ClipValueLoss"] == "preset"
    assert loaded.config.intrinsic.leaky_slope == 0.3
    assert loaded.sources["RNDLeakySlope"] == "command line"
    assert loaded.sources["Gamma"] == "default"
    assert set(loaded.sources) == {option.key for option in all_options().values()}


def test_a_preset_can_be_chosen_on_the_command_line(write: Write) -> None:
    path = write("Preset = cleanrl\nNumEnv = 4")
    loaded = load_config(path, ["Preset=JCWLEO"])
    assert loaded.config.ppo.preset == "jcwleo"
    assert loaded.config.ppo.clip_value_loss is False
    assert loaded.config.intrinsic.predictor_share == 0.25


def test_an_override_takes_aliases(write: Write) -> None:
    path = write("NumEnv = 4")
    assert load_config(path, ["extracted_feature_embedding_dim=64"]).config.ppo.feature_size == 64


def test_a_stored_configuration_without_a_newer_key_takes_its_default() -> None:
    flat = dump_config(Config())
    del flat["StartTimeout"]
    assert config_from_mapping(flat) == Config()


def test_a_stored_configuration_is_checked_like_a_file() -> None:
    with pytest.raises(ConfigurationError, match="stored value: Gama = 1: unknown key") as caught:
        config_from_mapping({"Gama": "1", "NumStep": "0"})
    assert "stored value: NumStep = 0: is out of bounds" in str(caught.value)


def test_the_wait_for_a_peer_that_is_too_short_is_told_but_allowed(write: Write) -> None:
    loaded = load_config(write("CollectiveTimeout = 10\nNumEnv = 2"))
    assert loaded.config.run.collective_timeout == 10
    assert "CollectiveTimeout = 10.0 is no longer than" in loaded.notes[0]


@pytest.mark.parametrize(
    ("env_type", "env_id", "is_lost"),
    [
        ("minigrid", "MiniGrid-LavaGapS5-v0", True),
        ("minigrid", "MiniGrid-DistShift1-v0", True),
        ("minigrid", "MiniGrid-SimpleCrossingS9N1-v0", False),
        ("minigrid", "MiniGrid-MultiRoom-N4-S5-v1", False),
        ("box2d", "LunarLanderContinuous-v3", True),
        ("classic_control", "CartPole-v1", True),
        ("classic_control", "MountainCar-v0", False),
    ],
)
def test_a_goal_that_is_paid_where_an_episode_is_lost_is_told(
    write: Write, env_type: str, env_id: str, is_lost: bool
) -> None:
    loaded = load_config(write(f"EnvType = {env_type}\nEnvID = {env_id}\nLearningReward = goal"))
    told = [
        f"LearningReward = goal with EnvID = {env_id}: pays 1 wherever" in note
        for note in loaded.notes
    ]
    assert any(told) == is_lost


def test_what_ale_pys_own_threads_lack_is_told(write: Write) -> None:
    loaded = load_config(write("WorkerBackend = ALE_vector"))
    assert loaded.config.run.worker_backend == "ale_vector"
    (note,) = loaded.notes
    assert "WorkerBackend = ale_vector: no rooms are counted" in note


@pytest.mark.parametrize(
    ("text", "limit", "reward"),
    [
        ("Gamma = 0.9", 4500, "sign"),
        ("EnvType = ATARI", 4500, "sign"),
        ("EnvType = mario", 4500, "sign"),
        ("EnvType = mario\nMaxStepPerEpisode = auto", "auto", "sign"),
        ("LearningReward = raw\nmaxstepperepisode = 9", 9, "raw"),
        ("EnvType = classic_control", "auto", "raw"),
        ("EnvType = minigrid", "auto", "raw"),
        ("EnvType = gymnasium\nMaxStepPerEpisode = 4500\nLearningReward = sign", 4500, "sign"),
    ],
)
def test_limit_and_reward_follow_the_paper_for_games_and_the_environment_elsewhere(
    write: Write, text: str, limit: int | str, reward: str
) -> None:
    section = load_config(write(text)).config.environment
    assert (section.max_episode_steps, section.learning_reward) == (limit, reward)


def test_a_family_on_the_command_line_has_its_own_defaults(write: Write) -> None:
    section = load_config(write("Gamma = 0.9"), ["EnvType=gymnasium"]).config.environment
    assert (section.max_episode_steps, section.learning_reward) == ("auto", "raw")


@pytest.mark.parametrize(
    ("text", "typed", "said"),
    [
        ("Agent = TD3", "PolicyMemory=GRU", "command line: PolicyMemory: has no effect"),
        ("Agent = TD3\nPolicyMemory = GRU", "Seed=2", "recipe.conf: PolicyMemory: has no effect"),
        ("PolicyMemory = none", "MemorySize=64", "recipe.conf and command line: MemorySize = 64"),
        ("Seed = 1", "MemorySize=64", "command line: MemorySize = 64 with PolicyMemory = none"),
        ("MemorySize = 64", "Seed=2", "recipe.conf: MemorySize = 64 with PolicyMemory = none"),
    ],
)
def test_a_note_names_the_place_where_its_keys_were_set(
    write: Write, text: str, typed: str, said: str
) -> None:
    (note,) = load_config(write(text), [typed]).notes
    assert said in note
    assert ("recipe.conf" in note) == ("recipe.conf" in said)


def test_a_contradiction_names_the_place_where_its_keys_were_set(write: Write) -> None:
    with pytest.raises(ConfigurationError, match=r"^command line: MarioStages = 1-1 with EnvType"):
        load_config(write("Seed = 1"), ["MarioStages=1-1"])


def test_keys_without_meaning_of_file_and_command_line_are_told_apart(write: Write) -> None:
    path = write("Agent = TD3\nEpoch = 3\nMiniBatch = 5")
    of_file, of_line = load_config(path, ["PolicyMemory=GRU", "Seed=3"]).notes
    assert "recipe.conf: Epoch, MiniBatch: have no effect" in of_file
    assert of_line == "command line: PolicyMemory: has no effect with Agent = TD3"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("TransitionUse = finetune", "TransitionUse = finetune with TransitionModel = none: has"),
        ("ReplaySize = 10\nReplayBatchSize = 100", "ReplaySize = 10 with ReplayBatchSize = 100: a"),
    ],
)
def test_what_td3_remembers_or_foretells_to_little_effect_is_told(
    write: Write, keys: str, said: str
) -> None:
    (note,) = load_config(write(f"Agent = TD3\nNumEnv = 2\n{keys}")).notes
    assert said in note
    assert not load_config(write("Agent = TD3\nReplaySize = 256\nTransitionUse = frozen")).notes
