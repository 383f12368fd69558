#!/usr/bin/env bash
# pyarrow 26.0.1: a filter on a Parquet file leaves out rows of NaN that the same filter finds in the table.
#
# NaN differs from 1, is not at most 1, and is NaN, so all three filters should find the one bad reward. Of a file, the
# row group is passed over by its statistics, which do not count NaN: all rewards in it seem to be 1.
# Seen:
#   is not 1: steps [2] of the table, [] of the file
#   not at most 1: steps [2] of the table, [] of the file
#   is NaN: steps [2] of the table, [] of the file
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1 numpy==2.4.6
cat > "$folder/filters.py" <<'PY'
import math
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

path = sys.argv[1]
table = pa.table({"step": [0, 1, 2], "reward": [1.0, 1.0, math.nan]})
pq.write_table(table, path)
reward = pc.field("reward")
for name, wanted in (("is not 1", reward != 1.0), ("not at most 1", ~(reward <= 1.0)), ("is NaN", pc.is_nan(reward))):
    in_memory = table.filter(wanted)["step"].to_pylist()
    of_the_file = pq.read_table(path, filters=wanted)["step"].to_pylist()
    print(f"{name}: steps {in_memory} of the table, {of_the_file} of the file")
PY
"$folder/venv/bin/python" "$folder/filters.py" "$folder/rewards.parquet" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
is not 1: steps [2] of the table, [] of the file
not at most 1: steps [2] of the table, [] of the file
is NaN: steps [2] of the table, [] of the file
SEEN
