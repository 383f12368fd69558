#!/usr/bin/env bash
# gymnasium 1.4.0, Box2D 2.3.10: the flames of LunarLander-v3 grow older with each render(), and with no step.
#
# A picture would be expected to depend on the steps that were taken. Two calls of render() in a row differ, and a
# hundred calls burn all flames out. Where nothing is drawn, none ever dies: the world keeps every particle, though
# render_mode alone was asked for.
# Seen:
#   drawn at each step True: 6 particles after 100 steps
#   drawn at each step False: 100 particles after 100 steps
#   two pictures of one step are equal False
#   drawn a hundred times more: 0 particles
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q gymnasium==1.4.0 box2d==2.3.10 pygame-ce==2.5.8 numpy==2.4.6
cat > "$folder/flames.py" <<'PY'
import gymnasium
import numpy as np


def fire(drawn):
    environment = gymnasium.make("LunarLander-v3", render_mode="rgb_array")
    environment.reset(seed=1)
    for _ in range(100):
        environment.step(2)  # the main engine
        if drawn:
            environment.render()
    return environment


for drawn in (True, False):
    print(f"drawn at each step {drawn}: {len(fire(drawn).unwrapped.particles)} particles after 100 steps")
environment = fire(drawn=True)
first, second = environment.render(), environment.render()
print("two pictures of one step are equal", np.array_equal(first, second))
for _ in range(100):
    environment.render()
print(f"drawn a hundred times more: {len(environment.unwrapped.particles)} particles")
PY
SDL_VIDEODRIVER=dummy "$folder/venv/bin/python" "$folder/flames.py" 2> "$folder/words" | grep -E "drawn|pictures" > "$folder/seen" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
drawn at each step True: 6 particles after 100 steps
drawn at each step False: 100 particles after 100 steps
two pictures of one step are equal False
drawn a hundred times more: 0 particles
SEEN
