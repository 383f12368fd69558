"""A run that was interrupted and continued is the run that was not, to the last bit."""

import os
import re
import resource
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from configs.errors import STOPPED_EXIT_CODE
from tests.halves import (
    COMPONENTS,
    ENVIRONMENTS,
    HALF,
    NAME,
    UPDATES,
    CalmRun,
    assert_equal_runs,
    halfway,
    launch,
    run_calmly,
)
from tests.records import checkpoint_path, differences, figures, read_status, run_path, state_of
from tests.runs import CARTPOLE, PONG, run_here, run_main, write_recipe
from training.building import displays, precision
from training.checkpoints.storage import load_payload
from training.figures.coverage import Coverage
from training.reports.record import read_record

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    return run_calmly(tmp_path_factory.mktemp("cartpole"), CARTPOLE)


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    return run_calmly(tmp_path_factory.mktemp("pong"), PONG)


@pytest.fixture(params=["cartpole", "pong"])
def calm(request: pytest.FixtureRequest) -> CalmRun:
    run: CalmRun = request.getfixturevalue(request.param)
    return run


def test_the_same_command_gives_the_same_run(cartpole: CalmRun, tmp_path: Path) -> None:
    assert_equal_runs(cartpole, run_calmly(tmp_path, CARTPOLE).folder)


def test_another_seed_gives_another_run(cartpole: CalmRun, tmp_path: Path) -> None:
    launch(tmp_path, None, f"--config_path={cartpole.recipe}", "--seed=2")
    found = differences(state_of(cartpole.end), state_of(checkpoint_path(tmp_path, NAME)))
    assert any(place.startswith(".learner.policy") for place in found)


def test_a_run_resumed_from_its_halfway_checkpoint_equals_the_calm_run(
    calm: CalmRun, tmp_path: Path
) -> None:
    halfway(calm, tmp_path)
    launch(tmp_path, None, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path)


