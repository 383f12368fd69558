"""Whole runs of policies that remember: played, filmed, collected with, exported, refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.networks.actor_critic import PolicyOutput
from agents.networks.distributions import Categorical
from agents.networks.recurrent_actor_critic import PolicyInput, Sequences
from configs.errors import ConfigurationError
from configs.loading import load_config
from tests.exports import policy_in
from tests.halves import NAME, CalmRun, halfway, launch, run_calmly, with_memory
from tests.records import checkpoint_path, figures, run_path
from tests.runs import CARTPOLE, PONG, run_here, run_main, write_recipe
from training.checkpoints.storage import load_payload, unpack
from training.collecting.checkpoint_policy import CheckpointPolicy
from training.exporting import policy_graph
from training.exporting.exported_policy import load_program
from training.playing.loaded_agent import load_agent
from training.playing.player import Player, open_environments, play_episodes, spec_from_text
from trajectories.reader import open_dataset
from workers.shared.protocol import StepBatch

pytestmark = pytest.mark.timeout(300)
Captured = pytest.CaptureFixture[str]
CPU = torch.device("cpu")
RECALL = Path(__file__).resolve().parents[1] / "configs/Recall/config_gru00.conf"


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    """A short run with a GRU."""
    return run_calmly(tmp_path_factory.mktemp("cartpole"), with_memory(CARTPOLE, "GRU"))


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    """A short run on frames with an LSTM, in bfloat16."""
    text = with_memory(PONG, "LSTM") + "Precision = bfloat16\n"
    return run_calmly(tmp_path_factory.mktemp("pong"), text)


def loading(calm: CalmRun) -> tuple[str, str]:
    return f"--config_path={calm.recipe}", f"--load_model_path={calm.end}"


def report_of(folder: Path) -> dict[str, list[float]]:
    (report,) = (run_path(folder, "judged") / "evaluation").glob("*.json")
    told: dict[str, list[float]] = json.loads(report.read_text())
    return told


@pytest.mark.parametrize("how", [(), ("--greedy",)], ids=["sampled", "greedy"])
def test_an_export_plays_as_its_checkpoint_is_evaluated(
    how: tuple[str, ...], cartpole: CalmRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From weights and from the graph, over ends of episodes, score by score."""
    monkeypatch.setattr(policy_graph, "ONNX_PACKAGES", ("no such package",))
    playing = ("--episodes=7", "--num_env_per_process=3", "--log_name=judged")
    assert run_here(tmp_path, "--eval", *loading(cartpole), *playing, *how) == 0
    wanted = report_of(tmp_path)["scores"]
    assert run_here(tmp_path, "--export", *loading(cartpole), "--out=exported") == 0
    export = policy_in(tmp_path / "exported")
    for judge in (None, load_program(tmp_path / "exported")):
        player = export.player(seed=1, greedy=bool(how), judge=judge)
        with open_environments(export.config, seed=1, num_environments=3) as pool:
            assert [each.score for each in play_episodes(pool, player, 7)] == wanted
    card = (tmp_path / "exported" / "README.md").read_text()
    assert "| `memory` | in | float32 [batch, 16] |" in card
    assert "| `next_memory` | out | float32 [batch, 16] |" in card
    told = json.loads((tmp_path / "exported" / "config.json").read_text())
    assert told["play"]["memory"]["size"] == 16


def test_a_policy_on_frames_is_evaluated_and_filmed_and_its_games_are_kept(
    pong: CalmRun, tmp_path: Path
) -> None:
    alone = "--num_env_per_process=1"  # fewer than MiniBatch, which is nothing to whoever plays
    more = ("--episodes=2", "--log_name=judged", "--video", "--save_rollouts", alone)
    assert run_here(tmp_path, "--eval", *loading(pong), *more) == 0
    assert len(list(tmp_path.rglob("*.mp4"))) == 1
    (kept,) = (run_path(tmp_path, "judged") / "evaluation").glob("*_rollouts")
    assert len(open_dataset(kept)) == 2


def test_it_collects_the_same_episodes_alone_and_beside_others(
    cartpole: CalmRun, tmp_path: Path
) -> None:
    common = (f"--config_path={cartpole.recipe}", f"--policy={cartpole.end}", "--num_rollouts=3")
    for name, workers in (("one", 1), ("two", 2)):
        how = (f"--out_dir={name}", f"--num_workers={workers}")
        assert run_here(tmp_path, "--collect", *common, *how) == 0
    one, two = (open_dataset(tmp_path / name) for name in ("one", "two"))
    for index in range(3):
        np.testing.assert_array_equal(one.episode(index).actions, two.episode(index).actions)


class Counting:
    """A policy that remembers how many observations of the episode it has judged."""

    def __init__(self) -> None:
        self.shown: list[Tensor] = []

    def __call__(self, inputs: PolicyInput) -> PolicyOutput:
        assert isinstance(inputs, Sequences)
        before = inputs.memory * ~inputs.starts[0].unsqueeze(1)
        self.shown.append(before[:, 0])
        zeros = torch.zeros(len(before))
        distribution = Categorical.from_logits(torch.tensor([[0.0, 9.0]] * len(zeros)))
        return PolicyOutput(distribution, zeros, zeros, before + 1)


