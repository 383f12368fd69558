#!/usr/bin/env bash
# gymnasium 1.4.0, Box2D 2.3.10: copy.deepcopy of a CarRacing-v3 that is being driven succeeds, and copies nothing of it.
#
# A snapshot by deepcopy would be expected to hold the track and the car, or to raise. The copy is built from
# the constructor's arguments: it has neither, and stepping it is an error until it is reset to another start.
# Seen:
#   driven: car True, tiles passed True
#   copied: car False, tiles passed False
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q gymnasium==1.4.0 box2d==2.3.10 pygame-ce==2.5.8 numpy==2.4.6
cat > "$folder/copies.py" <<'PY'
import copy

import gymnasium
import numpy as np

driven = gymnasium.make("CarRacing-v3")
driven.reset(seed=1)
for _ in range(60):
    driven.step(np.array([0.0, 1.0, 0.0], np.float32))
for name, environment in (("driven", driven), ("copied", copy.deepcopy(driven))):
    world = environment.unwrapped
    passed = getattr(world, "tile_visited_count", 0) > 0
    print(f"{name}: car {world.car is not None}, tiles passed {passed}")
PY
SDL_VIDEODRIVER=dummy "$folder/venv/bin/python" "$folder/copies.py" 2> "$folder/words" | grep ": car" > "$folder/seen" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
driven: car True, tiles passed True
copied: car False, tiles passed False
SEEN
