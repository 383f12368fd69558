"""What a score is made of: one game's own raw rewards, all of them and no others."""

import json
from pathlib import Path

import pytest

from tests.others.environments import named
from tests.others.games import breakout, lives_lost_at, open_pool, step
from tests.records import figures
from tests.runs import CARTPOLE, run_here, write_recipe

NAME = "rich"
RICH = CARTPOLE.replace("classic_control", "gymnasium").replace("LearningReward = raw\n", "")


@pytest.mark.parametrize("backend", ["processes", "ale_vector"])
def test_cleanrl_454_and_envpool_299_a_score_is_of_one_game(backend: str) -> None:
    """Games of 5 steps: what one was paid before it was cut is not added to the next one's."""
    running, wanted, found = 0.0, [], []
    with open_pool(backend, breakout(max_episode_steps=5, frame_skip=30)) as pool:
        pool.reset()
        for t in range(100):
            batch = step(pool, t)
            running += float(batch.rewards[0])
            found += [(episode.length, episode.score) for episode in batch.episodes]
            if (t + 1) % 5 == 0:
                wanted.append((5, running))
                running = 0.0
    assert found == wanted
    assert sum(score > 0 for _, score in wanted) > 2


@pytest.mark.parametrize("backend", ["processes", "ale_vector"])
def test_envpool_301_every_game_that_is_scored_has_all_its_lives(backend: str) -> None:
    """A lost life ends an episode of learning; a score is of a game from first life to last."""
    lost, lives = lives_lost_at(), 0
    lengths: list[tuple[int, int, int]] = []
    with open_pool(backend, breakout()) as pool:
        pool.reset()
        t = steps = 0
        while len(lengths) < 3:
            batch = step(pool, t)
            t, steps = t + 1, steps + 1
            lives += int(batch.terminated[0])
            if batch.episodes:
                (episode,) = batch.episodes
                lengths.append((episode.length, steps, lives))
                t = steps = lives = 0
    assert lengths == [(lost[-1], lost[-1], 5)] * 3


@pytest.mark.slow
def test_stable_baselines3_2091_and_sample_factory_270_rewards_of_10000_are_shown_raw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The agent learns from their sign; curves, evaluation and report know what was paid."""
    recipe = write_recipe(tmp_path, RICH, EnvID=named("OthersRich-v0"), TotalEnvSteps=64)
    common = (f"--config_path={recipe}", f"--log_name={NAME}")
    assert run_here(tmp_path, "--train", *common) == 0
    last = figures(tmp_path, NAME)[-1]
    assert last["charts/episodic_return"] == last["rollout/ep_rew_mean"] == 25_000
    checkpoint = f"--load_model_path=checkpoints/{NAME}.ckpt"
    assert run_here(tmp_path, "--eval", *common, checkpoint, "--episodes=2") == 0
    (report,) = (tmp_path / "logs" / "runs" / NAME / "evaluation").glob("*.json")
    assert json.loads(report.read_text())["scores"] == [25_000, 25_000]
    assert "mean 25,000.00" in capsys.readouterr().out
    assert run_here(tmp_path, "--report", NAME, f"--out={tmp_path / 'report.html'}") == 0
    assert "25,000" in (tmp_path / "report.html").read_text()
