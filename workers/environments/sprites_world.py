"""The twelve ids of sprites, with Gymnasium: importing this module registers them.

    gymnasium.make("workers.environments.sprites_world:Sprites-v0")

The module keeps its place, since the guide and exported policies name it.
"""

import gymnasium

from workers.environments.sprites.world import EPISODE_STEPS, SPRITES_IDS, Sprites

for env_id, arguments in SPRITES_IDS.items():
    if env_id not in gymnasium.registry:
        gymnasium.register(
            id=env_id,
            entry_point=f"{Sprites.__module__}:{Sprites.__name__}",
            kwargs=arguments,
            max_episode_steps=EPISODE_STEPS,
        )
