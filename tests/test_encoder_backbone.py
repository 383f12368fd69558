"""Whole runs of policies that look through an encoder which was trained on rollouts on disk."""

import json
import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from agents.encoded_frames import EncodedRollout, frame_stack
from agents.encoders.encoder import Encoder
from agents.networks.recurrent_actor_critic import PolicyInput, Sequences
from agents.rollout import RolloutShape
from configs.loading import config_from_mapping
from tests.exports import policy_in
from tests.halves import NAME, CalmRun, assert_equal_runs, halfway, launch, run_calmly, with_memory
from tests.records import checkpoint_path, figures, run_path
from tests.runs import run_here, write_recipe
from training.checkpoints.encoder import load_encoder
from training.checkpoints.storage import load_payload, unpack
from training.exporting import policy_graph
from training.exporting.exported_policy import load_program
from training.exporting.policy_graph import missing_for_onnx
from training.playing.player import open_environments, play_episodes
from training.recording.describing import describe, episode_of, schema_from_spec
from training.recording.recorder import Recorder
from trajectories.episode import Episode
from trajectories.reader import open_dataset
from trajectories.writer import ShardWriter

pytestmark = pytest.mark.timeout(300)
Captured = pytest.CaptureFixture[str]
CPU = torch.device("cpu")

# The cap of 11 env steps is no multiple of the rollout: updates end within episodes.
ENVIRONMENT = """\
[Environment]
EnvType = sprites
EnvID = Sprites-v0
MaxStepPerEpisode = 11
PreProcHeight = 64
PreProcWidth = 64
StateStackSize = 1
LearningReward = raw
"""
SPRITES = (
    ENVIRONMENT
    + """
[PPO]
Backbone = encoder:PATH
NumStep = 8
Epoch = 2
MiniBatch = 2
StateHiddenSizes = 8

[Intrinsic]
IntrinsicReward = none
ObsNormStep = 1
RNDInput = pixels
RNDFeatureDim = 8
RNDStateHiddenSizes = 8

[Representation]
Representation = frozen

[Run]
TotalEnvSteps = 128
NumEnv = 2
saveCkptEvery = 4
LearnerThreads = 1
"""
)
MODELS = {"memory": "reward_induced", "stateless": "barlow_twins"}


