"""What cannot be collected is refused: one line that says why, and the exit code."""

import os
import resource
import stat
from pathlib import Path

import pytest

import main
from tests.runs import CARTPOLE, run_here, write_recipe
from tests.training.collecting.sets import IN_RANK, NOISE, PROBES, collect, episodes_of, numbers_of
from training.collecting.claims import Asked, claim
from trajectories.document import dump_document

pytestmark = pytest.mark.timeout(300)

Captured = pytest.CaptureFixture[str]
CART = ("--environment", "CartPole-v1", "--num_rollouts", "2")


def said(capsys: Captured) -> str:
    """Return the last line on standard error, and hold that no traceback is in either stream."""
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out
    return captured.err.rstrip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--environment", "NoSuch-v0"), "--environment NoSuch-v0: unknown environment"),
        (("--environment", "CartPol-v1"), "did you mean CartPole-v1?"),
        (("--environment", "CART_POLL"), "did you mean CartPole-v1?"),
        (("--environment", "XYZZY_QQQ"), "give it as Gymnasium's id"),
        (("--environment", "CartPole-v1", "--policy", "greed"), "there is no such policy"),
        (("--environment", "CartPole-v1", "--policy", "brownian"), "needs continuous actions"),
        (("--environment", "CartPole-v1", "--policy", "nowhere:P"), "cannot be loaded (ModuleNot"),
        (
            ("--environment", "CartPole-v1", "--policy", f"{PROBES}:Nobody"),
            "cannot be loaded (Attr",
        ),
        (("--environment", "CartPole-v1", "--background", "median"), "needs frames, and CartPole"),
        (
            ("--environment", "CartPole-v1", "--observation_size", "48"),
            "CartPole-v1 shows a vector",
        ),
        (
            (*NOISE, *IN_RANK, "--policy", f"{PROBES}:Raises"),
            "Raises raised when it was asked for an action: ZeroDivisionError: no such luck",
        ),
        ((*NOISE, *IN_RANK, "--policy", f"{PROBES}:Wrong"), "takes a whole number from 0 to 2"),
        ((*NOISE, *IN_RANK, "--policy", "os:getcwd"), "cannot be called with an observation"),
        (
            ("--environment", f"{PROBES}:Endless-v0", "--set", "ObservationType=pixels", *IN_RANK),
            "have no limit: give --max_steps",
        ),
        (("--environment", f"{PROBES}:Dictionaries-v0", *IN_RANK), "Dict"),
    ],
)
def test_what_cannot_be_collected_is_refused_in_one_line(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: Captured
) -> None:
    folder = collect(tmp_path, *arguments, "--num_rollouts", "2", code=2)
    assert words in said(capsys)
    # Nothing was begun: the same directory takes another command.
    claims = folder / "claims"
    assert not claims.exists() or list(claims.iterdir()) == [] or "Raises" in " ".join(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--num_rollouts", "0"),
        ("--num_rollouts", "-3"),
        ("--num_rollouts", "many"),
        ("--parallelism", "0"),
        ("--max_steps", "0"),
        ("--instance", "1"),
        ("--instance", "3", "--num_instances", "3"),
        ("--background", "mean"),
        ("--out_name", "a b"),
        ("--out_name", "../a"),
        ("--out_name", "a" * 99),
        ("--resume", "--overwrite"),
    ],
)
def test_flags_that_mean_nothing_are_refused(
    arguments: tuple[str, ...], tmp_path: Path, capsys: Captured
) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["--collect", *CART, "--out_dir", str(tmp_path / "set"), *arguments])
    assert caught.value.code == 2
    assert said(capsys).startswith("main.py: ")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("missing", ["--num_rollouts", "--out_dir"])
def test_what_is_needed_is_asked_for(missing: str, tmp_path: Path, capsys: Captured) -> None:
    given = {"--num_rollouts": "2", "--out_dir": str(tmp_path)}
    words = [word for flag, value in given.items() if flag != missing for word in (flag, value)]
    with pytest.raises(SystemExit):
        main.main(["--collect", "--environment", "CartPole-v1", *words])
    assert "--collect needs --num_rollouts and --out_dir" in said(capsys)


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        (("--environment", "Acrobot-v1"), "EnvID"),
        (("--max_steps", "7"), "MaxStepPerEpisode"),
        (("--policy", f"{PROBES}:AlwaysOne"), "policy"),
    ],
)
def test_two_configurations_into_one_directory_are_refused(
    changed: tuple[str, ...], key: str, tmp_path: Path, capsys: Captured
) -> None:
    folder = collect(tmp_path, *CART)
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    collect(tmp_path, *CART, *changed, code=2)
    assert "holds a dataset that differs in" in (last := said(capsys))
    assert key in last
    collect(tmp_path, *CART, *changed, "--resume", code=2)  # though all numbers are there
    assert key in said(capsys)
    assert {path: path.read_bytes() for path in folder.glob("*.*")} == before