class Ends:
    """Notes where episodes ended."""

    def __init__(self) -> None:
        self.ended: list[Tensor] = []

    def begin(self, observations: NDArray[Any]) -> None:
        """Nothing has ended."""

    def add(self, actions: NDArray[Any], batch: StepBatch) -> None:
        self.ended.append(torch.from_numpy(batch.terminated | batch.truncated))


def test_in_evaluation_memory_begins_anew_with_every_episode_and_goes_on_within_it(
    cartpole: CalmRun,
) -> None:
    agent = load_agent(cartpole.end, load_config(cartpole.recipe), CPU, greedy=True)
    spec, policy, ends = spec_from_text(agent.payload["facts"]["spec"]), Counting(), Ends()
    player = Player(policy, spec, 1, CPU, 1, greedy=True, memory_size=1)
    with open_environments(agent.config, seed=1, num_environments=2) as pool:
        play_episodes(pool, player, 6, witness=ends)
    shown, ended = torch.stack(policy.shown), torch.stack(ends.ended)
    assert torch.equal(shown[0], torch.zeros(2))
    assert torch.equal(shown[1:], (shown[:-1] + 1) * ~ended[:-1])
    assert ended.sum() >= 6


def test_a_policy_that_collects_forgets_at_reset(cartpole: CalmRun) -> None:
    agent = load_agent(cartpole.end, load_config(cartpole.recipe), CPU, greedy=False)
    policy = CheckpointPolicy(agent.player)
    seen = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    games = []
    for _ in range(2):
        policy.reset(3)
        games.append([policy.act(each) for each in seen])
    assert games[0] == games[1]


def test_what_is_remembered_lies_in_the_checkpoint(cartpole: CalmRun) -> None:
    part = load_payload(cartpole.end)["ranks"][0]
    memory = unpack(part.numpy().tobytes())["policy_memory"]
    assert memory.shape == (2, 16)
    assert memory.abs().sum() > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"MiniBatch": 3}, "a minibatch is made of whole sequences"),
        ({"PolicyMemory": "RNN"}, "PolicyMemory"),
        ({"MemorySize": 0}, "MemorySize"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    changes: dict[str, object], words: str, tmp_path: Path, capsys: Captured
) -> None:
    recipe = write_recipe(tmp_path, with_memory(CARTPOLE, "GRU"))
    sets = [f"--set={key}={value}" for key, value in changes.items()]
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", *sets) == 2
    assert words in capsys.readouterr().err
    assert not checkpoint_path(tmp_path, NAME).exists()


def test_brain_split_is_refused() -> None:
    sets = ["PolicyMemory=GRU", "Backbone=encoder:x", "Representation=brain_split"]
    with pytest.raises(ConfigurationError, match="share one memory"):
        load_config(RECALL.parents[1] / "Sprites/ppo_brain_split.conf", sets)


def test_a_size_without_a_memory_is_told() -> None:
    loaded = load_config(RECALL, ["PolicyMemory=none", "MemorySize=8"])
    assert "MemorySize = 8 with PolicyMemory = none: has no effect" in "".join(loaded.notes)


def test_a_checkpoint_with_another_memory_is_refused_in_a_table(
    cartpole: CalmRun, tmp_path: Path, capsys: Captured
) -> None:
    halfway(cartpole, tmp_path)
    command = (f"--config_path={cartpole.recipe}", "--resume", "--set=PolicyMemory=LSTM")
    assert run_here(tmp_path, "--train", f"--log_name={NAME}", *command) == 3
    told = capsys.readouterr().err
    assert "PolicyMemory  LSTM" in told


def test_another_number_of_environments_begins_with_nothing_remembered(
    cartpole: CalmRun, tmp_path: Path, capsys: Captured
) -> None:
    halfway(cartpole, tmp_path)
    more = ("--resume", "--num_env_per_process=4")
    launch(tmp_path, None, f"--config_path={cartpole.recipe}", *more)
    assert "environments and random streams start anew" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least", "most"), [("GRU", 0.95, 1.0), ("none", 0.3, 0.7)])
def test_a_cue_is_recalled_by_a_policy_that_remembers_and_by_no_other(
    kind: str, least: float, most: float, tmp_path: Path
) -> None:
    """Measured over three seeds (docs/benchmarks.md): at 40 k env steps 1.0, and 0.5."""
    what = (f"--set=PolicyMemory={kind}", "--max_env_steps=40_000", "--seed=1")
    run = run_main(tmp_path, "--train", f"--config_path={RECALL}", f"--log_name={NAME}", *what)
    assert run.code == 0, run.output
    score = figures(tmp_path, NAME)[-1]["charts/episodic_return"]
    assert least <= score <= most
