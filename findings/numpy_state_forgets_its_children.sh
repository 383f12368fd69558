#!/usr/bin/env bash
# numpy 2.4.6: the state of a bit generator does not hold how many children its generator has spawned.
#
# A generator that gets the state of another one back would be expected to go on as that does. Its numbers do. But
# the next stream that it spawns, for one more worker say, is the first one's over again. A pickle keeps the count.
# Seen:
#   its own numbers equal True
#   first child [305 797 203]
#   third child, kept [396 632 785]
#   third child, pickled [396 632 785]
#   third child, restored [305 797 203]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6
cat > "$folder/children.py" <<'PY'
import pickle

import numpy as np

kept = np.random.default_rng(7)
first_child = kept.spawn(2)[0]
pickled = pickle.loads(pickle.dumps(kept))
restored = np.random.default_rng(7)
restored.bit_generator.state = kept.bit_generator.state

print("its own numbers equal", np.array_equal(kept.integers(1000, size=3), restored.integers(1000, size=3)))
print("first child", first_child.integers(1000, size=3))
for name, generator in (("kept", kept), ("pickled", pickled), ("restored", restored)):
    print(f"third child, {name}", generator.spawn(1)[0].integers(1000, size=3))
PY
"$folder/venv/bin/python" "$folder/children.py" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
its own numbers equal True
first child [305 797 203]
third child, kept [396 632 785]
third child, pickled [396 632 785]
third child, restored [305 797 203]
SEEN
