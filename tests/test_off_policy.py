"""Runs of TD3: exact resumption, stops, plays, and what is refused."""

import json
import os
import re
import signal
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agents.replay.vector_replay import VectorReplay
from configs.errors import STOPPED_EXIT_CODE
from configs.loading import load_config
from tests.halves import NAME, CalmRun, assert_equal_runs, halfway, launch
from tests.off_policy_runs import FRAMES, STATES
from tests.records import (
    checkpoint_path,
    differences,
    figures,
    last_row,
    read_status,
    run_path,
    state_of,
)
from tests.runs import run_here, run_main, started, write_recipe
from tests.workers.pools import worker_ids
from training import launch as launching
from training.checkpoints.storage import Payload, load_payload
from training.dreaming.opening import open_pool
from training.figures.coverage import Coverage
from training.loop.trainer import Beginning, Outcome
from training.off_policy.experience import Experience
from training.off_policy.trainer import OffPolicyTrainer
from workers.opening import Sizes

pytestmark = pytest.mark.timeout(300)
CPU = torch.device("cpu")
PENDULUM = Path(__file__).parents[1] / "configs/Pendulum/td3.conf"


def calm_run(folder: Path, text: str, ranks: int | None = None) -> CalmRun:
    """Train for 8 updates, saved after 4 as well."""
    recipe = write_recipe(folder, text, TotalEnvSteps=8 * 16 * 2 * (ranks or 1))
    launch(folder, ranks, f"--config_path={recipe}")
    return CalmRun(folder, text, ranks)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    return calm_run(tmp_path_factory.mktemp("states"), STATES)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    return calm_run(tmp_path_factory.mktemp("frames"), FRAMES)


