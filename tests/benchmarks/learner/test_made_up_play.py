"""Made-up play is one to learn from."""

from pathlib import Path

import torch

from agents.rollout import RolloutBuffer
from benchmarks.learner.made_up_play import MadeUpPlay, made_up_spec
from configs.loading import load_config
from tests.benchmarks.recipes import TINY
from training.building.learner import rollout_shape


def test_made_up_frames_vary_hang_together_and_end_in_both_ways(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.conf"
    recipe.write_text(TINY)
    config = load_config(recipe, ["NumEnv=4", "NumStep=400"]).config
    spec = made_up_spec(config)
    rollout = RolloutBuffer(rollout_shape(config, spec, 4), torch.device("cpu"))
    samples = torch.arange(rollout.rewards.numel())
    MadeUpPlay(spec, 4, seed=0).fill(rollout)
    frames, following = rollout.frames(samples).float(), rollout.next_frames(samples).float()
    assert frames.shape == (1600, 1, 36, 40)
    strangers = (frames - frames.roll(1, 0)).abs().mean()  # of another environment
    assert 0 < (frames - following).abs().mean() < 0.8 * strangers
    assert 0 < rollout.rewards.mean() < 0.1
    assert rollout.terminated.any()
    assert rollout.truncated_samples().numel() > 0
    assert (rollout.terminated | rollout.truncated).float().mean() < 0.02
    first = rollout.frames(samples)
    MadeUpPlay(spec, 4, seed=0).fill(rollout)
    assert torch.equal(first, rollout.frames(samples))
