from pathlib import Path

import pytest

from configs.loading import load_config
from configs.options import all_options, option_values

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RECIPES = sorted(CONFIGS.rglob("*.conf"))

# arXiv 1810.12894, tables 2 to 5, and the code it was published with.
PAPER = {
    "EnvID": "MontezumaRevengeNoFrameskip-v4",
    "MaxStepPerEpisode": 4500,  # 18,000 frames
    "StickyAction": True,
    "ActionProb": 0.25,
    "FrameSkip": 4,
    "StateStackSize": 4,
    "PreProcHeight": 84,
    "PreProcWidth": 84,
    "LifeDone": False,
    "LearningReward": "sign",
    "NumStep": 128,
    "NumEnv": 128,
    "Epoch": 4,
    "MiniBatch": 4,
    "LearningRate": 1e-4,
    "LearningRateSchedule": "constant",
    "PPOEps": 0.1,
    "ClipValueLoss": False,
    "Entropy": 0.001,
    "ValueCoef": 0.5,
    "UseGAE": True,
    "GAELambda": 0.95,
    "Gamma": 0.999,
    "IntGamma": 0.99,
    "ExtCoef": 2.0,
    "IntCoef": 1.0,
    "NormalizeAdvantage": False,
    "UseGradClipping": False,
    "ConvChannels": (32, 64, 64),
    "ThirdKernel": 4,
    "HiddenSize": 256,
    "FeatureDim": 448,
    "IntrinsicReward": "RND",
    "UpdateProportion": "auto",  # 32 / 128 environments
    "ObsNormStep": 50,
    "RNDFeatureDim": 512,
    "RNDHiddenSize": 512,
    "RNDConvChannels": (32, 64, 64),
    "RNDLeakySlope": 0.2,
    "PredictorLearningRate": "auto",
    "TotalEnvSteps": 30_000 * 128 * 128,
}

# What decided whether the flag is found (measured with and without).
GOAL_ALONE = {
    "EnvID": "MountainCar-v0",
    "LearningReward": "goal",
    "MaxStepPerEpisode": "auto",
    "NumEnv": 8,
    "NumStep": 128,
    "Epoch": 4,
    "MiniBatch": 4,
    "LearningRate": 1e-3,
    "LearningRateSchedule": "constant",
    "AdamEps": 1e-5,
    "PPOEps": 0.2,
    "Entropy": 0.01,
    "GAELambda": 0.95,
    "Gamma": 0.999,
    "ExtCoef": 10.0,
    "NormalizeAdvantage": True,
    "ValueInitGain": 0.0,
    "StateHiddenSizes": (64, 64),
}
SLOW_PREDICTOR = {
    "IntrinsicReward": "RND",
    "IntGamma": 0.99,
    "IntCoef": 1.0,
    "PredictorLearningRate": 1e-4,
    "UpdateProportion": 0.25,
    "ObsNormStep": 2,
    "RNDStateHiddenSizes": (64, 64),
    "RNDFeatureDim": 32,
}


def values_of(name: str) -> dict[str, object]:
    return option_values(load_config(CONFIGS / name).config)


def test_every_environment_of_the_readme_has_a_recipe() -> None:
    assert {recipe.parent.name for recipe in RECIPES} >= {
        "configs",
        "CartPole",
        "MontezumaRevenge",
        "MountainCar",
        "Pong",
        "SuperMarioBros",
    }


# Keys of other bonuses and other environments.
OF_OTHERS = {
    "UseEmaBackboneForRND",
    "EmaTau",
    "LayoutSeed",
    "Nuisance",
    "MarioStages",
    "FrameColour",
    "Renderer",
    "DreamTemperature",
    "ActionSpace",
    "ActionRepeat",
    "ActionMapping",
    "ObservationScaling",
    "RewardScale",
    "BootstrapTruncations",
    "Backbone",
    "CustomModel",
    "CustomModelConfig",
    "MemorySize",
}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(recipe.relative_to(CONFIGS)))
def test_every_recipe_loads_without_a_note_and_says_what_to_expect(recipe: Path) -> None:
    assert load_config(recipe).notes == ()
    first, second, third = recipe.read_text(encoding="utf-8").splitlines()[:3]
    assert first.startswith("# ")
    assert second.startswith("# ")
    assert not third.startswith("#")


