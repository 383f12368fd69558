"""Experiment files: what they become, and what is refused, with lines and reasons."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigurationError
from configs.experiments.keys import CONFIG, EXPERIMENT, MODEL, STOP
from configs.experiments.loading import Experiment, load_experiment
from configs.loading import config_from_mapping, dump_config, load_config, render_conf
from configs.options import all_options
from tests.architecture.test_floors import ROOT

FAMILIES = {
    "Pong": "atari",
    "ALE": "atari",
    "SuperMario": "mario",
    "Sprites": "sprites",
    "CartPole": "classic_control",
    "Pendulum": "mujoco",
}
Load = Callable[..., Experiment]

BARE = """\
walk:
  run: PPO
  env: CartPole-v1
  stop: {timesteps_total: 8000}
  config:
"""


def environment_of(env_id: str) -> list[str]:
    """Stand where the command line asks Gymnasium's registry."""
    family = next((FAMILIES[name] for name in FAMILIES if env_id.startswith(name)), None)
    if family is None:
        raise ConfigurationError(f"env = {env_id}: unknown environment")
    return [f"EnvType={family}", f"EnvID={env_id}"]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, *overrides: str, ranks: int = 1, name: str | None = None) -> Experiment:
        path = tmp_path / "file.yaml"
        path.write_text(text, encoding="utf-8")
        return load_experiment(
            path, name, overrides, num_ranks=ranks, environment_of=environment_of
        )

    return load


def with_config(lines: str, env: str = "CartPole-v1", model: str = "") -> str:
    """Return an experiment whose config: holds these lines, the first one in line 6."""
    text = BARE.replace("CartPole-v1", env)
    text += "".join(f"    {line}\n" for line in lines.splitlines())
    return text + (f"    model: {{{model}}}\n" if model else "")


def keys_of(experiment: Experiment) -> dict[str, str]:
    return dump_config(experiment.loaded.config)


def refusals(load: Load, text: str, **more: int) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(text, **more)
    return [re.sub(r"^.*file\.yaml:?", "", line) for line in str(caught.value).splitlines()]


def test_every_key_becomes_what_it_is_called_here(load: Load) -> None:
    found = load(
        with_config(
            "lr: 0.0003\ngamma: 0.98\nlambda: 0.9\nclip_param: 0.2\nentropy_coeff: 0.01\n"
            "vf_loss_coeff: 0.7\nuse_gae: true\nnum_sgd_iter: 5\ntrain_batch_size: 960\n"
            "sgd_minibatch_size: 120\ngrad_clip: 0.5\nnum_workers: 3\nnum_envs_per_worker: 4\n"
            "seed: 7\nhorizon: 200\nkl_coeff: 0.0\nvf_clip_param: .inf\nframework: torch\n"
            "observation_filter: MeanStdFilter\nclip_rewards: true\nnormalize_actions: true",
            model="fcnet_hiddens: [32, 16]",
        )
    )
    wanted = {
        "EnvType": "classic_control",
        "EnvID": "CartPole-v1",
        "TotalEnvSteps": "8000",
        "LearningRate": "0.0003",
        "Gamma": "0.98",
        "GAELambda": "0.9",
        "PPOEps": "0.2",
        "Entropy": "0.01",
        "ValueCoef": "0.7",
        "UseGAE": "True",
        "Epoch": "5",
        "NumEnv": "12",
        "NumStep": "80",
        "MiniBatch": "8",
        "UseGradClipping": "True",
        "MaxGradNorm": "0.5",
        "Seed": "7",
        "MaxStepPerEpisode": "200",
        "ObservationScaling": "running",
        "LearningReward": "sign",
        "ActionMapping": "bounds",
        "StateHiddenSizes": "32, 16",
        "IntrinsicReward": "none",
        "ExtCoef": "1.0",
        "NormalizeAdvantage": "True",
    }
    keys = keys_of(found)
    assert {key: keys[key] for key in wanted} == wanted
    assert found.beside.num_workers == 3
    assert found.loaded.notes == ()


def test_what_the_file_leaves_out_is_as_in_rllib(load: Load) -> None:
    found = load(BARE)
    wanted = {
        "LearningRate": "5e-05",
        "GAELambda": "1.0",
        "PPOEps": "0.3",
        "Epoch": "30",
        "NumEnv": "2",
        "NumStep": "2000",
        "MiniBatch": "31",
        "StateHiddenSizes": "256, 256",
        "ObservationScaling": "none",
        "ActionMapping": "clip",
        "BootstrapTruncations": "False",
    }
    keys = keys_of(found)
    assert {key: keys[key] for key in wanted} == wanted
    assert found.beside.num_workers is None
    notes = "\n".join(found.loaded.notes)
    assert "kl_coeff is not set: 0.2 in RLlib" in notes
    assert "vf_clip_param is not set: 10 in RLlib, a bound of the value's change" in notes
    assert "4,000 / 128 is no whole number: 31 minibatches, of 129 samples or one more" in notes


