"""The comparison of pools: who takes part, who is left out and why, and what the table says."""

import pytest

from benchmarks.gymnasium_games import section_of
from benchmarks.pool.arena import Outcome, Turn
from benchmarks.pool.candidates import FLOOR, POOL, Candidate, candidates, chosen
from benchmarks.pool.command import main, parse, table

ATARI, CART = section_of("PongNoFrameskip-v4"), section_of("CartPole-v1")


def unbuilt(**more: object) -> Candidate:
    """A candidate that may be asked but not started."""
    settings = {"name": "x", "build": pytest.fail, "megabytes": 1.0} | more
    return Candidate(**settings)  # type: ignore[arg-type]


def test_ratios_are_taken_turn_by_turn() -> None:
    turns = {
        FLOOR: [Turn(100.0, 10.0), Turn(200.0, 20.0)],
        POOL: [Turn(50.0, 20.0), Turn(200.0, 20.0)],
    }
    outcome = Outcome(turns, {FLOOR: 1.5, POOL: 2.0}, {"envpool": "no module"})
    assert table(outcome).splitlines()[2:] == [
        f"| {FLOOR} | 150 [100, 200] | 15.0 [10.0, 20.0] | 75,000 [50,000, 100,000] "
        "| 1.000 [1.000, 1.000] | 1.000 [1.000, 1.000] | 0.75 [0.50, 1.00] | 1.50 |",
        f"| {POOL} | 125 [50, 200] | 20.0 [20.0, 20.0] | 50,000 [50,000, 50,000] "
        "| 0.750 [0.500, 1.000] | 1.500 [1.000, 2.000] | 1.00 [1.00, 1.00] | 2.00 |",
        "",
        "Left out:",
        "- envpool: no module",
    ]


def test_cartpole_is_measured_and_printed(capfd: pytest.CaptureFixture[str]) -> None:
    sizes = ["--num_envs", "2", "--num_processes", "1", "--steps", "20", "--repeats", "1"]
    words = ["--contenders", "1 group", "AtariVectorEnv"]
    assert main(["--env", "CartPole-v1", *sizes, *words, "--no_log"]) == 0
    printed = capfd.readouterr().out
    assert "CartPole-v1, 2 environments" in printed
    rows = [line for line in printed.splitlines() if line.startswith("| ")][1:]
    assert [row.split("|")[1].strip() for row in rows] == [FLOOR, "pool, 1 group"]
    for row in rows:
        speed, *_, megabytes = row.split("|")[2:-1]
        assert float(speed.split()[0].replace(",", "")) > 0
        assert float(megabytes) > 0
    assert "- ale_py AtariVectorEnv: it has Atari games only" in printed


def test_what_is_not_installed_is_named_with_the_command_that_installs_it() -> None:
    reason = unbuilt(package="no_such_package").obstacle(CART, 1)
    assert reason == "No module named 'no_such_package' (make peers_venv)"


def test_what_has_atari_only_takes_no_part_elsewhere() -> None:
    candidate = unbuilt(atari_only=True)
    assert candidate.obstacle(CART, 1) == "it has Atari games only"
    assert candidate.obstacle(ATARI, 1) is None


def test_what_does_not_fit_into_memory_is_left_out() -> None:
    reason = unbuilt(megabytes=1e6).obstacle(CART, 512)
    assert reason is not None
    assert reason.startswith("it would take 512,000.0 GB and ")


def test_parts_of_names_choose_and_the_floor_is_always_there() -> None:
    everyone = candidates(ATARI, 4, 1)
    names = [candidate.name for candidate in everyone]
    assert [candidate.name for candidate in chosen(everyone, [])] == names
    some = [candidate.name for candidate in chosen(everyone, ["Pool"])]
    ours = ["pool, 1 group", POOL, "pool, in this process", "pool, ale_vector"]
    assert some == [FLOOR, *ours, "envpool"]


def test_those_that_fork_are_started_before_any_thread_or_pipe_is_there() -> None:
    names = [candidate.name for candidate in candidates(ATARI, 4, 1)]
    forking = [names.index(name) for name in names if name.startswith("gymnasium")]
    assert max(forking) < names.index("stable-baselines3 SubprocVecEnv") < names.index(FLOOR)


@pytest.mark.parametrize("flags", [["--num_envs", "0"], ["--repeats", "0"], ["--steps", "-1"]])
def test_nonsense_is_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flags)
