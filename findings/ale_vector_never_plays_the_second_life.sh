#!/usr/bin/env bash
# ale-py 0.12.1: AtariVectorEnv with episodic_life begins a new game after each lost life.
#
# Where a lost life ends an episode, the next one would be expected to go on in the same game with the lives that are
# left, so that all of the game is seen in training. Here each episode has the first life of a game of its own.
# Seen:
#   episode 0: begins with 5 lives and frame 1, ends with 4 lives left
#   episode 1: begins with 5 lives and frame 1, ends with 4 lives left
#   episode 2: begins with 5 lives and frame 1, ends with 4 lives left
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ale-py==0.12.1 gymnasium==1.4.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cat > "$folder/lives.py" <<'PY'
import numpy as np
from ale_py.vector_env import AtariVectorEnv

games = AtariVectorEnv("breakout", num_envs=1, episodic_life=True, noop_max=0)
_, info = games.reset(seed=1)
for episode in range(3):
    begins = f"{info['lives'][0]} lives and frame {info['episode_frame_number'][0]}"
    ended = False
    while not ended:
        _, _, terminated, truncated, info = games.step(np.zeros(1, np.int64))
        ended = terminated[0] or truncated[0]
    print(f"episode {episode}: begins with {begins}, ends with {info['lives'][0]} lives left")
    *_, info = games.step(np.zeros(1, np.int64))  # resets it
PY
"$folder/venv/bin/python" "$folder/lives.py" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
episode 0: begins with 5 lives and frame 1, ends with 4 lives left
episode 1: begins with 5 lives and frame 1, ends with 4 lives left
episode 2: begins with 5 lives and frame 1, ends with 4 lives left
SEEN
