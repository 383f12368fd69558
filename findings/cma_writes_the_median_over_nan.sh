#!/usr/bin/env bash
# cma 4.5.0: a fitness of NaN counts as the median of the others, and is written over in the caller's own list.
#
# A candidate whose evaluation failed would be expected last, or refused. It is placed in the middle of the
# ranking instead, and the list that was handed in no longer tells which one failed.
# Seen:
#   handed in [3.0, nan, 1.0, 5.0, 2.0, 4.0, 6.0, 7.0]
#   afterwards [3.0, 4.0, 1.0, 5.0, 2.0, 4.0, 6.0, 7.0]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q cma==4.5.0 numpy==2.4.6
cat > "$folder/tell.py" <<'PY'
import math
import warnings

import cma

warnings.simplefilter("ignore")
strategy = cma.CMAEvolutionStrategy([0.0] * 4, 1.0, {"popsize": 8, "seed": 1, "verbose": -9})
candidates = strategy.ask()
fitness = [3.0, math.nan, 1.0, 5.0, 2.0, 4.0, 6.0, 7.0]
print("handed in", fitness)
strategy.tell(candidates, fitness)
print("afterwards", [float(value) for value in fitness])
PY
"$folder/venv/bin/python" "$folder/tell.py" > "$folder/seen" 2> "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
handed in [3.0, nan, 1.0, 5.0, 2.0, 4.0, 6.0, 7.0]
afterwards [3.0, 4.0, 1.0, 5.0, 2.0, 4.0, 6.0, 7.0]
SEEN
