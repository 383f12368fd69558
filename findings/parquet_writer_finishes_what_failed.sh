#!/usr/bin/env bash
# pyarrow 26.0.1: an exception within the `with` of a ParquetWriter leaves a valid file of what was written before.
#
# A file whose writer failed would be expected to be gone, or to be refused by readers. It gets its footer on the way
# out, and nothing in it says that two of three episodes are missing.
# Seen:
#   raised: the environment fails
#   read: [0, 0]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1 numpy==2.4.6
cat > "$folder/fails.py" <<'PY'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

path = sys.argv[1]
try:
    with pq.ParquetWriter(path, pa.schema({"episode": pa.int64()})) as writer:
        for episode in range(3):
            if episode == 1:
                raise RuntimeError("the environment fails")
            writer.write_table(pa.table({"episode": [episode] * 2}))
except RuntimeError as error:
    print("raised:", error)
print("read:", pq.read_table(path)["episode"].to_pylist())
PY
"$folder/venv/bin/python" "$folder/fails.py" "$folder/episodes.parquet" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
raised: the environment fails
read: [0, 0]
SEEN
