"""Evolutions of CartPole's numbers: whoever plays, however often they stop, they are the same."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.controllers.cma_es import CMAES
from configs.errors import STOPPED_EXIT_CODE
from tests.records import checkpoint_path, figures, read_status, state_of
from tests.runs import run_here, run_ranks, started
from tests.training.evolution.made import CARTPOLE, NAME, assert_equal, command, evolve, stop_at
from tests.workers.pools import worker_ids
from training.checkpoints.storage import companions, load_payload
from training.evolution import arena
from training.evolution.showing import Generation, figures_of
from training.evolution.tracks import evaluation_seeds, training_seeds

pytestmark = pytest.mark.timeout(300)
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an evolution that nothing disturbed."""
    folder = tmp_path_factory.mktemp("calm")
    assert evolve(folder) == 0
    return folder


def test_rows_tell_of_each_generation_and_of_evaluations(calm: Path) -> None:
    rows = figures(calm, NAME)
    assert [row["charts/updates"] for row in rows] == [1, 2, 3, 4]
    assert ["evaluation/mean" in row for row in rows] == [False, True, False, True]
    for row in rows:
        assert row["evolution/worst"] <= row["evolution/mean"] <= row["evolution/best"]
        assert row["evolution/sigma"] > 0
    assert rows[-1]["charts/episodes"] == 4 * 8 * 2
    assert read_status(calm, NAME)["code"] == 0


def test_the_best_mean_is_kept_beside_the_last(calm: Path) -> None:
    best = max(row.get("evaluation/mean", 0.0) for row in figures(calm, NAME))
    _, _, path = companions(checkpoint_path(calm, NAME))
    assert load_payload(path)["best_score"] == best


@pytest.mark.parametrize(
    "arguments",
    [
        ("--num_env_per_process=1",),
        ("--num_env_per_process=40",),
        ("--num_workers=1",),
        ("--num_workers=2", "--num_env_per_process=3"),
    ],
    ids=" ".join,
)
def test_environments_and_workers_change_nothing(
    arguments: tuple[str, ...], calm: Path, tmp_path: Path
) -> None:
    assert evolve(tmp_path, *arguments) == 0
    assert_equal(calm, tmp_path)


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_ranks_change_nothing(ranks: int, calm: Path, tmp_path: Path) -> None:
    run_ranks(tmp_path, *command(tmp_path, "--num_env_per_process=2"), ranks=ranks)
    assert_equal(calm, tmp_path)


def test_another_seed_is_another_evolution(calm: Path, tmp_path: Path) -> None:
    assert evolve(tmp_path, "--seed=2") == 0
    assert figures(calm, NAME) != figures(tmp_path, NAME)