def test_the_printed_recipe_is_one_that_loads_to_the_same_configuration(
    load: Load, tmp_path: Path
) -> None:
    found = load(with_config("lr: 1e-3", model="custom_model: net, custom_model_config: {a: '#;'}"))
    path = tmp_path / "recipe.conf"
    for text in (found.recipe, render_conf(found.loaded.config)):
        path.write_text(text)
        assert load_config(path).config == found.loaded.config
    assert re.search(r"LearningRate = 0.001 +# line 6, lr", found.recipe)
    assert json.loads(found.loaded.config.ppo.custom_model_config) == {"a": "#;"}


def test_the_command_line_wins(load: Load) -> None:
    found = load(with_config("lr: 0.1"), "LearningRate=0.5")
    assert found.loaded.config.ppo.learning_rate == 0.5
    assert re.search(r"LearningRate = 0.5 +# command line", found.recipe)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_share_what_the_file_counts_for_the_whole_run(load: Load, ranks: int) -> None:
    text = with_config("num_workers: 6\nnum_envs_per_worker: 2\ntrain_batch_size: 1200")
    found = load(text, ranks=ranks)
    run, ppo = found.loaded.config.run, found.loaded.config.ppo
    assert run.num_envs * ranks == 12
    assert run.num_envs * ranks * ppo.rollout_steps == 1200
    assert found.beside.num_workers == 6 // ranks
    assert refusals(load, text.replace("num_workers: 6", "num_workers: 7"), ranks=4) == [
        "7: environments = 14: num_workers x num_envs_per_worker do not divide among 4 ranks"
    ]


def test_without_workers_the_rank_steps_its_environments_itself(load: Load) -> None:
    found = load(with_config("num_workers: 0\nnum_envs_per_worker: 4\ntrain_batch_size: 64"))
    assert (found.loaded.config.run.worker_backend, found.loaded.config.run.num_envs) == (
        "in_process",
        4,
    )
    assert found.beside.num_workers is None


def test_the_end_is_what_comes_first(load: Load) -> None:
    stop = "{timesteps_total: 9000, training_iteration: 2}"
    text = BARE.replace("{timesteps_total: 8000}", stop)
    assert load(text).loaded.config.run.total_env_steps == 8000
    text = BARE.replace("  stop: {timesteps_total: 8000}\n", "")
    assert any("no stop" in note for note in load(text).loaded.notes)


def test_atari_is_wrapped_as_there(load: Load) -> None:
    model = "conv_filters: [[16, [8, 8], 4], [32, [4, 4], 2], [64, [3, 3], 1]], dim: 42, "
    text = with_config("vf_share_layers: true", "PongNoFrameskip-v4", f"{model}framestack: false")
    keys = keys_of(load(text))
    wanted = {
        "ConvChannels": "16, 32, 64",
        "ThirdKernel": "3",
        "PreProcHeight": "42",
        "StateStackSize": "1",
        "LifeDone": "True",
        "LearningReward": "sign",
        "StickyAction": "False",
        "MaxStepPerEpisode": "auto",
    }
    assert {key: keys[key] for key in wanted} == wanted
    assert (
        keys_of(load(text.replace("PongNoFrameskip-v4", "ALE/Pong-v5")))["StickyAction"] == "True"
    )


@pytest.mark.parametrize(
    ("env", "line", "reward"),
    [
        ("SuperMarioBros-v0", "seed: 1", "raw"),
        ("SuperMarioBros-v0", "clip_rewards: null", "raw"),
        ("SuperMarioBros-v0", "clip_rewards: true", "sign"),
        ("CartPole-v1", "seed: 1", "raw"),
        ("PongNoFrameskip-v4", "clip_rewards: null", "sign"),
        ("PongNoFrameskip-v4", "clip_rewards: false", "raw"),
    ],
)
def test_unasked_the_rewards_of_atari_alone_are_clipped(
    load: Load, env: str, line: str, reward: str
) -> None:
    assert keys_of(load(with_config(line, env)))["LearningReward"] == reward


@pytest.mark.parametrize("env", ["Sprites-v0", "SuperMarioBros-v0"])
def test_frames_other_than_ataris_are_stacked_where_the_file_says_so_alone(
    load: Load, env: str
) -> None:
    keys = keys_of(load(with_config("seed: 1", env)))
    assert (keys["StateStackSize"], keys["StickyAction"]) == ("1", "False")
    for said, size in (("true", "4"), ("false", "1")):
        text = with_config("seed: 1", env, f"framestack: {said}")
        assert keys_of(load(text))["StateStackSize"] == size
    assert keys_of(load(with_config("seed: 1", "PongNoFrameskip-v4")))["StateStackSize"] == "4"
    drawn = load(with_config("seed: 1"), "ObservationType=pixels", "ObservationScaling=auto")
    assert keys_of(drawn)["StateStackSize"] == "1"


