"""A command brings the packages that it needs and no others: a start is what a reader waits for."""

import subprocess
import sys

import pytest

from tests.runs import MAIN

HEAVY = {"cma", "matplotlib", "onnx", "pandas", "scipy", "torch._dynamo"}
SCRIPT = """
import sys
import main
code = main.main(sys.argv[2:])
assert code == 3, code
print(sorted(set(sys.argv[1].split()) & set(sys.modules)))
"""


@pytest.mark.parametrize("verb", ["--eval", "--export"])
def test_a_checkpoint_is_read_without_what_only_others_need(verb: str) -> None:
    arguments = [verb, "--load_model_path=missing.ckpt"]
    if verb == "--eval":
        arguments.append("--config_path=configs/CartPole/config_ppo00.conf")
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, " ".join(HEAVY), *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=MAIN.parent,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"