def recipe_of(use: str, encoder: Path | str, **values: object) -> str:
    """Return a recipe of `use` on an encoder, with `values` in the place of its own."""
    text = SPRITES.replace("PATH", str(encoder)).replace("= frozen", f"= {use}")
    for key, value in values.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"{key} =")]
        text = text.replace(line, f"{key} = {value}")
    return text


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder that has a memory, and one that has none, trained a little."""
    folder = tmp_path_factory.mktemp("encoders")
    (folder / "recipe.conf").write_text(ENVIRONMENT + "\n[Run]\nLearnerThreads = 1\nNumEnv = 4\n")
    common = "--config_path=recipe.conf"
    to = ("--num_rollouts=8", "--out_dir=data", "--policy=random")
    assert run_here(folder, "--collect", common, *to) == 0
    for name, model in MODELS.items():
        what = (f"--model={model}", "--representation_size=5", "--train_steps=2", "--batch_size=2")
        where = ("--dataset=data", f"--model_dir={name}")
        assert run_here(folder, "--train_encoder", common, *what, *where) == 0
    return folder


def weights_of(path: Path, prefix: str) -> dict[str, torch.Tensor]:
    learner = load_payload(path)["learner"]
    return {n.removeprefix(prefix): v for n, v in learner.items() if n.startswith(prefix)}


def unchanged(path: Path, prefix: str, encoder: Encoder) -> bool:
    found, wanted = weights_of(path, prefix), encoder.state_dict()
    assert found.keys() == wanted.keys()
    return all(torch.equal(found[name], value) for name, value in wanted.items())


@pytest.fixture(scope="module")
def frozen(encoders: Path, tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    """A calm run on an encoder with a memory, whose folder is gone since."""
    folder = tmp_path_factory.mktemp("frozen")
    shutil.copytree(encoders / "memory", folder / "encoder")
    calm = run_calmly(folder, recipe_of("frozen", folder / "encoder"))
    shutil.rmtree(folder / "encoder")
    return calm


@pytest.fixture(scope="module")
def finetuned(encoders: Path, tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    """The same, trained further, from two frames."""
    folder = tmp_path_factory.mktemp("finetuned")
    shutil.copytree(encoders / "memory", folder / "encoder")
    recipe = recipe_of("finetune", folder / "encoder", StateStackSize=2)
    calm = run_calmly(folder, recipe)
    shutil.rmtree(folder / "encoder")
    return calm


def test_a_frozen_encoder_is_bit_identical_after_training(frozen: CalmRun, encoders: Path) -> None:
    trained = load_encoder(encoders / "memory")
    assert unchanged(frozen.end, "encoder.", trained.encoder)
    told = json.loads(load_payload(frozen.end)["facts"]["encoder"])
    assert told["digest"] == trained.digest
    assert (told["model"], told["steps"]) == ("reward_induced", 2)


def test_a_finetuned_encoder_is_not(finetuned: CalmRun, encoders: Path) -> None:
    encoder = load_encoder(encoders / "memory").encoder
    assert not unchanged(finetuned.end, "policy.backbone.encoder.", encoder)


@pytest.mark.parametrize("use", ["frozen", "finetuned"])
def test_a_run_goes_on_exactly_though_the_encoders_folder_is_gone(
    use: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    calm: CalmRun = request.getfixturevalue(use)
    halfway(calm, tmp_path)
    launch(tmp_path, None, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path)


def test_the_encoders_memory_lies_in_the_checkpoint(frozen: CalmRun) -> None:
    """Without it a run that is continued within an episode would not be the same."""
    part = load_payload(frozen.end)["ranks"][0]
    memory = unpack(part.numpy().tobytes())["memory"]
    assert memory.shape == (2, 2, 5)
    assert memory.abs().sum() > 0


@pytest.mark.parametrize("memory", ["none", "GRU"])
def test_a_run_that_collects_beside_learning_goes_on_exactly(
    memory: str, encoders: Path, tmp_path: Path
) -> None:
    """Also where the policy remembers what the encoder does not."""
    text = recipe_of("frozen", encoders / "memory") + "OverlapCollection = True\n"
    text = with_memory(text, memory)
    calm = run_calmly(tmp_path / "calm", text)
    halfway(calm, tmp_path / "half")
    launch(tmp_path / "half", None, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path / "half")


@pytest.mark.slow
@pytest.mark.parametrize("use", ["frozen", "brain_split"])
def test_two_ranks_that_are_continued_equal_two_that_never_stopped(
    use: str, encoders: Path, tmp_path: Path
) -> None:
    calm = run_calmly(tmp_path / "calm", recipe_of(use, encoders / "memory"), ranks=2)
    halfway(calm, tmp_path / "half")
    launch(tmp_path / "half", 2, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path / "half")


@pytest.mark.parametrize("use", ["frozen", "finetuned"])
def test_a_checkpoint_collects_rollouts(
    use: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    calm: CalmRun = request.getfixturevalue(use)
    what = (f"--policy={calm.end}", "--num_rollouts=2", "--out_dir=data")
    assert run_here(tmp_path, "--collect", f"--config_path={calm.recipe}", *what) == 0
    assert len(open_dataset(tmp_path / "data")) == 2


@pytest.mark.parametrize(
    ("use", "more"), [("frozen", ["--video"]), ("finetuned", [])], ids=["frozen", "finetuned"]
)
def test_a_checkpoint_is_evaluated_and_filmed_without_the_encoders_folder(
    use: str, more: list[str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    calm: CalmRun = request.getfixturevalue(use)
    loading = (f"--config_path={calm.recipe}", f"--load_model_path={calm.end}")
    assert run_here(tmp_path, "--eval", *loading, "--episodes=3", "--log_name=judged", *more) == 0
    assert len(list(tmp_path.rglob("*.mp4"))) == len(more)


def exported(
    folder: Path, encoder: Path, use: str, memory: str, stack_size: int = 2
) -> tuple[str, str]:
    """Train on an encoder whose folder is then gone, and export; return the flags of loading."""
    shutil.copytree(encoder, folder / "encoder")
    text = with_memory(recipe_of(use, folder / "encoder", StateStackSize=stack_size), memory)
    # A graph computes in float32, and is compared with the policy as it was trained.
    text = text.replace("[Run]", "[Run]\nPrecision = float32")
    recipe = write_recipe(folder, text, TotalEnvSteps=32)
    launch(folder, None, f"--config_path={recipe}")
    shutil.rmtree(folder / "encoder")
    loading = (f"--config_path={recipe}", f"--load_model_path={checkpoint_path(folder, NAME)}")
    assert run_here(folder, "--export", *loading, "--out=exported") == 0
    return loading


def test_an_export_of_stacked_features_of_a_memory_is_refused_in_words(
    encoders: Path, tmp_path: Path, capsys: Captured
) -> None:
    recipe = write_recipe(
        tmp_path, recipe_of("frozen", encoders / "memory", StateStackSize=2), TotalEnvSteps=32
    )
    launch(tmp_path, None, f"--config_path={recipe}")
    loading = (f"--config_path={recipe}", f"--load_model_path={checkpoint_path(tmp_path, NAME)}")
    assert run_here(tmp_path, "--export", *loading, "--out=exported") == 2
    assert "it remembers the episode, and an exported policy takes" in capsys.readouterr().err
    assert not (tmp_path / "exported").exists()


@pytest.mark.parametrize("memory", ["none", "GRU"])
def test_an_encoder_that_remembers_is_exported_with_its_memory(
    memory: str, encoders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over ends of episodes: a memory that were not forgotten there would change the scores."""
    monkeypatch.setattr(policy_graph, "ONNX_PACKAGES", ("no such package",))
    loading = exported(tmp_path, encoders / "memory", "frozen", memory, stack_size=1)
    playing = ("--episodes=7", "--num_env_per_process=3", "--log_name=judged")
    assert run_here(tmp_path, "--eval", *loading, *playing) == 0
    (report,) = (run_path(tmp_path, "judged") / "evaluation").glob("*.json")
    wanted = json.loads(report.read_text())["scores"]
    policy = policy_in(tmp_path / "exported")
    for player in (policy.player(seed=1), policy.graph_player(seed=1)):
        with open_environments(policy.config, seed=1, num_environments=3) as pool:
            played = [each.score for each in play_episodes(pool, player, 7)]
        assert played == pytest.approx(wanted, rel=1e-5)
    told = json.loads((tmp_path / "exported" / "config.json").read_text())["play"]["memory"]
    assert told["kind"] == ("encoder" if memory == "none" else "encoder and GRU")
    assert told["size"] == policy.memory_size


