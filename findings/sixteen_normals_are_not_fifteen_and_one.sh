#!/usr/bin/env bash
# torch 2.13.0 on the CPU: from sixteen on, normal numbers of a seed are others than those of a shorter tensor.
#
# Whoever draws one number more would expect the others to stay, as uniform ones do. So the noise of 15 environments
# has nothing in common with that of 16, and two draws of 8 nothing with one draw of 16.
# Seen:
#   uniform 15 [0.5, 0.77, 0.09, 0.13]
#   uniform 16 [0.5, 0.77, 0.09, 0.13]
#   normal 15 [1.54, -0.29, -2.18, 0.57]
#   normal 16 [-1.13, -1.15, -0.25, -0.43]
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cat > "$folder/normals.py" <<'PY'
import torch

for name, draw in (("uniform", torch.rand), ("normal", torch.randn)):
    for size in (15, 16):
        numbers = draw(size, generator=torch.Generator().manual_seed(0))
        print(name, size, [round(number, 2) for number in numbers[:4].tolist()])
PY
"$folder/venv/bin/python" "$folder/normals.py" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
uniform 15 [0.5, 0.77, 0.09, 0.13]
uniform 16 [0.5, 0.77, 0.09, 0.13]
normal 15 [1.54, -0.29, -2.18, 0.57]
normal 16 [-1.13, -1.15, -0.25, -0.43]
SEEN