def test_halves_on_other_environments_equal_the_whole(
    calm: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert evolve(tmp_path, "--cma_steps=3") == 0
    assert evolve(tmp_path, "--resume", "--num_env_per_process=3", "--num_workers=1") == 0
    told = capsys.readouterr().out
    assert "continued at generation 3" in told
    assert "not exact" not in told
    assert_equal(calm, tmp_path)


@pytest.mark.parametrize("step", [1, 100, 190])
def test_a_stop_drops_the_generation_under_way_and_resume_plays_it_again(
    step: int, calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_at(step, patched)
        assert evolve(tmp_path) == STOPPED_EXIT_CODE
    done = load_payload(checkpoint_path(tmp_path, NAME))["updates"]
    assert done == len((tmp_path / f"logs/runs/{NAME}/metrics.jsonl").read_text().splitlines()) < 4
    assert evolve(tmp_path, "--resume") == 0
    assert_equal(calm, tmp_path)


def test_rows_of_a_killed_run_that_had_saved_at_0_env_steps_are_not_written_twice(
    calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        stop_at(1, patched)
        assert evolve(tmp_path) == STOPPED_EXIT_CODE
    path = checkpoint_path(tmp_path, NAME)
    at_0 = path.read_bytes()
    assert load_payload(path)["env_steps"] == 0
    for _ in range(2):
        path.write_bytes(at_0)  # as a kill before the next save leaves it
        assert evolve(tmp_path, "--resume") == 0
    assert_equal(calm, tmp_path)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_from_its_last_checkpoint(calm: Path, tmp_path: Path) -> None:
    slow = command(tmp_path, "--num_env_per_process=1", "--num_workers=1")
    with started(tmp_path, *slow) as run:
        run.wait_for_rows(NAME, 3)
        run.kill()
    assert evolve(tmp_path, "--resume") == 0
    assert_equal(calm, tmp_path)


def test_what_a_lost_worker_played_is_played_again(
    calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    taken, whole = 0, arena._Share.step

    def step_and_kill(share: arena._Share) -> None:
        nonlocal taken
        taken += 1
        if taken in (7, 60):
            os.kill(min(worker_ids().values()), signal.SIGKILL)
        whole(share)

    monkeypatch.setattr(arena._Share, "step", step_and_kill)
    assert evolve(tmp_path, "--num_workers=2") == 0
    assert "2 lost workers were replaced" in capsys.readouterr().out
    assert_equal(calm, tmp_path)


def test_nothing_is_left_to_do_after_the_last_generation(calm: Path, capsys: Captured) -> None:
    before = state_of(checkpoint_path(calm, NAME))
    assert evolve(calm, "--resume") == 0
    assert "Generations = 4 is reached" in " ".join(capsys.readouterr().out.split())
    assert state_of(checkpoint_path(calm, NAME)).keys() == before.keys()


def test_members_of_a_generation_meet_the_same_episodes_and_no_evaluation_does() -> None:
    seeds = [training_seeds(3, generation, 50) for generation in range(1, 41)]
    trained = {seed for each in seeds for seed in each}
    assert len(trained) == 2000
    assert seeds[0] == training_seeds(3, 1, 50)
    assert seeds[0][:7] == training_seeds(3, 1, 7)
    assert trained.isdisjoint(evaluation_seeds(3, 500))
    assert max(trained) < 2**31


def test_what_is_no_number_counts_for_nothing_in_the_figures() -> None:
    fitness = np.array([1.0, np.nan, 3.0, -np.inf])
    found = figures_of(Generation(fitness, 0.5, 2, None))
    assert (found["evolution/worst"], found["evolution/best"]) == (1.0, 3.0)
    assert found["evolution/mean"] == 2.0
    assert found["evolution/not_finite"] == 2.0


def test_the_checkpoint_holds_the_mean_of_its_strategy(calm: Path) -> None:
    payload = load_payload(checkpoint_path(calm, NAME))
    strategy = CMAES.from_bytes(payload["optimizer"]["strategy"].numpy().tobytes())
    assert strategy.generation == payload["updates"] == 4
    assert torch.equal(payload["learner"]["mean"], torch.from_numpy(strategy.mean))


def test_an_evaluation_stands_beside_players_that_know_nothing(
    calm: Path, capsys: Captured
) -> None:
    checkpoint = f"--load_model_path={checkpoint_path(calm, NAME)}"
    play = ("--eval", "--config_path=recipe.conf", "--episodes=6", "--baselines", checkpoint)
    assert run_here(calm, *play) == 0
    told = capsys.readouterr().out
    (path,) = (calm / f"logs/runs/{NAME}/evaluation").glob("*.json")
    report = json.loads(path.read_text())
    assert report["action_choice"] == "deterministic"
    assert report["training_episodes"] == 4 * 8 * 2
    assert report["baselines"]["nothing"]["max"] < 12  # the pole falls to one side
    assert report["baselines"].keys() == {"random", "nothing"}
    for name, score in report["baselines"].items():
        assert f"{name:<11} mean {score['mean']:.2f}" in told


@pytest.mark.slow
def test_cartpole_is_balanced_to_the_end(tmp_path: Path) -> None:
    recipe = Path(__file__).parents[3] / "configs/CartPole/cma.conf"
    run = ("--train", f"--config_path={recipe}", "--log_name=demo")
    for seed in (1, 2, 3):
        assert run_here(tmp_path, *run, f"--seed={seed}", "--overwrite") == 0
        assert figures(tmp_path, NAME)[-1]["evaluation/mean"] == 500.0


@pytest.mark.parametrize(
    ("arguments", "text", "told"),
    [
        (("--cma_population_size=7",), CARTPOLE, "choose 8 or more"),
        (("--vision_model=E",), CARTPOLE, "VisionModel = E with state observations"),
        (("--set", "ObservationType=pixels"), CARTPOLE, "add --vision_model=DIR"),
        (("--memory_model=E",), CARTPOLE, "E: there is no such model; --train_dynamics"),
        (("--set", "ControllerHiddenSize=60000"), CARTPOLE, "choose fewer hidden units"),
        (("--set", "ActionRepeat=2"), CARTPOLE, "only environments of box2d have one"),
        (("--set", "ControllerInput=latent"), CARTPOLE, "did you mean ControllerInputs?"),
    ],
)
def test_refusals(
    arguments: tuple[str, ...], text: str, told: str, tmp_path: Path, capsys: Captured
) -> None:
    assert evolve(tmp_path, *arguments, text=text) in (2, 3)
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("--cma_population_size=9", "its PopulationSize = 8"),
        ("--set=ControllerHiddenSize=3", "ControllerHiddenSize"),
        ("--set=Agent=PPO", "Agent"),
    ],
)
def test_what_cannot_change_in_a_run_that_goes_on(
    change: str, told: str, calm: Path, tmp_path: Path, capsys: Captured
) -> None:
    source = checkpoint_path(calm, NAME)
    assert evolve(tmp_path, change, f"--load_model_path={source}") == 3
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "code"), [("--set=ControllerHiddenSize=60000", 2), ("--cma_population_size=9", 3)]
)
def test_what_is_refused_costs_no_run_that_it_was_to_replace(
    change: str, code: int, calm: Path, tmp_path: Path
) -> None:
    assert evolve(tmp_path, "--cma_steps=1") == 0
    before = checkpoint_path(tmp_path, NAME).read_bytes()
    source = (f"--load_model_path={checkpoint_path(calm, NAME)}",) if code == 3 else ()
    assert evolve(tmp_path, change, "--overwrite", *source) == code
    assert checkpoint_path(tmp_path, NAME).read_bytes() == before


