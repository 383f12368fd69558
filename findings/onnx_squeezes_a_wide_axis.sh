#!/usr/bin/env bash
# torch 2.13.0 with onnxscript 0.7.2: torch.onnx.export writes a Squeeze where torch squeezes nothing.
#
# squeeze(dim) leaves an axis as it is that is longer than 1, so a network may squeeze its values whether there is one
# or two of them. It is exported without a word, as a Squeeze of that axis, which ONNX allows for an axis of 1 alone:
# the checker passes the file, and onnxruntime refuses to load it.
# Seen:
#   torch gives [3, 2]
#   the graph has 1 Squeeze
#   checked
#   onnxruntime: Dimension of input 1 must be 1 instead of 2
# Ends with 0 while that holds, with 1 where it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/squeeze.py" <<'PY'
import logging
import re
import warnings

import onnx
import onnxruntime
import torch
from torch import nn

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


class Values(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, features):
        return self.linear(features).squeeze(-1)


values, features = Values().eval(), torch.zeros(3, 4)
print("torch gives", list(values(features).shape))
model = torch.onnx.export(values, (features,), dynamo=True, verbose=False).model_proto
print("the graph has", sum(node.op_type == "Squeeze" for node in model.graph.node), "Squeeze")
onnx.checker.check_model(model)
print("checked")
try:
    onnxruntime.InferenceSession(model.SerializeToString())
except Exception as error:
    print("onnxruntime:", re.search("Dimension.*", str(error)).group())
PY
"$folder/venv/bin/python" "$folder/squeeze.py" > "$folder/seen" 2> "$folder/words" || cat "$folder/words"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
torch gives [3, 2]
the graph has 1 Squeeze
checked
onnxruntime: Dimension of input 1 must be 1 instead of 2
SEEN
