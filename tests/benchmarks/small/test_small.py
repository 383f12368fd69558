"""Whole runs on small environments: counted with all their processes, told as ratios in turns."""

import sys
from pathlib import Path

import pytest

from benchmarks.small.cleanrl_td3 import layer_sizes
from benchmarks.small.command import (
    CLEANRL,
    HALVED,
    OTHER,
    SCOUT,
    Cost,
    cost_of,
    main,
    parse,
    programs,
    table,
)

BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}], check=True)"


def test_processes_that_a_program_has_waited_for_count() -> None:
    assert cost_of([sys.executable, "-c", PARENT]).cpu >= 0.3


def test_a_program_that_fails_is_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        cost_of([sys.executable, "-c", "print('no such game'); raise SystemExit(3)"])
    assert "no such game" in capsys.readouterr().out


def test_shares_are_taken_turn_by_turn() -> None:
    costs = {SCOUT: [Cost(1, 2), Cost(4, 2)], OTHER: [Cost(2, 2), Cost(5, 2)]}
    last = table("CartPole", costs).splitlines()[-1]
    assert last == f"| {OTHER} | 3.5 [2.0, 5.0] | 2.0 [2.0, 2.0] | 0.65 [0.50, 0.80] |"


def test_the_other_trainer_takes_part_where_it_is_installed(tmp_path: Path) -> None:
    options = parse(["--peers", str(tmp_path / "none")])
    assert set(programs(options, "CartPole", 1)) == {SCOUT}
    options.peers = Path(sys.executable)
    assert set(programs(options, "CartPole", 1)) == {SCOUT, OTHER}
    assert set(programs(options, "demo", 1)) == {SCOUT}
    assert set(programs(options, "TD3", 1)) == {SCOUT, HALVED, OTHER, CLEANRL}


def test_cleanrls_networks_get_the_recipes_sizes() -> None:
    assert [layer_sizes(*own) for own in ((4, 256), (256, 256), (256, 1))] == [
        (4, 400),
        (400, 300),
        (300, 1),
    ]


def test_a_small_run_is_measured_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--tasks", "CartPole", "--env_steps", "256", "--repeats", "1", "--no_log"]
    assert main([*arguments, "--peers", str(Path("none"))]) == 0
    assert f"| {SCOUT} | " in capsys.readouterr().out