@pytest.mark.parametrize(
    ("lines", "goes_on", "origin"),
    [
        ("horizon: 100", "False", "RLlib's default"),
        ("no_done_at_end: false", "False", "line 6, no_done_at_end"),
        ("no_done_at_end: true", "True", "line 6, no_done_at_end"),
    ],
)
def test_a_limit_ends_an_episode_as_rllib_records_it(
    load: Load, lines: str, goes_on: str, origin: str
) -> None:
    """Ray: without soft_horizon and no_done_at_end it adds done=True where it resets."""
    found = load(with_config(lines))
    assert keys_of(found)["BootstrapTruncations"] == goes_on
    assert re.search(rf"BootstrapTruncations = {goes_on} +# {origin}$", found.recipe, re.MULTILINE)
    noted = any("behind terminal states as well" in note for note in found.loaded.notes)
    assert noted == (goes_on == "True")


def test_a_memory_of_rllib_is_one_here(load: Load) -> None:
    lines = "train_batch_size: 800\nsgd_minibatch_size: 400\nnum_workers: 1\nnum_envs_per_worker: 4"
    given = keys_of(load(with_config(lines, model="use_lstm: true, lstm_cell_size: 32")))
    assert (given["PolicyMemory"], given["MemorySize"]) == ("LSTM", "32")
    usual = keys_of(load(with_config(lines, model="use_lstm: true, max_seq_len: 20")))
    assert (usual["PolicyMemory"], usual["MemorySize"]) == ("LSTM", "256")
    assert keys_of(load(with_config(lines, model="lstm_cell_size: 32")))["PolicyMemory"] == "none"


def test_all_that_cannot_be_honoured_is_told_at_once_in_the_order_of_the_lines(load: Load) -> None:
    text = with_config(
        "entropy_coef: 0.01\nlr: [[0, 1.0]]\ngamma: 1.5\nkl_coeff: 0.2\nframework: tf\n"
        "train_batch_size: 1001\nlr: 3\nfcnet_hiddens: [4]\nlambda: {grid_search: [0.9, 1]}\n"
        "use_gae: maybe\nnum_gpus: 2",
        model="use_attention: true, fcnet_activation: relu, conv_filters: [[1, 2, 3]]",
    ).replace("run: PPO", "run: APPO")
    found = refusals(load, text)
    assert [line.split(": ", 1)[0] for line in found] == [
        *("2", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "17", "17")
    ]
    assert found[0] == ("2: run = APPO: PPO is what is trained from such files; did you mean PPO?")
    assert found[1] == "6: no key 'entropy_coef' here; did you mean entropy_coeff?"
    assert found[3].startswith("8: gamma: Gamma = 1.5: is out of bounds")
    assert found[6].endswith("set 1,000 or 1,002")
    assert found[7] == "12: lr is set twice; first in line 7"
    assert found[8].endswith("it belongs in model:")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seed: 010", "6: 010: means another thing in YAML; write a plain number"),
        ("seed: 1:30", "6: 1:30: means another thing in YAML; write a plain number"),
        ("seed: 0x10", "6: 0x10: means another thing in YAML; write a plain number"),
        ("lr: yes", "6: lr = yes: is no number; YAML reads yes as a truth value, in quotes it is"),
        ("seed: !!python/none", "6: : means another thing in YAML"),
        ("lr: *rate", "6: *rate stands for another value; write that out"),
        ("[1]: 2", "6: a key must be a word"),
        ("<<: {lr: 1}", "6: a key must be a word"),
        ("lr: [1", "7: no YAML: "),
        (f"seed: {'9' * 5000}", "6: 99999999999999999999"),
        (f"train_batch_size: {10**30}", "6: train_batch_size: NumStep = 5"),
        ("lr: .nan", "6: lr: LearningRate = nan: is not finite"),
        ("num_envs_per_worker: 0", "6: num_envs_per_worker = 0: is too small"),
        ("sgd_minibatch_size: 9999", "6: sgd_minibatch_size = 9999: is larger than train_batch"),
        ("rollout_fragment_length: 9", "6: rollout_fragment_length = 9: a rollout is train_batch"),
        ("callbacks: {a: [1e-3, no]}", "6: callbacks = {a: [1e-3, no]}: a hook of your own"),
        ("env_config: {a: 1}", "6: env_config = {a: 1}: nothing is handed"),
        ("vf_share_layers: true", "6: vf_share_layers = true: policy and critic of states"),
        ("num_gpus: 4", "6: num_gpus = 4: each GPU has an agent process of its own"),
        ("vf_clip_param: 10.0", "6: vf_clip_param = 10.0: values have no bound of their own"),
        ("model: {custom_model: no}", "6: custom_model = no: is no name of a file in models/"),
        ("model: {custom_model_config: {a: 1}}", "6: custom_model_config = {a: 1}: there is no"),
        ("minibatch_size: 10\nnum_epochs: 2", ""),
        *(
            (f"{one}: 2\n{other}: 4", f"7: {other} = 4: is set twice; first as {one} in line 6")
            for one, other in (
                ("num_workers", "num_rollout_workers"),
                ("num_env_runners", "num_workers"),
                ("num_envs_per_worker", "num_envs_per_env_runner"),
                ("minibatch_size", "sgd_minibatch_size"),
            )
        ),
    ],
)
def test_what_yaml_or_rllib_would_take_otherwise_is_refused(
    load: Load, line: str, said: str
) -> None:
    if said:
        assert refusals(load, with_config(line))[0].lstrip(":").startswith(said)
    else:
        load(with_config(line))


