"""What a checkpoint holds: all that play needs, and statistics that count each sample once."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.agents.small import FRAME, Kind, make_learner
from tests.records import checkpoint_path
from tests.runs import CARTPOLE, run_here, run_main, write_recipe
from training.checkpoints.storage import load_payload

NAME = "demo"
T, N, WARM_UP = 16, 2, 1


def train(folder: Path, steps: int, *arguments: str, ranks: int | None = None) -> Path:
    recipe = write_recipe(folder, CARTPOLE, TotalEnvSteps=steps)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}", *arguments)
    if ranks is None:
        assert run_here(folder, *command) == 0
    else:
        ended = run_main(folder, *command, ranks=ranks)
        assert ended.code == 0, ended.output
    return checkpoint_path(folder, NAME)


def evaluate(folder: Path, checkpoint: Path, name: str, *arguments: str) -> dict[str, object]:
    common = (f"--config_path={folder / 'recipe.conf'}", f"--log_name={name}")
    loaded = f"--load_model_path={checkpoint}"
    assert run_here(folder, "--eval", *common, loaded, *arguments) == 0
    (report,) = (folder / "logs" / "runs" / name / "evaluation").glob("*.json")
    found: dict[str, object] = json.loads(report.read_text())
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(folder, 64)
    return folder


def counts(checkpoint: Path) -> dict[str, float]:
    learner = load_payload(checkpoint)["learner"]
    return {
        name: value.item()
        for name, value in learner.items()
        if name.startswith("intrinsic.") and name.endswith(".count")
    }


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [None, 2])
def test_rl_games_363_and_rsl_rl_30_statistics_count_each_sample_once(
    tmp_path: Path, ranks: int | None
) -> None:
    """However often a run is continued, and on however many ranks."""
    envs = N * (ranks or 1)
    for part in (1, 2, 3):
        steps = part * 2 * T * envs
        path = train(tmp_path, steps, *(["--resume"] if part > 1 else []), ranks=ranks)
        bonuses, observations = steps, steps + WARM_UP * T * envs
        assert sorted(counts(path).values()) == sorted([bonuses, observations])


def test_rsl_rl_71_a_run_goes_on_with_the_bonus_it_has_or_not_at_all(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its bonus it is refused, so that its statistics cannot begin anew later."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    recipe = write_recipe(tmp_path, CARTPOLE, IntrinsicReward="none", TotalEnvSteps=128)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}", "--resume")
    before = counts(checkpoint_path(tmp_path, NAME))
    assert run_here(tmp_path, *command) == 3
    assert "IntrinsicReward" in capsys.readouterr().err
    assert counts(checkpoint_path(tmp_path, NAME)) == before
    path = train(tmp_path, 128, "--resume")
    assert {name: count + 64 for name, count in before.items()} == counts(path)


def test_stable_baselines3_1256_and_kinder_140_the_checkpoint_alone_is_enough(
    trained: Path, tmp_path: Path
) -> None:
    """In an empty folder, with a recipe that says no more than which environment it is."""
    here = evaluate(trained, checkpoint_path(trained, NAME), "alone", "--episodes=5", "--greedy")
    moved = tmp_path / "other.ckpt"
    shutil.copy(checkpoint_path(trained, NAME), moved)
    bare = "[Environment]\nEnvType = classic_control\nEnvID = CartPole-v1\n"
    (tmp_path / "recipe.conf").write_text(bare)
    there = evaluate(tmp_path, moved, "alone", "--episodes=5", "--greedy")
    assert there["scores"] == here["scores"]
    assert there["score"] == here["score"]


@pytest.mark.slow
@pytest.mark.parametrize("environments", [1, 20])
def test_stable_baselines3_1556_and_zoo_275_an_evaluation_repeats_itself(
    trained: Path, environments: int
) -> None:
    """With the same seed and as many environments, to the last point."""
    arguments = ("--episodes=20", f"--num_env_per_process={environments}", "--seed=5")
    checkpoint = checkpoint_path(trained, NAME)
    first, again = (
        evaluate(trained, checkpoint, f"{name}{environments}", *arguments)
        for name in ("first", "again")
    )
    assert first["scores"] == again["scores"]


@pytest.mark.slow
def test_zoo_282_the_best_checkpoint_scores_what_it_was_kept_for(tmp_path: Path) -> None:
    """A policy that hardly learns plays in evaluation as it did in training."""
    text = CARTPOLE.replace("LearningRate = 1e-3", "LearningRate = 1e-9")
    recipe = write_recipe(tmp_path, text, TotalEnvSteps=6400, NumEnv=8)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", f"--log_name={NAME}") == 0
    best = checkpoint_path(tmp_path, NAME).with_suffix(".best.ckpt")
    report = evaluate(tmp_path, best, "best", "--episodes=100")
    score = report["score"]
    assert isinstance(score, dict)
    half = score["interval_high"] - score["mean"]
    # Both are means of 100 games, and the best was chosen among some: twice the interval.
    assert abs(load_payload(best)["best_score"] - score["mean"]) < 2 * half


@pytest.mark.parametrize("head", ["BYOL", "Barlow-Twins"])
def test_stable_baselines3_614_an_action_does_not_depend_on_its_batch(head: str) -> None:
    """Heads normalise by the batch; the policy, alone or among others, does not."""
    learner = make_learner(Kind(FRAME, head=head), 2)  # type: ignore[arg-type] # both are heads
    draws = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (64, 2, 36, 36), dtype=torch.uint8, generator=draws)
    for mode in (True, False):
        learner.train(mode)
        with torch.no_grad():
            (alone, *values_alone, _), (among, *values_among, _) = (
                learner.policy(observations) for observations in (batch[:1], batch)
            )
        assert alone.mode().equal(among.mode()[:1])
        actions = torch.zeros(64, dtype=torch.long)
        torch.testing.assert_close(alone.log_prob(actions[:1]), among.log_prob(actions)[:1])
        for value, others in zip(values_alone, values_among, strict=True):
            torch.testing.assert_close(value, others[:1])