def test_the_first_words_tell_where_curves_lie_and_which_keys_mean_nothing(
    tmp_path: Path, capsys: Captured
) -> None:
    idle = ("--set=PolicyMemory=GRU", "--set=ReplaySize=9", "--set=IntrinsicReward=none")
    assert evolve(tmp_path, "--local_dir=elsewhere", "--cma_steps=1", *idle) == 0
    told = capsys.readouterr().out
    assert "elsewhere/logs/tb_logs/demo (tensorboard --logdir elsewhere/logs/tb_logs)" in told
    assert (tmp_path / "elsewhere/logs/tb_logs/demo").is_dir()
    assert "env steps (TotalEnvSteps)" not in told  # one generation ends long before them
    assert "PolicyMemory, ReplaySize: have no effect with Agent = CMA-ES" in told


def test_the_first_words_tell_of_env_steps_that_end_it_before_its_generations(
    tmp_path: Path, capsys: Captured
) -> None:
    assert evolve(tmp_path, "--max_env_steps=10") == 0
    assert ", or 10 env steps (TotalEnvSteps)" in " ".join(capsys.readouterr().out.split())


def test_a_checkpoint_of_another_agent_is_refused_for_its_agent_alone(
    tmp_path: Path, capsys: Captured
) -> None:
    older = Path(__file__).parents[2] / "kept/end.ckpt"
    assert evolve(tmp_path, f"--load_model_path={older}") == 3
    told = capsys.readouterr().err
    assert "Agent" in told
    assert "StateHiddenSizes" not in told
