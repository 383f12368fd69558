"""Trainers side by side: who takes part, who is left out, and what the table says."""

import itertools
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.peers.command import BASELINE, Contest, chosen_peers, main, parse, table
from benchmarks.peers.scripts import scout
from benchmarks.peers.scripts.sizes import Sizes
from benchmarks.peers.trainers import Peer, known_peers, read_checkout
from benchmarks.peers.watch import Turn
from commands.verbs import build_parser
from configs.errors import ConfigurationError
from configs.loading import load_config
from tests.benchmarks.peers.trainers import SIZES, TRAINER, trainer


def test_the_others_go_on_without_one_that_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peers = {
        "good": trainer(tmp_path, TRAINER),
        "bad": trainer(tmp_path, "raise SystemExit(3)"),
        "absent": Peer("absent", (), packages=("no_such_package",)),
    }
    contest = Contest(peers, SIZES)
    contest.take_turns(1, 30.0, "[1/1]")
    assert list(contest.turns) == ["good"]
    assert contest.left_out == {
        "absent": "not installed: no_such_package (make peers_venv)",
        "bad": "ended with 3",
    }
    assert contest.report().endswith(
        "- absent: not installed: no_such_package (make peers_venv)\n- mine: ended with 3"
    )
    assert "[1/1] mine: " in capsys.readouterr().out


def test_ratios_are_taken_turn_by_turn_and_a_cut_round_counts_as_far_as_it_goes() -> None:
    peers = {"a": Peer("A", ()), "b": Peer("B", ()), "c": Peer("C", ())}
    turns = {
        "a": [Turn(100.0, 10.0, 500.0), Turn(200.0, 20.0, 600.0)],
        "b": [Turn(50.0, 40.0, 2000.4)],
        "c": [],
    }
    assert table(peers, turns).splitlines() == [
        "| | CPU us/step | per core | env steps/s | CPU / A | speed / A | MB |",
        "|---|---|---|---|---|---|---|",
        "| A | 15 [10, 20] | 75,000 [50,000, 100,000] | 150 [100, 200] "
        "| 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] | 600 |",
        "| B | 40 [40, 40] | 25,000 [25,000, 25,000] | 50 [50, 50] "
        "| 4.00 [4.00, 4.00] | 0.50 [0.50, 0.50] | 2,000 |",
    ]


def test_a_checkout_is_described_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    entry = {
        "name": "mine",
        "folder": "src",
        "mark": "step (\\d+)",
        "command": ["python", "train.py", "--envs={num_envs}", "{steps_per_update}", "{'a': 1}"],
        "environment": {"GAME": "Pong"},
    }
    path.write_text(json.dumps(entry))
    watched = read_checkout(path).watched(SIZES)
    assert watched.command == ["python", "train.py", "--envs=10", "100", "{'a': 1}"]
    assert watched.folder == tmp_path / "src"
    assert watched.variables["GAME"] == "Pong"
    assert watched.variables["PYTHONPATH"] == ""
    assert watched.mark.search("at step 7") is not None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"name": "x", "command": []}', "'mark' is missing"),
        ('{"name": "x", "command": [], "mark": "("}', "cannot be read"),
        ('{"nome": "x"}', r"not \['nome'\]"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        read_checkout(path)


def test_every_trainer_has_a_script_that_takes_its_flags() -> None:
    for peer in known_peers(ranks=1).values():
        python, _, module, *flags = peer.watched(SIZES).command
        assert python == sys.executable
        assert find_spec(module) is not None
        assert flags[flags.index("--num_envs") + 1] == "10"
        assert not [flag for flag in flags if "{" in flag]


@pytest.mark.parametrize("bonus", ["RND", "none"])
@pytest.mark.parametrize("precision", ["auto", "float32"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_scout_takes_the_recipe_of_the_paper_with_the_sizes_of_all(
    bonus: str, precision: str, ranks: int
) -> None:
    command = scout.command(Sizes(num_steps=64, processes=2), bonus, precision, ranks)
    options = build_parser().parse_args(command[command.index("--train") :])
    assert options.num_env_per_process == 64 // ranks
    texts = [text for name, text in itertools.pairwise(command) if name == "--set"]
    config = load_config(scout.RECIPE, texts).config
    assert config.intrinsic.kind == bonus
    assert (config.run.precision, config.ppo.rollout_steps) == (precision, 64)
    assert ("torch.distributed.run" in command) == (ranks > 1)


def test_scout_with_rnd_is_always_one() -> None:
    assert list(chosen_peers(parse(["--peers", "sb3"]))) == [BASELINE, "sb3"]
    assert list(chosen_peers(parse([]))) == list(known_peers(1))


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--peers", "sb4"], "sb4: there are scout_rnd, "),
        (["--num_envs", "6"], "must divide"),
        (["--num_envs", "4", "--ranks", "2"], "must divide"),
        (["--checkout", "absent.json"], "absent.json cannot be read"),
    ],
)
def test_nonsense_ends_with_a_message(
    flags: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--no_log"]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--repeats", "0"], ["--patience", "0"], ["--num_steps", "-1"]])
def test_numbers_must_be_above_zero(flags: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flags)


@pytest.mark.slow
def test_scout_takes_its_turn(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--num_envs", "4", "--num_steps", "8", "--processes", "1"]
    flags = ["--peers", BASELINE, "--repeats", "1", "--updates", "1", "--no_log"]
    assert main([*sizes, *flags]) == 0
    printed = capsys.readouterr().out
    assert "[1/1] Scout, RND: " in printed
    assert "| Scout, RND | " in printed
    assert not [path for path in os.listdir() if path == "peer"]