@pytest.mark.parametrize("name", ["states", "frames"])
def test_a_run_resumed_halfway_equals_the_calm_run(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    calm: CalmRun = request.getfixturevalue(name)
    halfway(calm, tmp_path)
    launch(tmp_path, None, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path)


@pytest.mark.parametrize("name", ["states", "frames"])
def test_the_time_of_acting_is_told_as_a_part_of_collecting(
    name: str, request: pytest.FixtureRequest
) -> None:
    calm: CalmRun = request.getfixturevalue(name)
    row = last_row(calm.folder, NAME)
    assert 0.0 < row["time/fraction_act"] < row["time/fraction_collect"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "ranks"), [(STATES, 2), (STATES, 3), (FRAMES, 3)], ids=["2", "3", "frames on 3"]
)
def test_ranks_resumed_halfway_equal_the_calm_run(text: str, ranks: int, tmp_path: Path) -> None:
    calm = calm_run(tmp_path / "calm", text, ranks=ranks)
    other = tmp_path / "other"
    halfway(calm, other)
    launch(other, ranks, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, other)
    kept = "rows" if text == STATES else "frames"
    one, two = (part["replay"][kept] for part in state_of(calm.end)["ranks"][:2])
    assert one.shape == two.shape
    assert not (one == two).all()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (
            "states",
            "networks, optimisers and replay buffers (each rank takes one that there was) go on",
        ),
        ("frames", "networks and optimisers go on, environments"),
    ],
)
def test_with_another_number_of_environments_it_says_what_goes_on(
    name: str,
    kept: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calm: CalmRun = request.getfixturevalue(name)
    halfway(calm, tmp_path)
    capsys.readouterr()
    launch(tmp_path, None, f"--config_path={calm.recipe}", "--resume", "--num_env_per_process=3")
    assert f"num_envs 2 -> 3; {kept}" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_stopped_run_is_saved_whole_and_goes_on_exactly(states: CalmRun, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, STATES, TotalEnvSteps=10_000_000, StepsPerUpdate=16)
    with started(tmp_path, "--train", f"--config_path={recipe}", f"--log_name={NAME}") as run:
        run.wait_for_rows(NAME, 3)
        run.process.send_signal(signal.SIGTERM)
        ended = run.wait()
    assert ended.code == STOPPED_EXIT_CODE, ended.output
    saved = load_payload(checkpoint_path(tmp_path, NAME))
    assert saved["env_steps"] == saved["updates"] * 32
    longer = saved["env_steps"] + 4 * 32
    launch(tmp_path, None, f"--config_path={recipe}", "--resume", f"--max_env_steps={longer}")
    calm = tmp_path / "calm"
    recipe = write_recipe(calm, STATES, TotalEnvSteps=longer)
    launch(calm, None, f"--config_path={recipe}")
    whole = state_of(checkpoint_path(calm, NAME))
    assert differences(whole, state_of(checkpoint_path(tmp_path, NAME))) == []
    assert read_status(tmp_path, NAME)["code"] == 0


def test_with_other_environments_networks_and_experience_go_on(
    states: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (f"--config_path={states.recipe}", f"--load_model_path={states.end}")
    launch(tmp_path, None, *command, "--num_env_per_process=1", "--max_env_steps=272")
    assert "not exact: num_envs 2 -> 1" in capsys.readouterr().out
    assert Coverage.load(run_path(tmp_path, NAME) / "visits.npz").counts.sum() == 272
    before, after = (
        state_of(p)["ranks"][0]["replay"] for p in (states.end, checkpoint_path(tmp_path, NAME))
    )
    assert (after["rows"][:-16] == before["rows"][16:]).all()


def test_frames_of_other_environments_are_forgotten_with_a_word(
    frames: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (f"--config_path={frames.recipe}", f"--load_model_path={frames.end}")
    launch(tmp_path, None, *command, "--num_env_per_process=1", "--max_env_steps=272")
    assert "the replay buffer begins empty" in capsys.readouterr().out
    assert state_of(checkpoint_path(tmp_path, NAME))["ranks"][0]["replay"]["num_added"] == 16
    row = last_row(tmp_path, NAME)  # 16 steps of the 40 that come before the first gradient
    assert not any(name.startswith("losses/") for name in row)


def test_figures_of_the_losses_are_written(states: CalmRun) -> None:
    row = last_row(states.folder, NAME)
    assert {"losses/critic", "losses/actor", "losses/value", "charts/episodic_return"} <= row.keys()


@pytest.mark.parametrize("name", ["states", pytest.param("frames", marks=pytest.mark.slow)])
def test_a_checkpoint_is_evaluated_greedily_or_with_its_noise(
    name: str, request: pytest.FixtureRequest
) -> None:
    calm: CalmRun = request.getfixturevalue(name)
    command = ("--eval", f"--config_path={calm.recipe}", f"--load_model_path={calm.end}")
    scores = {}
    for way, flags in (("greedy", ("--greedy", "--video")), ("sampled", ())):
        assert run_here(calm.folder, *command, "--episodes=2", *flags) == 0
        (report,) = (calm.folder / f"logs/runs/{NAME}/evaluation").glob(f"*{way}*.json")
        scores[way] = json.loads(report.read_text())["scores"]
    assert scores["greedy"] != scores["sampled"]
    (film,) = (calm.folder / f"logs/runs/{NAME}/evaluation").glob("*greedy*.mp4")
    assert film.stat().st_size > 0


def test_a_checkpoint_collects_the_same_episodes_however_many_play_at_once(
    states: CalmRun, tmp_path: Path
) -> None:
    for n in (1, 2):
        command = ("--collect", f"--config_path={states.recipe}", f"--policy={states.end}")
        out = f"--out_dir={tmp_path / str(n)}"
        assert run_here(states.folder, *command, "--num_rollouts=3", out, f"--parallelism={n}") == 0
    one, two = (sorted((tmp_path / str(n)).rglob("*.npy")) for n in (1, 2))
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("EnvID=CartPole-v1", "its actions are 2 choices, and TD3's are numbers"),
        ("IntrinsicReward=RND", "IntrinsicReward = RND with Agent = TD3"),
        ("OverlapCollection=True", "OverlapCollection = True with Agent = TD3"),
        ("ObservationScaling=running", "ObservationScaling = running with Agent = TD3"),
        ("ReplaySize=1", "ReplaySize = 1 with NumEnv = 2"),
        ("GradientSteps=0", "GradientSteps=0: is out of bounds"),
        ("TargetTua=1", "did you mean TargetTau?"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    change: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, STATES)
    code = run_here(tmp_path, "--train", f"--config_path={recipe}", f"--set={change}")
    assert code == 2
    assert words in capsys.readouterr().err


def test_a_profile_of_ppos_loop_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, STATES)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--pytorch_profiling") == 2
    assert "--pytorch_profiling with Agent = TD3" in capsys.readouterr().err


def test_nothing_is_learnt_while_it_plays_at_random_however_small_the_buffer(
    tmp_path: Path,
) -> None:
    recipe = write_recipe(
        tmp_path, STATES, TotalEnvSteps=128, ReplaySize=16, RandomSteps=64, GradientSteps=1
    )
    launch(tmp_path, None, f"--config_path={recipe}")
    rows = figures(tmp_path, NAME)
    assert ["losses/critic" in row for row in rows] == [False, True, True, True]
    # The step that ends the random play is learnt from.
    assert state_of(checkpoint_path(tmp_path, NAME))["learner"]["gradient_steps"] == 2 + 64


def test_a_buffer_that_has_no_room_is_refused_with_one_that_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, FRAMES, TotalEnvSteps=10**11, ReplaySize=10**9)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}") == 2
    assert "would fill all of that" in capsys.readouterr().err


def test_a_buffer_that_has_no_room_to_be_saved_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, FRAMES, TotalEnvSteps=48, ReplaySize=48)
    step = 40 * 40 + 4  # bytes of a frame and an action
    for room, code in ((3 * 48 * step - 1, 2), (3 * 48 * step, 0)):
        monkeypatch.setattr("training.off_policy.assembly.available_memory", lambda room=room: room)
        assert run_here(tmp_path, "--train", f"--config_path={recipe}") == code
    assert "ReplaySize = 47 would fill all of that" in capsys.readouterr().err


