"""Play a checkpoint: python -m examples.play_checkpoint [RECIPE CHECKPOINT]."""

import sys
from pathlib import Path

import torch

from configs.loading import load_config
from training.playing.loaded_agent import load_agent
from training.playing.player import open_environments, play_episodes

if __name__ == "__main__":
    arguments = sys.argv[1:] or ["configs/demo_config.conf", "checkpoints/demo.ckpt"]
    if len(arguments) != 2:
        sys.exit("usage: python -m examples.play_checkpoint [RECIPE CHECKPOINT]")
    recipe, checkpoint = arguments
    loaded = load_config(Path(recipe), [])
    agent = load_agent(Path(checkpoint), loaded, torch.device("cpu"), greedy=False)
    with open_environments(agent.config, seed=1) as environments:
        for episode in play_episodes(environments, agent.player, num_episodes=20):
            print(f"score {episode.score:g} in {episode.length} steps")
