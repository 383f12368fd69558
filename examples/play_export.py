"""Play an exported policy from weights and configuration: python -m examples.play_export [FOLDER].

`make export` writes the folder. The scores are those of `main.py --eval` on the checkpoint: same
seed, same number of episodes.
"""

import sys
from pathlib import Path

from training.exporting.reading import load_export
from training.playing.player import open_environments, play_episodes

if __name__ == "__main__":
    exported = load_export(Path(*sys.argv[1:] or ["exports/demo"]))
    with open_environments(exported.config, seed=1) as environments:
        for episode in play_episodes(environments, exported.player(seed=1), num_episodes=20):
            print(f"score {episode.score:g} in {episode.length} steps")
