#!/usr/bin/env bash
# tensorboard 2.21.0, torch 2.13.0: purge_step of a resumed run cuts curves of the same folder that have another axis.
#
# A run stopped after update 9 and resumed at update 6 cuts its losses from there with purge_step=6, to write them
# anew. Scores lie in the same folder, over env steps, 100 for each update. They would be expected to stay, or to be
# cut from env step 600. Whatever is at 6 or later is gone, so all but the first.
# Seen:
#   before loss [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
#   before score [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]
#   after loss [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
#   after score [0]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 tensorboard==2.21.0 numpy==2.4.6
cat > "$folder/purges.py" <<'PY'
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter


def tell(when):
    events = EventAccumulator(sys.argv[1]).Reload()
    for name in ("loss", "score"):
        print(when, name, [point.step for point in events.Scalars(name)])


with SummaryWriter(sys.argv[1]) as writer:
    for update in range(10):
        writer.add_scalar("loss", 0.0, update)
        writer.add_scalar("score", 0.0, 100 * update)
tell("before")
with SummaryWriter(sys.argv[1], purge_step=6) as writer:
    for update in range(6, 10):
        writer.add_scalar("loss", 0.0, update)
tell("after")
PY
"$folder/venv/bin/python" "$folder/purges.py" "$folder/run" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
before loss [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
before score [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]
after loss [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
after score [0]
SEEN
