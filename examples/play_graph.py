"""Play an exported policy's graph: python -m examples.play_graph [FOLDER].

Only your own: torch unpickles what a .pt2 file asks for.
"""

import sys
from pathlib import Path

from training.exporting.reading import load_export, load_program
from training.playing.player import open_environments, play_episodes

if __name__ == "__main__":
    folder = Path(*sys.argv[1:] or ["exports/demo"])
    exported = load_export(folder)
    player = exported.player(seed=1, judge=load_program(folder))
    with open_environments(exported.config, seed=1) as environments:
        for episode in play_episodes(environments, player, num_episodes=20):
            print(f"score {episode.score:g} in {episode.length} steps")
