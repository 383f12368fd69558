#!/usr/bin/env bash
# torch 2.13.0: a generator kept in the dataset gives all workers of a DataLoader the same numbers, in each epoch.
#
# torch's and numpy's own streams differ from worker to worker. A numpy Generator in the dataset would be expected to be
# no worse than without workers, where it goes on. Each worker has a copy of it as it was, made anew for each epoch, so
# that two samples are augmented alike, and alike again in the next epoch.
# Seen:
#   0 workers, epoch 1: [47, 51, 75, 95]
#   0 workers, epoch 2: [3, 14, 82, 94]
#   2 workers, epoch 1: [47, 47, 51, 51]
#   2 workers, epoch 2: [47, 47, 51, 51]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cat > "$folder/loads.py" <<'PY'
import numpy as np
from torch.utils.data import DataLoader, Dataset


class Augmented(Dataset):
    """Four samples: what is drawn for each."""

    def __init__(self):
        self.generator = np.random.default_rng(1)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return int(self.generator.integers(100))


if __name__ == "__main__":
    for num_workers in (0, 2):
        loader = DataLoader(Augmented(), batch_size=1, num_workers=num_workers)
        for epoch in (1, 2):
            print(f"{num_workers} workers, epoch {epoch}: {[int(number) for number in loader]}")
PY
"$folder/venv/bin/python" "$folder/loads.py" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
0 workers, epoch 1: [47, 51, 75, 95]
0 workers, epoch 2: [3, 14, 82, 94]
2 workers, epoch 1: [47, 47, 51, 51]
2 workers, epoch 2: [47, 47, 51, 51]
SEEN