@pytest.mark.parametrize(
    ("use", "memory"),
    [
        ("frozen", "none"),
        pytest.param("brain_split", "none", marks=pytest.mark.slow),
        ("frozen", "GRU"),
        pytest.param("finetune", "LSTM", marks=pytest.mark.slow),
    ],
)
def test_an_exported_policy_plays_as_its_checkpoint_does(
    use: str, memory: str, encoders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_graph, "ONNX_PACKAGES", ("no such package",))
    loading = exported(tmp_path, encoders / "stateless", use, memory)
    policy = policy_in(tmp_path / "exported")
    program = load_program(tmp_path / "exported")
    frames = torch.randint(0, 256, (3, 2, 64, 64), dtype=torch.uint8)
    inputs: PolicyInput = frames
    if memory != "none":
        before = torch.randn(3, policy.memory_size)
        inputs = Sequences(frames, before, torch.tensor([[True, False, False]]))
    assert policy.judge is not None
    wanted, found = policy.judge(inputs), program(inputs)
    torch.testing.assert_close(found.distribution.mode(), wanted.distribution.mode())
    torch.testing.assert_close(found.value_extrinsic, wanted.value_extrinsic)
    assert run_here(tmp_path, "--eval", *loading, "--episodes=3", "--log_name=judged") == 0
    (report,) = (run_path(tmp_path, "judged") / "evaluation").glob("*.json")
    with open_environments(policy.config, seed=1, num_environments=3) as pool:
        played = play_episodes(pool, policy.player(seed=1), 3)
    assert [each.score for each in played] == pytest.approx(
        json.loads(report.read_text())["scores"], rel=1e-5
    )


