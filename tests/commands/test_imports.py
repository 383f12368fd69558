"""Nothing heavy is imported before a verb needs it; each case is an interpreter of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.test_floors import ROOT

MAIN = ROOT / "main.py"
HEAVY = ("torch", "pydantic", "numpy", "cv2", "gymnasium", "configs", "training", "agents")


def loaded_after(statements: str, folder: Path) -> tuple[str, list[str]]:
    """Return what a program prints last, the heavy packages it holds, and all before it."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import main\n{statements}\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr, done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize("name", ["main", "__mp_main__"])  # the latter is what a worker runs
def test_the_top_levels_hold_nothing_heavy(name: str, tmp_path: Path) -> None:
    ran = f"import runpy; runpy.run_path({str(MAIN)!r}, run_name={name!r})"
    assert loaded_after(ran, tmp_path)[1] == []


@pytest.mark.parametrize("arguments", [["-h"], ["--train", "-h"], ["--report", "-h"]])
def test_help_needs_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    ask = f"try: main.main({arguments!r})\nexcept SystemExit as end: assert end.code == 0"
    assert loaded_after(ask, tmp_path)[1] == []


def test_the_list_of_keys_needs_no_torch(tmp_path: Path) -> None:
    _, heavy = loaded_after("assert main.main(['--config_options']) == 0", tmp_path)
    assert "torch" not in heavy
    assert "pydantic" in heavy


def test_a_report_needs_no_torch(tmp_path: Path) -> None:
    said, heavy = loaded_after("assert main.main(['--report', 'nobody']) == 2", tmp_path)
    assert "nobody" in said
    assert "torch" not in heavy


@pytest.mark.parametrize("action", ["verify", "repair", "inspect"])
def test_datasets_need_no_torch(action: str, tmp_path: Path) -> None:
    said, heavy = loaded_after(f"assert main.main(['--data', {action!r}, 'nix']) == 2", tmp_path)
    assert "nix" in said
    assert "torch" not in heavy


@pytest.mark.parametrize(
    ("verb", "needed"),
    [
        ("--train", ()),
        ("--eval", ()),
        ("--export", ()),
        ("--train_encoder", ("--dataset=D", "--model_dir=E", "--model=vae")),
        ("--encode", ("--dataset=D", "--model=E", "--out_dir=Z")),
    ],
)
def test_a_recipe_that_is_refused_needs_no_torch(
    verb: str, needed: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = [verb, "--config_path=missing.conf", "--load_model_path=x.ckpt", *needed]
    said, heavy = loaded_after(f"assert main.main({arguments!r}) == 2", tmp_path)
    assert "missing.conf" in said
    assert "torch" not in heavy