def test_the_montezuma_recipe_is_the_paper_number_by_number() -> None:
    values = values_of("MontezumaRevenge/config_rnd00.conf")
    assert {key: values[key] for key in PAPER} == PAPER


def test_the_montezuma_recipe_writes_every_key_that_counts() -> None:
    loaded = load_config(CONFIGS / "MontezumaRevenge/config_rnd00.conf")
    unwritten = {key for key, source in loaded.sources.items() if source != "file"}
    of_others = {
        option.key
        for option in all_options().values()
        if option.section in ("Representation", "Encoder", "Dynamics", "Evolution", "TD3")
        or option.key.startswith(("DRND", "WorldModel"))
        or option.key in OF_OTHERS
    }
    # --load_model_path alone is enough to continue
    assert unwritten == of_others - {"RepresentationLearningParameter"} | {"loadModel"}
    assert len(loaded.sources) == len(all_options())


@pytest.mark.parametrize("name", ["demo_config.conf", "MountainCar/config_rnd00.conf"])
def test_the_goal_alone_is_learnt_with_the_measured_settings(name: str) -> None:
    values, wanted = values_of(name), GOAL_ALONE | SLOW_PREDICTOR
    assert {key: values[key] for key in wanted} == wanted


def test_the_comparison_without_a_bonus_differs_in_the_bonus_and_the_length_alone() -> None:
    with_bonus = values_of("MountainCar/config_rnd00.conf")
    without = values_of("MountainCar/config_ppo00.conf")
    differing = {key for key in with_bonus if with_bonus[key] != without[key]}
    own = {option.key for option in all_options().values() if option.section == "Intrinsic"}
    assert without["IntrinsicReward"] == "none"
    assert differing <= own | {"TotalEnvSteps"}


def test_jcwleos_recipe_is_the_papers_but_for_the_preset() -> None:
    paper = values_of("MontezumaRevenge/config_rnd00.conf")
    port = values_of("MontezumaRevenge/config_jcwleo00.conf")
    differing = {key for key in paper if paper[key] != port[key]}
    assert differing == {"Preset", "ThirdKernel", "RNDLeakySlope", "UpdateProportion"}


def test_the_recipe_with_512_environments_is_the_papers_but_for_them() -> None:
    paper = values_of("MontezumaRevenge/config_rnd00.conf")
    assert values_of("MontezumaRevenge/config_rnd512.conf") == paper | {"NumEnv": 512}


def test_the_recurrent_recipe_is_the_papers_but_for_the_policys_sizes() -> None:
    """256 units before and within the memory, as in the code of its recurrent policy."""
    paper = values_of("MontezumaRevenge/config_rnd00.conf")
    assert values_of("MontezumaRevenge/config_rnd_rnn00.conf") == paper | {
        "PolicyMemory": "GRU",
        "MemorySize": 256,
        "FeatureDim": 256,
    }


FOLDERS = sorted({recipe.parent for recipe in CONFIGS.glob("*/collect.conf")})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_encoders_train_on_what_the_recipe_beside_them_collects(folder: Path) -> None:
    collected = load_config(folder / "collect.conf").config.environment.env_id
    for recipe in folder.glob("*.conf"):
        loaded = load_config(recipe)
        if loaded.sources["Model"] != "default" and loaded.sources["EnvID"] != "default":
            assert loaded.config.environment.env_id == collected, recipe


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "MiniGrid").glob("*.conf")), ids=lambda p: p.stem
)
def test_values_of_a_maze_are_forgotten_in_time_and_who_wants_otherwise_is_told(
    path: Path,
) -> None:
    assert "Gamma" not in "".join(load_config(path).notes)
    far = ["Gamma=0.999"]
    assert any("EnvType = minigrid with Gamma = 0.999" in n for n in load_config(path, far).notes)
    ended = load_config(path, [*far, "BootstrapTruncations=False"])
    assert "Gamma" not in "".join(ended.notes)