@pytest.mark.skipif(bool(missing_for_onnx()), reason="the packages for ONNX are not installed")
@pytest.mark.parametrize(
    ("kind", "use", "memory"),
    [
        ("stateless", "frozen", "none"),
        ("memory", "frozen", "none"),
        pytest.param("stateless", "frozen", "GRU", marks=pytest.mark.slow),
        pytest.param("memory", "frozen", "LSTM", marks=pytest.mark.slow),
        pytest.param("stateless", "finetune", "LSTM", marks=pytest.mark.slow),
    ],
)
def test_an_onnx_graph_on_an_encoder_computes_nearly_the_same(
    kind: str, use: str, memory: str, encoders: Path, tmp_path: Path
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    frames_each = 2 if kind == "stateless" else 1
    exported(tmp_path, encoders / kind, use, memory, frames_each)
    policy = policy_in(tmp_path / "exported")
    session = runtime.InferenceSession(tmp_path / "exported" / "policy.onnx")
    size = policy.memory_size
    for count in (1, 3):
        frames = torch.randint(0, 256, (count, frames_each, 64, 64), dtype=torch.uint8)
        fed, inputs = {"observation": frames.numpy()}, cast(PolicyInput, frames)
        if size:
            remembered, starts = torch.randn(count, size), torch.zeros(1, count, dtype=torch.bool)
            inputs = Sequences(frames, remembered, starts)
            fed["memory"] = remembered.numpy()
        assert policy.judge is not None
        wanted = policy.judge(inputs)
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, session.run(None, fed), strict=True))
        judged = {"mean": wanted.distribution.mode(), "value_extrinsic": wanted.value_extrinsic}
        for name, value in judged.items():
            np.testing.assert_allclose(found[name], value.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_a_bonus_of_the_encoders_features_goes_on_exactly(encoders: Path, tmp_path: Path) -> None:
    values = {"IntrinsicReward": "RND", "RNDInput": "features"}
    calm = run_calmly(tmp_path / "calm", recipe_of("frozen", encoders / "memory", **values))
    assert figures(tmp_path / "calm", NAME)[-1]["intrinsic/mean"] != 0
    halfway(calm, tmp_path / "half")
    launch(tmp_path / "half", None, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path / "half")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"PreProcHeight": 72, "EnvType": "classic_control", "EnvID": "CartPole-v1"},
            ["EnvType: trained on sprites", "height: trained on 64, this run shows 72"],
        ),
        (
            {"EnvType": "box2d", "EnvID": "CarRacing-v3", "FrameColour": "rgb"},
            ["EnvType: trained on sprites", "channels: trained on 1, this run shows 3"],
        ),
        ({"Backbone": "encoder:nowhere"}, ["nowhere: there is no such model; --train_encoder"]),
        ({"Backbone": "encoder:data"}, ["data: holds a dataset and no model"]),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused_before_anything_starts(
    changes: dict[str, object],
    words: list[str],
    encoders: Path,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    shutil.copytree(encoders / "data", tmp_path / "data")
    text = recipe_of("finetune", encoders / "memory")
    if "FrameColour" in changes:
        text = text.replace("[Environment]", "[Environment]\nFrameColour = grey")
    if "EnvType" in changes:
        text = text.replace("[Environment]", "[Environment]\nObservationType = pixels")
    recipe = write_recipe(tmp_path, text, **changes)
    code = run_here(tmp_path, "--train", f"--config_path={recipe}", f"--log_name={NAME}")
    said = capsys.readouterr().err
    assert code in (2, 3)
    assert all(word in said for word in words), said
    assert said.count("error") <= 1
    assert "Traceback" not in said
    assert not run_path(tmp_path, NAME).exists()


def test_another_use_of_the_encoder_than_the_checkpoints_is_refused(
    frozen: CalmRun, tmp_path: Path, capsys: Captured
) -> None:
    halfway(frozen, tmp_path)
    command = ("--train", f"--log_name={NAME}", f"--config_path={frozen.recipe}", "--resume")
    assert run_here(tmp_path, *command, "--set", "Representation=scratch") == 3
    assert "Representation" in capsys.readouterr().err


@pytest.mark.parametrize("name", MODELS)
def test_the_environment_and_the_dataset_give_the_same_features_to_the_last_bit(
    name: str, encoders: Path, tmp_path: Path
) -> None:
    """Four environments are recorded as a collection does, and encoded as a run does beside it."""
    envs, encoder = 4, load_encoder(encoders / name).encoder
    keys = {"EnvType": "sprites", "EnvID": "Sprites-v0", "MaxStepPerEpisode": "11"}
    config = config_from_mapping(keys | {"PreProcHeight": "64", "PreProcWidth": "64"})
    shape = RolloutShape(11, envs, 1, (5,), torch.float32, (2,))
    rollout = EncodedRollout(encoder, shape, CPU)
    zeros = torch.zeros(envs)
    generator = np.random.default_rng(0)
    with open_environments(config, 0, envs, with_states=True) as pool:
        schema = schema_from_spec(pool.spec, None)
        first = pool.reset()
        recorder = Recorder(pool, first)
        rollout.start(torch.from_numpy(first))
        stack = frame_stack(encoder, torch.from_numpy(first), 1)
        episodes: list[Episode] = []
        for t in range(11):
            actions = generator.uniform(-1, 1, (envs, 2)).astype(np.float32)
            pool.send(0, actions)
            batch = pool.recv(0)
            ended = (torch.from_numpy(batch.terminated), torch.from_numpy(batch.truncated))
            rollout.store_transition(
                t,
                slice(0, envs),
                torch.from_numpy(batch.observations),
                zeros,
                *ended,
                torch.from_numpy(batch.final_observations),
            )
            assert torch.equal(stack.observation, rollout.observation(t, slice(0, envs)))
            stack.push(torch.from_numpy(batch.observations), ended[0] | ended[1])
            for n, lived in recorder.add(actions, batch, np.ones(envs, bool)).items():
                episodes.append(episode_of(lived, schema, None, {"id": f"episode-{n}"}))
    assert len(episodes) == envs
    with ShardWriter(
        tmp_path / "data", schema, describe(config.environment, "", None, None), "a"
    ) as to:
        for episode in episodes:
            to.add(episode)
    dataset, memory = open_dataset(tmp_path / "data"), None
    for t in range(12):
        ids = np.array([[n, t] for n in range(envs)])
        frames = torch.from_numpy(dataset.frames(ids)["observation"])
        with torch.no_grad():  # with gradients torch's LSTM takes another kernel
            features, memory = encoder.encode(frames, memory)
        samples = torch.arange(envs) + envs * min(t, 10)
        found = rollout.observations(samples) if t < 11 else rollout.final_observations(samples)
        assert torch.equal(features, found), t
