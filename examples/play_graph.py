"""Play an exported policy's graph: python -m examples.play_graph [FOLDER [ENV_ID]].

Only your own: torch unpickles what a .pt2 file asks for. ENV_ID is that of play_export.
"""

import sys
from pathlib import Path

from configs.errors import ScoutError
from training.exporting.reading import load_export
from training.playing.player import open_environments, play_episodes

if __name__ == "__main__":
    arguments = sys.argv[1:] or ["exports/demo"]
    folder = Path(arguments[0])
    trusted = arguments[1] if len(arguments) > 1 else None
    if not folder.is_dir():
        sys.exit(f"error: {folder}: there is no such folder; make export writes one")
    try:
        exported = load_export(folder, trusted_env_id=trusted)
    except ScoutError as error:
        sys.exit(f"error: {error}")
    player = exported.graph_player(seed=1)
    with open_environments(exported.config, seed=1) as environments:
        for episode in play_episodes(environments, player, num_episodes=20):
            print(f"score {episode.score:g} in {episode.length} steps")
