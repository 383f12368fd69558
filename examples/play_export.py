"""Play an exported policy from its weights: python -m examples.play_export [FOLDER [ENV_ID]].

`make export` writes the folder. The scores are those of `main.py --eval` on the checkpoint: same
seed, same number of episodes. An EnvID of the form module:id imports that module, so it is named
as well, by whoever trusts it.
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
        player = exported.player(seed=1)
    except ScoutError as error:
        sys.exit(f"error: {error}")
    with open_environments(exported.config, seed=1) as environments:
        for episode in play_episodes(environments, player, num_episodes=20):
            print(f"score {episode.score:g} in {episode.length} steps")
