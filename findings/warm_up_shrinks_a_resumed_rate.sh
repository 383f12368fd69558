#!/usr/bin/env bash
# torch 2.13.0: a LinearLR that is made after the optimiser was loaded scales the rate a second time, for good.
#
# Loading the optimiser, making the scheduler on it and loading that as well would be expected to go on with the rates
# of the run. The constructor multiplies the loaded rate by start_factor; load_state_dict does not put it back, and
# each further step scales what it finds. Made before the optimiser is loaded, all is well.
# Seen:
#   begun [0.2125, 0.325, 0.4375, 0.55, 0.6625, 0.775]
#   goes on [0.8875, 1.0, 1.0, 1.0, 1.0, 1.0]
#   both made, then loaded [0.8875, 1.0, 1.0, 1.0, 1.0, 1.0]
#   one after the other [0.0888, 0.1, 0.1, 0.1, 0.1, 0.1]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cat > "$folder/rates.py" <<'PY'
import copy

import torch


def make_optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)


def make_schedule(optimizer):
    return torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=8)


def rates(optimizer, schedule):
    seen = []
    for _ in range(6):
        optimizer.step()
        schedule.step()
        seen.append(round(optimizer.param_groups[0]["lr"], 4))
    return seen


optimizer = make_optimizer()
schedule = make_schedule(optimizer)
print("begun", rates(optimizer, schedule))
saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
print("goes on", rates(optimizer, schedule))

optimizer = make_optimizer()
schedule = make_schedule(optimizer)
optimizer.load_state_dict(saved[0])
schedule.load_state_dict(saved[1])
print("both made, then loaded", rates(optimizer, schedule))

optimizer = make_optimizer()
optimizer.load_state_dict(saved[0])
schedule = make_schedule(optimizer)
schedule.load_state_dict(saved[1])
print("one after the other", rates(optimizer, schedule))
PY
"$folder/venv/bin/python" "$folder/rates.py" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
begun [0.2125, 0.325, 0.4375, 0.55, 0.6625, 0.775]
goes on [0.8875, 1.0, 1.0, 1.0, 1.0, 1.0]
both made, then loaded [0.8875, 1.0, 1.0, 1.0, 1.0, 1.0]
one after the other [0.0888, 0.1, 0.1, 0.1, 0.1, 0.1]
SEEN
