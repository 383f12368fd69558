#!/usr/bin/env bash
# stable-baselines3 2.9.2: a TD3 that is loaded without its buffer learns from its first step on, from copies of that one.
#
# learning_starts = 100 keeps a new run from learning before it has 100 transitions. A loaded one would be expected to
# wait as long, since its buffer is empty. But what is compared with 100 is the number of steps of the whole run.
# Seen:
#   step 201: a batch of 16, 1 of them distinct
#   critics are unchanged False
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q stable-baselines3==2.9.2 gymnasium==1.4.0 torch==2.13.0 numpy==2.4.6
cat > "$folder/loads.py" <<'PY'
import sys

import gymnasium
import torch
from stable_baselines3 import TD3

path = sys.argv[1]
small = {"learning_starts": 100, "buffer_size": 1000, "batch_size": 16, "policy_kwargs": {"net_arch": [8]}}
model = TD3("MlpPolicy", gymnasium.make("Pendulum-v1"), seed=1, **small)
model.learn(200)
model.save(path)

model = TD3.load(path, env=gymnasium.make("Pendulum-v1"))
before = [weight.clone() for weight in model.critic.parameters()]
draw = model.replay_buffer.sample


def told(*args, **kwargs):
    batch = draw(*args, **kwargs)
    distinct = len(torch.unique(batch.observations, dim=0))
    print(f"step {model.num_timesteps}: a batch of {len(batch.actions)}, {distinct} of them distinct")
    return batch


model.replay_buffer.sample = told
model.learn(1, reset_num_timesteps=False)
same = all(torch.equal(old, new) for old, new in zip(before, model.critic.parameters()))
print("critics are unchanged", same)
PY
"$folder/venv/bin/python" "$folder/loads.py" "$folder/td3.zip" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
step 201: a batch of 16, 1 of them distinct
critics are unchanged False
SEEN