def test_two_halves_equal_the_calm_run(
    calm: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = calm.total // 2
    launch(tmp_path, None, f"--config_path={calm.recipe}", f"--max_env_steps={steps}")
    assert load_payload(checkpoint_path(tmp_path, NAME))["updates"] == HALF
    launch(tmp_path, None, f"--config_path={calm.recipe}", "--resume")
    assert f"continued at {steps:,} env steps" in capsys.readouterr().out
    assert_equal_runs(calm, tmp_path)


def test_rows_of_a_killed_run_that_had_saved_at_0_env_steps_are_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = run_calmly(tmp_path / "calm", CARTPOLE.replace("Reward = RND", "Reward = none"))
    folder, asked = tmp_path / "stopped", displays.EachStep.__call__
    folder.mkdir()

    def stopped(each_step: displays.EachStep) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return asked(each_step)

    command = ("--train", f"--log_name={NAME}", f"--config_path={calm.recipe}")
    with monkeypatch.context() as patched:
        patched.setattr(displays.EachStep, "__call__", stopped)
        assert run_here(folder, *command) == STOPPED_EXIT_CODE
    path = checkpoint_path(folder, NAME)
    at_0 = path.read_bytes()
    assert load_payload(path)["env_steps"] == 0
    for _ in range(2):
        path.write_bytes(at_0)  # as a kill before the next save leaves it
        launch(folder, None, *command[2:], "--resume")
    assert_equal_runs(calm, folder)
    curves = EventAccumulator(str(folder / "logs/tb_logs" / NAME))
    curves.Reload()
    steps = [point.step for point in curves.Scalars("losses/policy")]
    assert steps == [row["env_steps"] for row in figures(calm.folder, NAME)]


WORKERS = "--num_workers=1"


@pytest.mark.parametrize(
    ("first", "second"), [((WORKERS,), ()), ((), (WORKERS,))], ids=["workers first", "rank first"]
)
def test_halves_whose_environments_step_in_workers_and_in_the_rank_equal_the_calm_run(
    first: tuple[str, ...],
    second: tuple[str, ...],
    cartpole: CalmRun,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = f"--config_path={cartpole.recipe}"
    launch(tmp_path, None, command, f"--max_env_steps={cartpole.total // 2}", *first)
    launch(tmp_path, None, command, "--resume", *second)
    told = capsys.readouterr().out
    assert "on 1 worker process(es) per rank" in told
    assert "in the rank itself" in told
    assert "not exact" not in told
    assert_equal_runs(cartpole, tmp_path)


def test_a_run_continued_by_its_checkpoints_path_equals_the_calm_run(
    cartpole: CalmRun, tmp_path: Path
) -> None:
    source = halfway(cartpole, tmp_path)
    arguments = (f"--config_path={cartpole.recipe}", f"--load_model_path={source}")
    launch(tmp_path, None, *arguments)
    assert_equal_runs(cartpole, tmp_path)
    (start,) = read_record(run_path(tmp_path, NAME), NAME).starts
    assert start["env_steps"] == cartpole.total // 2


def test_a_falling_learning_rate_goes_on_where_it_was(tmp_path: Path) -> None:
    text = CARTPOLE.replace(
        "LearningRate = 1e-3", "LearningRate = 1e-3\nLearningRateSchedule = linear"
    )
    calm = run_calmly(tmp_path / "calm", text)
    rates = [row["charts/learning_rate"] for row in figures(calm.folder, NAME)]
    assert rates == pytest.approx([1e-3 * (1 - update / UPDATES) for update in range(UPDATES)])
    halfway(calm, tmp_path / "resumed")
    launch(tmp_path / "resumed", None, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path / "resumed")


def in_the_fast_suite(names: Iterable[str]) -> list[object]:
    """Each kind of state once: head, bonus, memory, second rollout, floats, statistics.

    Of the environments also an episode that is played again.
    """
    fast = {"BYOL", "BYOL-Explore", "overlap", "continuous actions", "running scaling"}
    fast |= {"a lander", "a memory and overlap"}
    return [
        pytest.param(name, marks=() if name in fast else pytest.mark.slow, id=name)
        for name in names
    ]


@pytest.mark.parametrize("name", in_the_fast_suite([*COMPONENTS, *ENVIRONMENTS]))
def test_a_run_with_any_component_or_environment_goes_on_as_if_nothing_had_been(
    name: str, tmp_path: Path
) -> None:
    if name == "joints":
        pytest.importorskip("mujoco")
    calm = run_calmly(tmp_path / "calm", (COMPONENTS | ENVIRONMENTS)[name])
    halfway(calm, tmp_path / "resumed")
    launch(tmp_path / "resumed", None, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path / "resumed")


@pytest.mark.parametrize(
    ("text", "ranks"),
    [
        pytest.param(CARTPOLE, 2, id="cartpole on 2 ranks"),
        pytest.param(CARTPOLE, 3, id="cartpole on 3 ranks", marks=pytest.mark.slow),
        pytest.param(PONG, 2, id="pong on 2 ranks", marks=pytest.mark.slow),
        pytest.param(COMPONENTS["a memory"], 2, id="a memory on 2 ranks", marks=pytest.mark.slow),
        pytest.param(PONG, 3, id="pong on 3 ranks", marks=pytest.mark.slow),
        *(
            pytest.param(text, 3, id=f"{name} on 3 ranks", marks=pytest.mark.slow)
            for name, text in COMPONENTS.items()
        ),
    ],
)
def test_a_resumed_run_of_several_ranks_equals_the_calm_run(
    text: str, ranks: int, tmp_path: Path
) -> None:
    calm = run_calmly(tmp_path / "calm", text, ranks)
    halfway(calm, tmp_path / "resumed")
    launch(tmp_path / "resumed", ranks, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path / "resumed")


def num_visits(folder: Path) -> int:
    """Return how many visits the run's map of states shows."""
    return int(Coverage.load(run_path(folder, NAME) / "visits.npz").counts.sum())


def notes_of(output: str) -> str:
    """Return the start table's notes on one line; the table breaks long ones."""
    return re.sub(r"\s+", " ", output)


def test_another_number_of_environments_goes_on_and_says_what_is_not_exact(
    cartpole: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load_payload(halfway(cartpole, tmp_path))
    arguments = (f"--config_path={cartpole.recipe}", "--resume", "--num_env_per_process=4")
    launch(tmp_path, None, *arguments)
    notes = notes_of(capsys.readouterr().out)
    assert "not exact: num_envs 2 -> 4; weights, optimiser and statistics go on" in notes
    after = load_payload(checkpoint_path(tmp_path, NAME))
    assert after["env_steps"] == cartpole.total
    assert after["updates"] == before["updates"] + 2
    counts = [p["learner"]["intrinsic.observation_moments.count"].item() for p in (before, after)]
    assert counts[1] == counts[0] + cartpole.total // 2  # neither lost nor warmed up again
    assert num_visits(tmp_path) == cartpole.total


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_another_number_of_ranks_goes_on_and_says_what_is_not_exact(
    before: int, after: int, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    first = run_main(tmp_path, *command, "--max_env_steps=128", ranks=before)
    assert first.code == 0, first.output
    second = run_main(tmp_path, *command, "--resume", ranks=after)
    assert second.code == 0, second.output
    assert f"not exact: world_size {before} -> {after}" in notes_of(second.output)
    assert load_payload(checkpoint_path(tmp_path, NAME))["env_steps"] == 256
    assert num_visits(tmp_path) == 256


def test_another_number_of_threads_goes_on_and_says_what_is_not_exact(
    cartpole: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halfway(cartpole, tmp_path)
    arguments = (f"--config_path={cartpole.recipe}", "--resume", "--set", "LearnerThreads=2")
    launch(tmp_path, None, *arguments)
    notes = notes_of(capsys.readouterr().out)
    assert "not exact to the last bit: 1 torch threads -> 2" in notes


def test_a_precision_that_this_machine_settles_otherwise_is_told_in_one_line(
    cartpole: CalmRun,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A precision that was typed is no surprise, nor is one that is as it was."""
    path = halfway(cartpole, tmp_path)
    assert load_payload(path)["facts"]["config"]["Precision"] == "float32"
    command = (f"--config_path={cartpole.recipe}", "--resume", f"--max_env_steps={cartpole.total}")
    told = "was trained in float32, and Precision = auto means bfloat16 on this machine"
    monkeypatch.setattr(precision, "bfloat16_pays", lambda *of: True)
    launch(tmp_path, None, *command)
    lines = [line for line in capsys.readouterr().out.splitlines() if "Precision = auto" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"WARNING: checkpoints/demo.ckpt {told}")
    assert lines[0].endswith("to keep what it had: --set Precision=float32")
    launch(tmp_path, None, *command[:2], "--max_env_steps=320", "--set", "Precision=float32")
    assert "Precision = auto" not in capsys.readouterr().out


def test_a_checkpoint_of_another_environment_is_refused_before_anything_is_touched(
    cartpole: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = halfway(cartpole, tmp_path)
    before = path.read_bytes()
    recipe = write_recipe(tmp_path, CARTPOLE, EnvID="Acrobot-v1", StateHiddenSizes="32")
    arguments = (f"--config_path={recipe}", f"--log_name={NAME}", "--resume")
    assert run_here(tmp_path, "--train", *arguments) == 3
    message = capsys.readouterr().err
    assert re.search(r"EnvID +Acrobot-v1 +CartPole-v1", message)
    assert re.search(r"StateHiddenSizes +32 +16, 16", message)
    assert path.read_bytes() == before


def test_a_checkpoint_that_is_torn_is_refused_by_name(
    cartpole: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = halfway(cartpole, tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    arguments = (f"--config_path={cartpole.recipe}", f"--log_name={NAME}")
    for how in ("--resume", f"--load_model_path={path}"):
        assert run_here(tmp_path, "--train", *arguments, how) == 3
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        assert str(path.name) in message


def test_a_disk_that_stays_full_ends_the_run_and_keeps_what_was_saved(
    cartpole: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = halfway(cartpole, tmp_path)
    before = path.read_bytes()
    arguments = (f"--config_path={cartpole.recipe}", f"--log_name={NAME}", "--resume")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        code = run_here(tmp_path, "--train", *arguments, "--set", "saveCkptEvery=1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    captured = capsys.readouterr()
    assert code == 7, captured
    assert captured.out.count("the next save tries again") == 2
    assert "could not save the checkpoint (File too large)" in captured.err
    assert path.read_bytes() == before
    assert read_status(tmp_path, NAME)["code"] == 7
    launch(tmp_path, None, f"--config_path={cartpole.recipe}", "--resume")
    assert_equal_runs(cartpole, tmp_path)


def test_a_run_that_is_done_has_nothing_to_continue_and_says_so(
    cartpole: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = halfway(cartpole, tmp_path)
    shutil.copy(cartpole.end, path)
    launch(tmp_path, None, f"--config_path={cartpole.recipe}", "--resume")
    assert (
        f"nothing is left to train: TotalEnvSteps = {cartpole.total:,}" in capsys.readouterr().out
    )
    assert differences(state_of(cartpole.end), state_of(path)) == []