def test_a_buffer_that_is_refused_costs_no_run_that_it_was_to_replace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, STATES, TotalEnvSteps=32)
    launch(tmp_path, None, f"--config_path={recipe}")
    before = checkpoint_path(tmp_path, NAME).read_bytes()
    monkeypatch.setattr("training.off_policy.assembly.available_memory", lambda: 0)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}", "--overwrite")
    assert run_here(tmp_path, *command) == 2
    assert "would fill all of that" in capsys.readouterr().err
    assert checkpoint_path(tmp_path, NAME).read_bytes() == before


@pytest.mark.parametrize("text", [STATES, FRAMES])
def test_a_run_that_goes_on_keeps_nothing_of_the_checkpoint_beside_its_buffer(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path, text, TotalEnvSteps=32)
    launch(tmp_path, None, f"--config_path={recipe}")
    kept: list[weakref.ref[Tensor]] = []
    load, run = launching._load_everywhere, OffPolicyTrainer.run

    def loaded(*arguments: Any) -> Payload | None:
        payload = load(*arguments)
        assert payload is not None
        kept.extend(weakref.ref(part) for part in payload["ranks"])
        return payload

    def running(trainer: OffPolicyTrainer, beginning: Beginning) -> Outcome:
        assert [part() for part in kept] == [None]
        return run(trainer, beginning)

    monkeypatch.setattr(launching, "_load_everywhere", loaded)
    monkeypatch.setattr(OffPolicyTrainer, "run", running)
    launch(tmp_path, None, f"--config_path={recipe}", "--resume", "--max_env_steps=64")
    assert len(kept) == 1


def test_keys_without_meaning_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, STATES, TotalEnvSteps=32)
    idle = ("--set=NumStep=64", "--set=PolicyMemory=GRU", "--set=PopulationSize=9")
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--set=NumEnv=1", *idle) == 0
    told = capsys.readouterr().out
    assert "NumStep, PolicyMemory, PopulationSize: have no effect with Agent = TD3" in told


def test_a_checkpoint_of_ppo_is_no_start_for_td3(
    states: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = STATES.replace("Agent = TD3", "Agent = PPO").replace("[TD3]", "[Encoder]")
    kept = "\n".join(
        line
        for line in text.splitlines()
        if not line.startswith(("Actor", "Critic", "Random", "Replay", "Gradient", "StepsPer"))
    )
    recipe = write_recipe(tmp_path, kept + "\n[Intrinsic]\nIntrinsicReward = none\n")
    command = ("--train", f"--config_path={recipe}", f"--load_model_path={states.end}")
    assert run_here(tmp_path, *command) == 3
    assert "Agent" in capsys.readouterr().err


@pytest.mark.slow
def test_pendulum_is_learnt(tmp_path: Path) -> None:
    text = STATES.replace("MaxStepPerEpisode = 24", "MaxStepPerEpisode = auto")
    values = {
        "ActorHiddenSizes": "64, 64",
        "CriticHiddenSizes": "64, 64",
        "RandomSteps": 1_000,
        "ReplaySize": 20_000,
        "ReplayBatchSize": 128,
        "GradientSteps": 1,
        "NumEnv": 1,
        "TotalEnvSteps": 8_000,
        "saveCkptEvery": 1_000,
    }
    recipe = write_recipe(tmp_path, text, **values)
    ended = run_main(tmp_path, "--train", f"--config_path={recipe}", f"--log_name={NAME}")
    assert ended.code == 0, ended.output
    path = checkpoint_path(tmp_path, NAME)
    command = ("--eval", f"--config_path={recipe}", f"--load_model_path={path}", "--greedy")
    assert run_here(tmp_path, *command, "--episodes=20") == 0
    (report,) = (tmp_path / f"logs/runs/{NAME}/evaluation").glob("*.json")
    assert json.loads(report.read_text())["score"]["mean"] > -300  # random play: about -1,230


def test_what_a_lost_worker_did_not_do_is_not_remembered() -> None:
    config = load_config(PENDULUM, ["WorkerBackend=processes"]).config
    sizes = Sizes(
        num_environments=2, num_groups=1, base_seed=7, first_index=0, num_workers=2, cores=2
    )
    replay, still = VectorReplay(9, 3, 1, CPU), torch.zeros(2, 1)
    with open_pool(config, sizes) as pool:
        experience = Experience(
            pool,
            replay,
            stack_size=1,
            reward_kind="raw",
            device=CPU,
            encoder=None,
            keeps_states=False,
        )
        experience.start()
        experience.step(still)
        os.kill(min(worker_ids().values()), signal.SIGKILL)
        (cut,) = experience.step(still)
        experience.step(still)
    assert cut.lost
    before, after = replay.state()["rows"][:, :3], replay.state()["rows"][:, -3:]
    assert len(before) == 2 + 1 + 2
    assert not (before == after).all(dim=1).any()
