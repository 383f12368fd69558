"""Whether a run starts anew or goes on: decided without any cost to earlier runs."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents.ranks import Ranks
from configs.errors import CheckpointError, ConfigurationError
from configs.loading import LoadedConfig, load_config
from tests.ranks import only_rank
from training.checkpoints.continuation import (
    Start,
    agree_on_start,
    check_load_flags,
    choose_start,
    discard_replaced,
)
from training.checkpoints.storage import Saver, companions
from training.folders.run_folder import RunFolder
from training.options import RunOptions
from training.ranks.restarts import launcher

OPTIONS = RunOptions("main.py --train", "demo", Path("checkpoints/demo.ckpt"))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    with only_rank() as ranks:
        yield ranks


def save(path: str, log_name: str = "demo", times: int = 1) -> Path:
    for _ in range(times):
        Saver(Path(path)).save({"facts": {"log_name": log_name}}, is_best=False)
    return Path(path)


def leave_results(log_name: str = "demo") -> None:
    with RunFolder.open(Path("logs"), log_name, mode="overwrite") as run:
        (run.path / "metrics.jsonl").write_text("{}\n")


def loaded(*overrides: str) -> LoadedConfig:
    Path("some.conf").write_text("Seed = 1\n")
    return load_config(Path("some.conf"), overrides)


def test_without_files_a_run_starts_anew() -> None:
    assert choose_start(OPTIONS) == Start(OPTIONS, None, "fresh")
    resuming = replace(OPTIONS, resume=True)
    assert choose_start(resuming) == Start(resuming, None, "fresh")


def test_a_checkpoint_of_an_earlier_run_is_never_overwritten_unasked() -> None:
    save("checkpoints/demo.ckpt")
    with pytest.raises(ConfigurationError, match=r"demo\.ckpt exists.*--resume.*--overwrite"):
        choose_start(OPTIONS)
    asked = replace(OPTIONS, overwrite=True)
    assert choose_start(asked) == Start(asked, None, "overwrite")


def test_a_run_that_is_under_way_is_no_earlier_one() -> None:
    """Its checkpoint is there as soon as it has saved once."""
    save("checkpoints/demo.ckpt")
    held = rf"'demo' is under way: .* process {os.getpid()} on host {socket.gethostname()} "
    path = OPTIONS.save_model_path
    with RunFolder.open(Path("logs"), "demo", mode="fresh", checkpoint=path):
        with pytest.raises(ConfigurationError, match=held):
            choose_start(OPTIONS)
        with pytest.raises(ConfigurationError, match=r"demo\.ckpt is in use by process"):
            choose_start(replace(OPTIONS, log_name="another"))
    with pytest.raises(ConfigurationError, match="belongs to an earlier run"):
        choose_start(OPTIONS)


def test_the_best_checkpoint_of_an_earlier_run_is_not_overwritten_either() -> None:
    best = save("checkpoints/demo.best.ckpt", log_name="demo.best")
    with pytest.raises(ConfigurationError, match=r"demo\.ckpt: .*demo\.best\.ckpt exists"):
        choose_start(OPTIONS)
    profiling = choose_start(replace(OPTIONS, profile_updates=3))
    assert profiling.options.save_model_path == Path("checkpoints/demo-2.ckpt")
    assert best.exists()


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_before_anything_is_replaced(
    make: Callable[[Path], None], index: int
) -> None:
    Path("checkpoints").mkdir()
    make(companions(OPTIONS.save_model_path)[index])
    for options in (OPTIONS, replace(OPTIONS, overwrite=True), replace(OPTIONS, resume=True)):
        with pytest.raises(ConfigurationError, match=r"Is a (directory|pipe)"):
            choose_start(options)


def test_resume_takes_the_newest_checkpoint_that_is_whole() -> None:
    path = save("checkpoints/demo.ckpt", times=2)
    resuming = replace(OPTIONS, resume=True)
    assert choose_start(resuming) == Start(resuming, path, "resume")
    path.unlink()
    path.write_bytes(b"torn")
    assert choose_start(resuming).source == companions(path)[1]


def test_resume_never_starts_anew_where_nothing_whole_is_left() -> None:
    path = save("checkpoints/demo.ckpt", times=2)
    for damaged in companions(path)[:2]:
        damaged.unlink()
        damaged.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"demo\.ckpt: not a checkpoint"):
        choose_start(replace(OPTIONS, resume=True))


def test_resume_offers_the_best_checkpoint_where_only_that_is_left() -> None:
    path = Path("checkpoints/demo.ckpt")
    Saver(path).save({"facts": {"log_name": "demo"}}, is_best=True)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"beside it: checkpoints/demo\.best\.ckpt"):
        choose_start(replace(OPTIONS, resume=True))


def test_resume_begins_a_run_anew_that_never_saved(caplog: pytest.LogCaptureFixture) -> None:
    leave_results()
    resuming = replace(OPTIONS, resume=True)
    assert choose_start(resuming) == Start(resuming, None, "anew")
    assert "was lost before its first checkpoint" in caplog.text


def test_loading_and_resuming_begins_anew_a_run_that_never_saved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leave_results()
    first = save("first.ckpt", "first")
    options = replace(OPTIONS, load_model_path=first, resume=True)
    start = choose_start(options)
    assert start == Start(options, first, "anew")
    assert "was lost before its first checkpoint" in caplog.text
    with RunFolder.open(Path("logs"), "demo", mode=start.mode) as run:
        assert not run.holds_results()


def test_loading_and_resuming_says_what_is_wrong_with_the_runs_own_checkpoint() -> None:
    first = save("first.ckpt", "first")
    save("checkpoints/demo.ckpt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"demo\.ckpt: not a checkpoint"):
        choose_start(replace(OPTIONS, load_model_path=first, resume=True))


@pytest.mark.parametrize("load_model_path", [None, Path("first.ckpt")])
@pytest.mark.parametrize("status", ["missing", "saved elsewhere"])
def test_resume_asks_for_the_checkpoint_of_a_run_that_has_results(
    status: str, load_model_path: Path | None
) -> None:
    leave_results()
    run = RunFolder(Path("logs"), "demo")
    if status == "missing":
        (run.path / "status.json").unlink()
    else:
        saved = Path("elsewhere.ckpt")
        run.write_status(6, "lost", rank=0, update=9, env_steps=9, checkpoint=saved)
    options = replace(OPTIONS, resume=True, load_model_path=load_model_path)
    with pytest.raises(CheckpointError, match=r"there is no checkpoint.*--save_model_path"):
        choose_start(options)


def test_a_checkpoint_of_the_same_name_continues_that_run() -> None:
    path = save("checkpoints/demo.ckpt")
    leave_results()
    options = replace(OPTIONS, load_model_path=path)
    assert choose_start(options) == Start(options, path, "resume")


def test_a_link_that_leads_to_itself_is_no_reason_to_fail() -> None:
    Path("loop.ckpt").symlink_to("loop.ckpt")
    loading = replace(OPTIONS, load_model_path=Path("loop.ckpt"))
    assert choose_start(loading) == Start(loading, Path("loop.ckpt"), "fresh")


def test_a_checkpoint_loaded_under_another_name_begins_a_run_of_its_own() -> None:
    path = save("checkpoints/demo.ckpt")
    leave_results()
    options = replace(
        OPTIONS, log_name="next", save_model_path=Path("next.ckpt"), load_model_path=path
    )
    assert choose_start(options) == Start(options, path, "fresh")
    with pytest.raises(ConfigurationError, match="belongs to an earlier run"):
        choose_start(replace(options, save_model_path=path))


def test_loading_and_resuming_goes_on_from_the_runs_own_checkpoint_once_it_has_one() -> None:
    first = save("checkpoints/demo.ckpt")
    options = replace(
        OPTIONS,
        log_name="next",
        save_model_path=Path("next.ckpt"),
        load_model_path=first,
        resume=True,
    )
    assert choose_start(options) == Start(options, first, "fresh")
    own = save("next.ckpt", "next")
    assert choose_start(options) == Start(options, own, "resume")


def test_loading_does_not_overwrite_the_checkpoint_of_a_third_run() -> None:
    path, other = save("checkpoints/demo.ckpt"), save("checkpoints/other.ckpt", "other")
    leave_results()
    options = replace(OPTIONS, load_model_path=path, save_model_path=other)
    with pytest.raises(ConfigurationError, match="belongs to"):
        choose_start(options)


def test_resume_does_not_continue_one_run_in_the_folder_of_another() -> None:
    other = save("checkpoints/other.ckpt", "other")
    leave_results()
    with pytest.raises(ConfigurationError, match="belongs to run 'other', not to 'demo'") as told:
        choose_start(replace(OPTIONS, save_model_path=other, resume=True))
    assert "if the run was renamed, call folder and checkpoint 'other' again" in str(told.value)


def test_replacing_a_run_removes_its_checkpoints_but_not_the_one_to_start_from() -> None:
    path = Path("checkpoints/demo.ckpt")
    for is_best in (True, False, False):
        Saver(path).save({"facts": {"log_name": "demo"}}, is_best=is_best)
    source = companions(path)[2]
    discard_replaced(Start(OPTIONS, source, "fresh"))
    assert all(file.exists() for file in companions(path))
    discard_replaced(Start(OPTIONS, source, "overwrite"))
    assert [file.exists() for file in companions(path)] == [False, False, True]


def started_by(who: str, log_name: str = "demo") -> None:
    """Leave the folder of a run that `who` started and that has a row of results."""
    with RunFolder.open(Path("logs"), log_name, mode="overwrite") as run:
        run.write_manifest(config_text="", versions={}, command=[], seed=1, launcher=who)
        (run.path / "metrics.jsonl").write_text("{}\n")


def test_a_restart_goes_on_with_the_run_of_its_own_torchrun() -> None:
    path = save("checkpoints/demo.ckpt")
    started_by(launcher())
    for options in (
        OPTIONS,
        replace(OPTIONS, overwrite=True),
        replace(OPTIONS, resume=True),
        replace(OPTIONS, load_model_path=Path("other.ckpt")),
    ):
        assert choose_start(options, restarted=True) == Start(options, path, "resume")


def test_a_restart_before_the_first_checkpoint_begins_its_own_run_anew() -> None:
    started_by(launcher())
    options = replace(OPTIONS, load_model_path=save("first.ckpt", "other"))
    for given in (OPTIONS, options):
        wanted = Start(given, given.load_model_path, "anew")
        assert choose_start(given, restarted=True) == wanted


def test_a_restart_never_starts_anew_where_nothing_whole_is_left() -> None:
    save("checkpoints/demo.ckpt").write_bytes(b"torn")
    started_by(launcher())
    with pytest.raises(CheckpointError, match=r"demo\.ckpt: not a checkpoint"):
        choose_start(OPTIONS, restarted=True)


def test_a_restart_offers_the_best_checkpoint_where_only_that_is_left() -> None:
    path = Path("checkpoints/demo.ckpt")
    Saver(path).save({"facts": {"log_name": "demo"}}, is_best=True)
    path.unlink()
    started_by(launcher())
    with pytest.raises(CheckpointError, match=r"beside it: checkpoints/demo\.best\.ckpt"):
        choose_start(OPTIONS, restarted=True)


def test_a_restart_does_not_take_over_a_run_that_lay_there_before() -> None:
    save("checkpoints/demo.ckpt")
    started_by("another host 1 1")
    with pytest.raises(ConfigurationError, match="belongs to an earlier run"):
        choose_start(OPTIONS, restarted=True)
    asked = replace(OPTIONS, overwrite=True)
    assert choose_start(asked, restarted=True) == Start(asked, None, "overwrite")
    started_by(launcher())
    with pytest.raises(ConfigurationError, match="belongs to an earlier run"):
        choose_start(OPTIONS)


@pytest.mark.parametrize("flags", [{"profile_updates": 3}, {"pytorch_profiling": True}])
def test_a_profiling_run_takes_names_that_are_free(flags: dict[str, int]) -> None:
    save("checkpoints/demo.ckpt")
    save("checkpoints/demo-2.ckpt")
    leave_results()
    profiling = replace(
        OPTIONS,
        profile_updates=flags.get("profile_updates"),
        pytorch_profiling=bool(flags.get("pytorch_profiling")),
    )
    start = choose_start(profiling)
    assert start.options.log_name == "demo-2"
    assert start.options.save_model_path == Path("checkpoints/demo-3.ckpt")
    assert start.mode == "fresh"


def test_all_ranks_learn_what_the_first_one_chose(ranks: Ranks) -> None:
    path = save("checkpoints/demo.ckpt")
    leave_results()
    for options in (
        replace(OPTIONS, resume=True),
        replace(OPTIONS, load_model_path=path),
        replace(OPTIONS, overwrite=True),
        replace(OPTIONS, profile_updates=3),
    ):
        assert agree_on_start(ranks, options) == choose_start(options)
    with pytest.raises(ConfigurationError, match="exists"):
        agree_on_start(ranks, OPTIONS)


def test_load_model_without_a_checkpoint_names_both_ways_out() -> None:
    config = loaded("loadModel=True")
    with pytest.raises(ConfigurationError, match=r"--load_model_path=FILE.*loadModel = False"):
        check_load_flags(OPTIONS, config)
    check_load_flags(replace(OPTIONS, load_model_path=Path("x.ckpt")), config)
    check_load_flags(replace(OPTIONS, resume=True), config)


def test_a_checkpoint_that_load_model_forbids_is_refused_with_the_place_to_change() -> None:
    options = replace(OPTIONS, load_model_path=Path("x.ckpt"))
    check_load_flags(options, loaded())
    with pytest.raises(ConfigurationError, match=r"x\.ckpt contradicts.*command line"):
        check_load_flags(options, loaded("loadModel=False"))
    Path("with.conf").write_text("[Run]\nloadModel = False\n")
    with pytest.raises(ConfigurationError, match="set by the file"):
        check_load_flags(options, load_config(Path("with.conf")))