def test_a_number_that_is_text_to_yaml_is_read_with_a_note(load: Load) -> None:
    found = load(with_config("lr: 1e-3"))
    assert found.loaded.config.ppo.learning_rate == 1e-3
    assert any("1e-3: text to YAML 1.1; read as the number" in note for note in found.loaded.notes)


def test_of_several_experiments_one_is_named(load: Load) -> None:
    text = BARE + BARE.replace("walk", "run-far").replace("8000", "16000")
    assert refusals(load, text)[0].startswith(" holds 2 experiments (walk, run-far); RLlib trains")
    assert load(text, name="run-far").loaded.config.run.total_env_steps == 16000
    with pytest.raises(ConfigurationError, match="no experiment 'run-fr'; did you mean run-far"):
        load(text, name="run-fr")


@pytest.mark.parametrize("text", ["", "- 1\n", "word\n", "a: 1\n", "[" * 1500, "a: {run: PPO}\n"])
def test_what_is_no_experiment_is_refused_in_words(load: Load, text: str) -> None:
    assert refusals(load, text)


def test_documents_have_every_key() -> None:
    page = (ROOT / "docs" / "coming_from.md").read_text(encoding="utf-8")
    section = page.partition("## RLlib\n")[2].partition("\n## ")[0]
    section = re.sub(r"```.*?```", "", section, flags=re.DOTALL)
    named = {
        word for text in re.findall(r"`([^`]+)`", section) for word in re.findall(r"\w+", text)
    }
    assert {*EXPERIMENT, *STOP, *CONFIG, *MODEL} - named == set()


def test_every_rule_leads_to_a_key_that_is_there() -> None:
    rules = [*EXPERIMENT.values(), *CONFIG.values(), *MODEL.values()]
    ours = {rule.ours for rule in rules if rule.ours}
    assert ours <= {option.key for option in all_options().values()}


def test_it_is_read_without_torch() -> None:
    code = "import configs.experiments.loading, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_configuration_outlives_a_checkpoint(load: Load) -> None:
    config = load(BARE).loaded.config
    assert config_from_mapping(dump_config(config)) == config


names = st.sampled_from([*EXPERIMENT, *STOP, *CONFIG, *MODEL, "x", "<<", "1", "no"])
scalars = st.sampled_from(
    [
        *("1", "0", "-3", "1e-3", "no", "null", "~", ".inf", ".nan", "'#'", "PPO", "CartPole-v1"),
        *("[1, 2]", "{}", "{a: 1}", "0x1", "1:2", "[[1, [8, 8], 4]]", "2020-01-01", "!!set {a}"),
        "9" * 400,
    ]
)
pairs = st.tuples(names, scalars)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(top=st.lists(pairs, max_size=3), config=st.lists(pairs, max_size=5), model=st.lists(pairs))
def test_whatever_stands_in_a_file_is_loaded_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory,
    top: list[tuple[str, str]],
    config: list[tuple[str, str]],
    model: list[tuple[str, str]],
) -> None:
    path = tmp_path_factory.mktemp("any") / "file.yaml"
    lines = ["a:", *(f"  {name}: {value}" for name, value in top)]
    lines += ["  config:", *(f"    {name}: {value}" for name, value in config)]
    lines += ["    model:", *(f"      {name}: {value}" for name, value in model)]
    path.write_text("\n".join(lines))
    refused = ""
    try:
        load_experiment(path, None, (), num_ranks=1, environment_of=environment_of)
    except ConfigurationError as error:
        refused = str(error)
    assert all(line.startswith(str(path)) for line in refused.splitlines())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_bytes_that_are_no_experiment_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        load_experiment(path, None, (), num_ranks=1, environment_of=environment_of)
