#!/usr/bin/env bash
# gymnasium 1.4.0: NormalizeReward lets go of the return one step before a terminated episode is over, and never at a truncation.
#
# It divides rewards by the spread of the discounted return so far, which would be expected to begin anew with each
# episode: three rewards of 1 and gamma = 0.5 make it 1, 1.5, 1.75, twice. A termination drops what came before
# the last reward instead, and hands that reward on to the next episode. A truncation hands on all of it.
# Seen:
#   terminated [1.0, 1.5, 1.0] [1.5, 1.75, 1.0]
#   truncated [1.0, 1.5, 1.75] [1.875, 1.9375, 1.96875]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q gymnasium==1.4.0 numpy==2.4.6
cat > "$folder/returns.py" <<'PY'
import gymnasium
import numpy as np


class ThreeSteps(gymnasium.Env):
    """Pays 1 at each step and ends with the third one."""

    observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, truncates):
        self.truncates = truncates

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.num_steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.num_steps += 1
        ends = self.num_steps == 3
        return np.zeros(1, np.float32), 1.0, ends and not self.truncates, ends and self.truncates, {}


for name, truncates in (("terminated", False), ("truncated", True)):
    environment = gymnasium.wrappers.NormalizeReward(ThreeSteps(truncates), gamma=0.5)
    episodes = []
    for _ in range(2):
        environment.reset()
        returns = []
        for _ in range(3):
            environment.step(0)
            returns.append(np.asarray(environment.discounted_reward).item())
        episodes.append(returns)
    print(name, *episodes)
PY
"$folder/venv/bin/python" "$folder/returns.py" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
terminated [1.0, 1.5, 1.0] [1.5, 1.75, 1.0]
truncated [1.0, 1.5, 1.75] [1.875, 1.9375, 1.96875]
SEEN
