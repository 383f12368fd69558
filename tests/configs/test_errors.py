from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from configs.loading import load_config, render_conf
from tests.architecture.test_floors import ROOT

Refused = Callable[..., str]


def message(path: Path, overrides: tuple[str, ...] = ()) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_config(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    def refused(text: str | bytes, *overrides: str) -> str:
        path = tmp_path / "bad.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return message(path, overrides).replace(f"{path}", "bad.conf")

    return refused


def test_all_errors_of_a_file_come_at_once_in_the_order_of_its_lines(refused: Refused) -> None:
    told = refused(
        "[PPO]\nGama = 0.9\nNumStep = 0\nEpoch =\nwhat is this\n[Enviroment]\nEnvType = atarri\n",
        "Seed=-1",
        "noequals",
    )
    places = [line.split(": ")[0] for line in told.splitlines()]
    assert places == [f"bad.conf:{line}" for line in (2, 3, 4, 5, 6, 7)] + [
        "--set noequals",
        "--set Seed=-1",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Gama = 0.9", "bad.conf:1: Gama = 0.9: unknown key; did you mean Gamma?"),
        ("Qwxyz = 0.9", "bad.conf:1: Qwxyz = 0.9: unknown key; see --config_options for all keys"),
        (
            "EnvType = atarri",
            "bad.conf:1: EnvType = atarri: is not one of the choices; "
            "allowed: atari, mario, classic_control, box2d, mujoco, sprites, minigrid, gymnasium, "
            "dream; "
            "did you mean atari?",
        ),
        (
            "NumStep = 0",
            "bad.conf:1: NumStep = 0: is out of bounds; allowed: a whole number at least 1",
        ),
        (
            "UpdateProportion = autoo",
            "bad.conf:1: UpdateProportion = autoo: is not a number; "
            "allowed: auto or a number above 0 and at most 1; did you mean auto?",
        ),
        (
            "ConvChannels = 32, 64",
            "bad.conf:1: ConvChannels = 32, 64: holds too few numbers; "
            "allowed: 3 whole numbers with commas, each at least 1",
        ),
        (
            "UseGAE = maybe",
            "bad.conf:1: UseGAE = maybe: is neither true nor false; allowed: True, False",
        ),
        (
            "Gamma = 0.9\ngamma = 0.8",
            "bad.conf:2: gamma = 0.8: is set twice; first bad.conf:1: Gamma = 0.9",
        ),
        (
            "PreProcWidth = 84\nProProcWidth = 84",
            "bad.conf:2: ProProcWidth = 84: is set twice; first bad.conf:1: PreProcWidth = 84",
        ),
        (
            "[Run]\nGamma = 0.9",
            "bad.conf:2: Gamma = 0.9: Gamma belongs in [PPO], not in [Run]",
        ),
        (
            "[Rum]\nNumEnv = 4",
            "bad.conf:1: [Rum]: unknown section; allowed: [DEFAULT], [Environment], [PPO], "
            "[Intrinsic], [Representation], [Encoder], [Dynamics], [Evolution], [TD3], [Run]; "
            "did you mean [Run]?",
        ),
        (
            "CustomModel = my-rnn",
            "CustomModel = my-rnn: is not a name; allowed: none or a name of letters, digits and _ "
            "that begins with no digit",
        ),
        (
            "Backbone = runs/vae",
            "Backbone = runs/vae: names no encoder; allowed: own or encoder:PATH, with the path of "
            "a folder, in which no # or ; follows a blank",
        ),
        ("Model = vae 2", "allowed: a name of letters, digits and . _ - that begins with a let"),
        ("EnvID = Pong v4", "is not a name; allowed: a name of letters, digits and . / : _ -"),
        ("Gamma", "bad.conf:1: Gamma: expected 'Key = value' or '[Section]'"),
        ("Gamma = # none", "bad.conf:1: Gamma has no value"),
        ("RepresentationLearningParameter = BYOLO", "BYOLO: is not one of the choices; allowed:"),
        ("BarlowTwinsProjectionSizes = 8, none", "BarlowTwinsProjectionSizes = 8, none"),
        (
            "RepresentationLearningParameter = BYOL\nObservationType = state\nEnvType = gymnasium",
            "learn from views of pixels",
        ),
        ("SSLPretraining = 5", "SSLPretraining = 5 without a head"),
        ("FreezeSharedBackbone = True", "FreezeSharedBackbone = True without pretraining"),
        (
            "FreezeSharedBackbone = True\nloadModel = True\n"
            "EnvType = classic_control\nEnvID = CartPole-v1",
            "FreezeSharedBackbone = True with state observations: a policy of state vectors has no",
        ),
        ("FreezeSharedBackbone = True\nloadModel = True\nCustomModel = mine", "CustomModel = mine"),
        ("IntrinsicReward = SND\nRNDInput = features", "only RND and DRND can look at"),
        (
            "RNDInput = modified\nObservationType = state\nEnvType = gymnasium",
            "has no shared backbone",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_what_is_allowed_and_the_nearest_word(
    refused: Refused, text: str, told: str
) -> None:
    assert told in refused(text)


PATHS = ("VisionModel", "MemoryModel", "FinishedEncoder", "TransitionModel")


@pytest.mark.parametrize("path", ["runs/my #1", "runs/a ;b", "#1", "runs/a\nb"])
def test_paths_that_a_file_would_cut_short_are_refused(refused: Refused, path: str) -> None:
    for key in PATHS:
        told = refused("Seed = 1", f"{key}={path}")
        assert "is no path of a folder; allowed: none or the path of a folder, in which no" in told
    told = refused("Seed = 1", f"Backbone=encoder:{path}")
    assert "is no path of a folder; allowed: own or encoder:PATH, with the path" in told


@pytest.mark.parametrize("path", ["runs/my 1", "runs/a#1;b", "~/\u00e9tude"])
def test_paths_that_are_read_back_as_they_are_may_hold_blanks(tmp_path: Path, path: str) -> None:
    written = tmp_path / "paths.conf"
    for key in PATHS:
        sight = "Agent = CMA-ES\nEnvType = box2d\nEnvID = CarRacing-v3\n"
        written.write_text(sight)
        config = load_config(written, [f"{key}={path}"]).config
        assert f"\n{key} = {path}\n" in render_conf(config)
        written.write_text(render_conf(config))
        assert load_config(written).config == config


SMALL_FRAMES = "PreProcHeight = 36\nPreProcWidth = 36\n"
TD3 = "Agent = TD3\nEnvType = classic_control\nEnvID = Pendulum-v1\nNumEnv = 1\n"
CMA = "Agent = CMA-ES\nEnvType = box2d\nEnvID = CarRacing-v3\nVisionModel = runs/vae\n"
ENCODER = "Backbone = encoder:runs/vae\nRepresentation = "


@pytest.mark.parametrize(
    "text",
    [
        SMALL_FRAMES + ENCODER + "frozen\nIntrinsicReward = none",
        SMALL_FRAMES + ENCODER + "finetune",
        SMALL_FRAMES + "CustomModel = mine",
        SMALL_FRAMES + CMA,
        CMA + "ObservationScaling = running",
        TD3 + "NumStep = 2",
        TD3 + "ExtCoef = 0",
        TD3 + "RNDInput = features",
        TD3 + "SSLPretraining = 5",
        TD3 + "FreezeSharedBackbone = True",
        TD3 + "CustomModel = mine\nPolicyMemory = GRU",
        TD3 + 'CustomModelConfig = {"a": 1}',
        TD3 + "EnvironmentGroups = 2",
        TD3 + SMALL_FRAMES + "ObservationType = pixels\n" + ENCODER + "frozen\n"
        "FreezeSharedBackbone = True",
        CMA + "NumEnv = 1\nEnvironmentGroups = 2",
    ],
)
def test_a_key_that_means_nothing_contradicts_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fine.conf"
    path.write_text(text)
    assert load_config(path).config


@pytest.mark.parametrize("text", ["", "Agent = TD3", ENCODER + "own"])
def test_frames_that_the_policys_own_network_cannot_shrink_are_refused(
    refused: Refused, text: str
) -> None:
    told = refused(SMALL_FRAMES + text)
    assert ("nothing is left after the third convolution" in told) == ("Backbone" not in text)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_numbers_that_are_not_finite_are_refused(refused: Refused, value: str) -> None:
    assert f"ExtCoef = {value}: is not finite" in refused(f"ExtCoef = {value}")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("Gama=1", "--set Gama=1: unknown key; did you mean Gamma?"),
        ("num_envs=1", "--set num_envs=1: unknown key; did you mean NumEnv?"),
        ("n-envs=1", "--set n-envs=1: unknown key; did you mean NumEnv?"),
        ("learning_rate=1", "--set learning_rate=1: unknown key; did you mean LearningRate?"),
        (
            "batch_size=64",
            "--set batch_size=64: unknown key; did you mean MiniBatch (how many, not how large)?",
        ),
        ("Gamma", "--set Gamma: expected --set Key=Value"),
        ("Gamma=", "--set Gamma=: expected --set Key=Value"),
        ("=1", "--set =1: expected --set Key=Value"),
        (
            "Gamma=2",
            "--set Gamma=2: is out of bounds; allowed: a number at least 0 and at most 1",
        ),
    ],
)
def test_a_wrong_override_is_named_like_a_wrong_line(
    refused: Refused, override: str, told: str
) -> None:
    assert refused("NumEnv = 4", override) == told


def test_an_override_given_twice_is_refused(refused: Refused) -> None:
    told = refused("NumEnv = 4", "Seed=1", "seed=2")
    assert told == "--set seed=2: is set twice; first --set Seed=1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("NumStep = 1\nNumEnv = 2", "NumStep = 1 x NumEnv = 2 gives 2 samples, fewer than Mini"),
        ("ObservationType = state", "ObservationType = state with EnvType = atari"),
        (
            "EnvType = mario\nObservationType = state",
            "ObservationType = state with EnvType = mario",
        ),
        ("LearningReward = goal", "LearningReward = goal with EnvType = atari"),
        ("PreProcHeight = 40", "PreProcHeight = 40 and PreProcWidth = 84 with ThirdKernel = 4"),
        ("NumEnv = 1\nEnvironmentGroups = 2", "EnvironmentGroups = 2 with NumEnv = 1"),
        ("ObservationScaling = running", "ObservationScaling = running with pixels"),
        (
            "EnvType = classic_control\nIntrinsicReward = BYOL-Explore\n"
            "ObservationScaling = running",
            "ObservationScaling = running with IntrinsicReward = BYOL-Explore",
        ),
        (
            "EnvType = mario\nWorkerBackend = ale_vector",
            "WorkerBackend = ale_vector with EnvType = mario: ale-py steps the games of atari only",
        ),
        (
            "WorkerBackend = threads",
            "WorkerBackend = threads: is not one of the choices; allowed: auto, processes, "
            "in_process, ale_vector",
        ),
        ("IntrinsicReward = none\nExtCoef = 0", "ExtCoef = 0.0 with IntrinsicReward = none"),
        ("IntCoef = 0\nExtCoef = 0", "IntCoef = 0.0: no reward is left"),
    ],
)
def test_values_that_contradict_each_other_are_both_quoted(
    refused: Refused, text: str, told: str
) -> None:
    assert told in refused(text)


