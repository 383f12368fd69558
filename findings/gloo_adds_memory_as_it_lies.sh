#!/usr/bin/env bash
# torch 2.13.0, gloo: all_reduce adds up the memory of a tensor as it lies, whatever its strides say.
#
# Two ranks hold equal matrices [[0, 1, 2], [3, 4, 5]], one row by row, the other column by column.
# Their sum should be twice the matrix on both. Neither rank gets it, and nothing is raised.
# Seen:
#   rank 0 [[0.0, 4.0, 3.0], [7.0, 6.0, 10.0]]
#   rank 1 [[0.0, 3.0, 6.0], [4.0, 7.0, 10.0]]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cat > "$folder/sums.py" <<'PY'
import sys

import torch
import torch.distributed as dist

rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
values = torch.arange(6.0).reshape(2, 3)
if rank == 1:
    values = values.t().contiguous().t()  # the same numbers, column by column
dist.all_reduce(values)
print(f"rank {rank} {values.tolist()}", flush=True)
dist.destroy_process_group()
PY
"$folder/venv/bin/python" "$folder/sums.py" 1 "$folder/store" > "$folder/one" &
"$folder/venv/bin/python" "$folder/sums.py" 0 "$folder/store" > "$folder/zero"
wait
cat "$folder/zero" "$folder/one"
diff - <(cat "$folder/zero" "$folder/one") <<'SEEN'
rank 0 [[0.0, 4.0, 3.0], [7.0, 6.0, 10.0]]
rank 1 [[0.0, 3.0, 6.0], [4.0, 7.0, 10.0]]
SEEN