def test_a_lost_shard_is_no_episode_that_is_there(tmp_path: Path, capsys: Captured) -> None:
    folder = collect(tmp_path, *CART)
    wanted = episodes_of(folder)
    next(folder.glob("*.parquet")).unlink()
    collect(tmp_path, *CART, "--resume", code=8)
    assert "is missing or cut" in said(capsys)
    assert run_here(tmp_path, "--data", "repair", str(folder)) == 0
    collect(tmp_path, *CART, "--resume")
    assert episodes_of(folder) == wanted


def test_a_foreign_and_a_newer_manifest_are_refused_and_left_alone(
    tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    manifest = folder / "manifest.json"
    newer = dump_document({}).replace(b'"format": 1', b'"format": 99')
    for content, words in ((b"{}", "manifest.json"), (newer, "newer")):
        manifest.write_bytes(content)
        collect(tmp_path, *CART, code=8)
        assert words in said(capsys)
        assert manifest.read_bytes() == content


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path, capsys: Captured) -> None:
    parent = tmp_path / "set"
    parent.mkdir()
    (parent / "claims").write_text("")
    collect(tmp_path, *CART, code=7)
    assert "cannot write" in said(capsys)


def test_a_disk_that_is_full_costs_the_open_shard_alone(tmp_path: Path, capsys: Captured) -> None:
    arguments = (*NOISE, *IN_RANK, "--num_rollouts", "200", "--shard_size", "1")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    collect(tmp_path, *NOISE, *IN_RANK, "--num_rollouts", "20")
    before = episodes_of(tmp_path / "set")
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limit[1]))  # a write beyond it fails
    try:
        collect(tmp_path, *arguments, code=7)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    message = said(capsys)
    assert "cannot write" in message
    assert "the same command with --resume collects the rest" in message
    assert episodes_of(tmp_path / "set") == before
    collect(tmp_path, *arguments, "--resume")
    assert numbers_of(tmp_path / "set") == list(range(200))


def test_a_share_that_is_claimed_otherwise_is_refused(tmp_path: Path, capsys: Captured) -> None:
    folder = collect(tmp_path, *CART)
    (folder / "claims" / "1-2-9").write_text("")  # of a collection that was killed
    instance = ("--num_instances", "2", "--instance", "1", "--num_rollouts", "8")
    collect(tmp_path, "--environment", "CartPole-v1", *instance, code=2)
    assert "there or claimed" in said(capsys)
    collect(tmp_path, "--environment", "CartPole-v1", *instance, "--resume", code=2)
    assert "are claimed as 2 to 8" in said(capsys)
    collect(tmp_path, *CART, "--resume")
    assert numbers_of(folder) == list(range(9))


def test_resuming_beside_a_collection_that_runs_says_that_nothing_is_left_for_it(
    tmp_path: Path, capsys: Captured
) -> None:
    with claim(tmp_path / "set", 1, Asked(20)):
        collect(tmp_path, "--environment", "CartPole-v1", "--num_rollouts", "20", "--resume")
    told = " ".join(capsys.readouterr().out.split())
    assert "set is left for this process to collect; episodes 0 to 19 are another process's" in told
    assert "all 0 episodes" not in told


def test_a_new_command_says_what_was_begun_and_leaves_it(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "set" / "claims").mkdir(parents=True)
    (tmp_path / "set" / "claims" / "1-0-3").write_text("")  # of a collection that was killed
    folder = collect(tmp_path, *CART)
    assert "episodes 0 to 2 are claimed" in capsys.readouterr().out
    assert numbers_of(folder) == [3, 4]


def test_resuming_with_a_smaller_number_says_that_all_that_was_begun_is_completed(
    tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "set" / "claims").mkdir(parents=True)
    (tmp_path / "set" / "claims" / "1-0-5").write_text("")
    folder = collect(tmp_path, *CART, "--num_rollouts=2", "--resume")
    told = " ".join(capsys.readouterr().out.split())
    assert "--num_rollouts=2 is less than was begun: 3 further episodes are completed too" in told
    assert numbers_of(folder) == list(range(5))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_said(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set").chmod(stat.S_IRUSR | stat.S_IXUSR)
    collect(tmp_path, *CART, code=7)
    assert "cannot write" in said(capsys)


def test_a_checkpoint_collects_in_its_own_environment_and_no_other(
    tmp_path: Path, capsys: Captured
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=32)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--log_name=demo") == 0
    policy = ("--policy", str(tmp_path / "checkpoints" / "demo.ckpt"), "--num_rollouts", "3")
    sets = []
    for parallelism in ("1", "3"):
        (tmp_path / parallelism).mkdir()
        folder = collect(tmp_path / parallelism, *policy, "--parallelism", parallelism)
        sets.append(episodes_of(folder))
    assert sets[0] == sets[1]
    collect(tmp_path, *policy, "--environment", "Acrobot-v1", code=3)
    assert "Acrobot-v1" in capsys.readouterr().err
    (tmp_path / "torn.ckpt").write_bytes(b"torn")
    collect(tmp_path, *CART, "--policy", str(tmp_path / "torn.ckpt"), code=3)
    assert "torn.ckpt" in said(capsys)