def test_the_environments_of_the_command_line_count_in_the_checks(tmp_path: Path) -> None:
    path = tmp_path / "small.conf"
    path.write_text("NumStep = 2\nNumEnv = 1\n")
    assert "NumEnv = 1 gives 2" in message(path)
    assert load_config(path, ["NumEnv=2"]).config.run.num_envs == 2


def test_small_frames_pass_where_the_convolutions_fit(tmp_path: Path) -> None:
    path = tmp_path / "small.conf"
    path.write_text("PreProcHeight = 36\nPreProcWidth = 36\nThirdKernel = 3\n")
    assert load_config(path).config.environment.frame_height == 36


def test_bad_text_is_told_with_its_line(refused: Refused) -> None:
    told = refused(b"Gamma = 0.9\nEnvID = \xff\n")
    assert told.startswith("bad.conf:2: byte 0xff is not UTF-8 text")


@pytest.mark.parametrize("text", ["", "\n\n", "# only words\n", "[PPO]\n"])
def test_a_file_without_any_key_is_refused(refused: Refused, text: str) -> None:
    assert refused(text) == "bad.conf: the file sets no key"


def test_a_missing_file_and_a_folder_are_one_clear_line_each(tmp_path: Path) -> None:
    missing = tmp_path / "missing.conf"
    assert message(missing) == (
        f"{missing}: no such configuration file; name a recipe with --config_path"
    )
    assert message(tmp_path) == f"{tmp_path}: is a folder, not a configuration file"


def test_a_missing_file_is_told_which_one_is_near_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config_ppo00.conf").write_text("")
    missing = tmp_path / "config_pppo00.conf"
    assert message(missing).endswith(f"did you mean {tmp_path / 'config_ppo00.conf'}?")
    monkeypatch.chdir(tmp_path)  # from where README's commands do not find their recipes
    demo = Path("configs/demo_config.conf")
    assert message(demo).endswith(f"did you mean {ROOT / demo}?")


def test_control_characters_and_long_values_stay_on_one_short_line(refused: Refused) -> None:
    told = refused(f"EnvID = a\x1b[31m b{'c' * 500}\x85\u2028")
    assert len(told.splitlines()) == 1
    assert "\x1b" not in told
    assert len(told) < 250
