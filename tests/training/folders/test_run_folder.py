"""The run's folder: names, modes, the lock, the manifest and the last word."""

import errno
import fcntl
import functools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigurationError, PeerLostError, ScoutError, StorageError
from training.folders.files import replace_file
from training.folders.lock import checkpoint_locks
from training.folders.lost_runs import LOST, note_lost
from training.folders.run_folder import RunFolder, RunMode, next_free_name, validate_log_name
from training.folders.versions import collect_versions, project_commit

PROJECT = Path(__file__).resolve().parents[3]
ERRORS: list[type[ScoutError]] = [ScoutError, *ScoutError.__subclasses__()]
CODES_OF_CAUSES = sorted({error.exit_code for error in ERRORS} - {PeerLostError.exit_code})

HOLD_THE_LOCK = """
import sys, time
from pathlib import Path
from training.folders.run_folder import RunFolder

with RunFolder.open(Path(sys.argv[1]), "demo", mode="fresh"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold_the_lock(root: Path) -> "subprocess.Popen[str]":
    """Start a process that holds the lock of run demo; returns once it does."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def write_manifest(run: RunFolder, config_text: str = "[Run]\nSeed = 1\n") -> None:
    run.write_manifest(
        config_text=config_text,
        versions={"python": "3.11.9", "commit": "abc"},
        command=["main.py", "--train"],
        seed=1,
    )


def with_results(root: Path, name: str) -> RunFolder:
    with RunFolder.open(root, name, mode="fresh") as run:
        (run.path / "metrics.jsonl").write_text('{"env_steps": 1}\n')
        (run.tensorboard_path / "events.out.tfevents.1").write_bytes(b"curve")
        run.profiler_path.mkdir(parents=True)
        (run.profiler_path / "trace.json").write_text("{}")
    return run


class TestNames:
    @pytest.mark.parametrize("name", ["demo_00", "MontezumaRevenge_rnd00-2", "a.b", "_", "x" * 128])
    def test_a_plain_name_is_accepted(self, name: str) -> None:
        assert validate_log_name(name) == name

    @pytest.mark.parametrize(
        "name", ["", "../x", "..", ".hidden", "-rf", "a/b", "a b", "naïve", "a\n", "x" * 129]
    )
    def test_a_name_that_could_leave_the_folder_or_confuse_a_shell_is_refused(
        self, name: str
    ) -> None:
        with pytest.raises(ConfigurationError, match="cannot name a run"):
            validate_log_name(name)

    @given(st.text(max_size=140))
    def test_an_accepted_name_is_one_path_component(self, name: str) -> None:
        try:
            validate_log_name(name)
        except ConfigurationError:
            return
        path = (Path("/root-folder") / name).resolve()
        assert path.parent == Path("/root-folder")
        assert path.name == name

    def test_the_next_free_name_counts_up(self, tmp_path: Path) -> None:
        assert next_free_name(tmp_path, "demo_00") == "demo_00"
        (tmp_path / "runs" / "demo_00").mkdir(parents=True)
        assert next_free_name(tmp_path, "demo_00") == "demo_00-2"
        (tmp_path / "tb_logs" / "demo_00-2").mkdir(parents=True)
        assert next_free_name(tmp_path, "demo_00") == "demo_00-3"


class TestModes:
    def test_a_name_with_results_is_refused_with_the_three_ways_out(self, tmp_path: Path) -> None:
        with_results(tmp_path, "demo")
        with pytest.raises(ConfigurationError) as refusal:
            RunFolder.open(tmp_path, "demo", mode="fresh")
        for way in ("--resume", "--overwrite", "--log_name=demo-2"):
            assert way in str(refusal.value)
        assert refusal.value.exit_code == 2
        assert (tmp_path / "runs" / "demo" / "metrics.jsonl").read_text() == '{"env_steps": 1}\n'

    @pytest.mark.parametrize("folder", ["runs", "tb_logs", "torch_profiler_logs"])
    def test_results_in_any_of_the_three_folders_count(self, tmp_path: Path, folder: str) -> None:
        (tmp_path / folder / "demo").mkdir(parents=True)
        (tmp_path / folder / "demo" / "result").write_text("x")
        with pytest.raises(ConfigurationError, match="already holds results"):
            RunFolder.open(tmp_path, "demo", mode="fresh")

    @pytest.mark.parametrize("folder", ["runs", "tb_logs"])
    def test_where_only_evaluations_lie_there_is_nothing_to_resume(
        self, tmp_path: Path, folder: str
    ) -> None:
        (tmp_path / folder / "demo" / "evaluation").mkdir(parents=True)
        (tmp_path / folder / "demo" / "evaluation" / "other_64.json").write_text("{}")
        with pytest.raises(ConfigurationError, match="holds evaluations, and no run") as refusal:
            RunFolder.open(tmp_path, "demo", mode="fresh")
        assert "--log_name=demo-2" in str(refusal.value)
        assert "--resume" not in str(refusal.value)
        with RunFolder.open(tmp_path, "demo", mode="overwrite"):
            assert not (tmp_path / folder / "demo" / "evaluation").exists()

    def test_a_run_that_was_evaluated_can_be_resumed(self, tmp_path: Path) -> None:
        with_results(tmp_path, "demo")
        (tmp_path / "runs" / "demo" / "evaluation").mkdir()
        (tmp_path / "runs" / "demo" / "evaluation" / "demo_64.json").write_text("{}")
        with pytest.raises(ConfigurationError, match=r"already holds results.*--resume"):
            RunFolder.open(tmp_path, "demo", mode="fresh")

    def test_a_start_that_failed_before_its_first_row_leaves_the_name_free(
        self, tmp_path: Path
    ) -> None:
        with RunFolder.open(tmp_path, "demo", mode="fresh") as run:
            write_manifest(run)
            (run.path / "metrics.jsonl").touch()
            run.write_status(2, "port in use", rank=0, update=0, env_steps=0, checkpoint=None)
        with RunFolder.open(tmp_path, "demo", mode="fresh") as run:
            write_manifest(run)
            starts = json.loads((run.path / "manifest.json").read_text())["starts"]
        assert len(starts) == 1

    def test_a_run_with_only_a_checkpoint_is_not_overwritten(self, tmp_path: Path) -> None:
        with RunFolder.open(tmp_path, "demo", mode="fresh") as run:
            run.write_status(75, "stopped", rank=0, update=1, env_steps=64, checkpoint=Path("x"))
        with pytest.raises(ConfigurationError):
            RunFolder.open(tmp_path, "demo", mode="fresh")

    def test_overwrite_removes_this_run_and_nothing_else(self, tmp_path: Path) -> None:
        run = with_results(tmp_path, "demo")
        neighbour = with_results(tmp_path, "demo-2")
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "kept").write_text("x")
        (run.path / "link").symlink_to(outside)
        with RunFolder.open(tmp_path, "demo", mode="overwrite"):
            left = {path.name for path in run.path.iterdir()}
            assert left == {"run.lock", "status.json"}
            assert not list(run.tensorboard_path.iterdir())
            assert not list(run.profiler_path.iterdir())
        assert (outside / "kept").exists()
        assert neighbour.holds_results()
        assert (neighbour.profiler_path / "trace.json").exists()

    def test_resume_keeps_everything_and_the_last_checkpoint(self, tmp_path: Path) -> None:
        run = with_results(tmp_path, "demo")
        run.write_status(75, "stopped", rank=0, update=9, env_steps=900, checkpoint=Path("a.ckpt"))
        with RunFolder.open(tmp_path, "demo", mode="resume"):
            status = run.read_status() or {}
            assert (run.path / "metrics.jsonl").read_text() == '{"env_steps": 1}\n'
        assert status["code"] is None
        assert (status["update"], status["env_steps"]) == (9, 900)
        assert status["checkpoint"] == "a.ckpt"

    def test_a_start_that_is_refused_does_not_take_away_what_is_known_of_the_run(
        self, tmp_path: Path
    ) -> None:
        run = with_results(tmp_path, "demo")
        run.write_status(75, "stopped", rank=0, update=9, env_steps=900, checkpoint=Path("a.ckpt"))
        with RunFolder.open(tmp_path, "demo", mode="resume") as again:
            again.write_status(3, "refused", rank=0, update=0, env_steps=0, checkpoint=None)
        status = run.read_status() or {}
        assert (status["code"], status["checkpoint"]) == (3, "a.ckpt")
        assert (status["update"], status["env_steps"]) == (9, 900)

    def test_a_run_that_is_replaced_knows_nothing_of_the_earlier_one(self, tmp_path: Path) -> None:
        run = with_results(tmp_path, "demo")
        run.write_status(75, "stopped", rank=0, update=9, env_steps=900, checkpoint=Path("a.ckpt"))
        with RunFolder.open(tmp_path, "demo", mode="overwrite") as again:
            again.write_status(4, "failed", rank=0, update=0, env_steps=0, checkpoint=None)
        status = run.read_status() or {}
        assert (status["update"], status["checkpoint"]) == (0, None)

    def test_what_a_killed_write_left_behind_is_removed(self, tmp_path: Path) -> None:
        (tmp_path / "runs" / "demo").mkdir(parents=True)
        part = tmp_path / "runs" / "demo" / ".writing-abc"
        part.write_text("half")
        with RunFolder.open(tmp_path, "demo", mode="fresh"):
            assert not part.exists()

    def test_a_folder_that_cannot_be_made_is_named_with_the_reason(self, tmp_path: Path) -> None:
        (tmp_path / "logs").write_text("a file")
        with pytest.raises(ConfigurationError, match=r"logs/runs/demo cannot be used: Not a dir"):
            RunFolder.open(tmp_path / "logs", "demo", mode="fresh")


class TestLock:
    def test_two_runs_do_not_write_to_one_checkpoint(self, tmp_path: Path) -> None:
        checkpoint = tmp_path / "kept" / "one.ckpt"
        link = tmp_path / "link.ckpt"
        link.symlink_to(checkpoint)
        with RunFolder.open(tmp_path, "first", mode="fresh", checkpoint=checkpoint):
            for path in (checkpoint, link):
                with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"):
                    RunFolder.open(tmp_path, "second", mode="fresh", checkpoint=path)
            other = tmp_path / "kept" / "two.ckpt"
            RunFolder.open(tmp_path, "second", mode="fresh", checkpoint=other).close()
        assert list(checkpoint.parent.iterdir()) == []
        RunFolder.open(tmp_path, "third", mode="fresh", checkpoint=checkpoint).close()

    def test_a_link_that_saving_has_replaced_by_a_file_is_still_in_use(
        self, tmp_path: Path
    ) -> None:
        link = tmp_path / "link.ckpt"
        link.symlink_to(tmp_path / "kept" / "one.ckpt")
        with RunFolder.open(tmp_path, "first", mode="fresh", checkpoint=link):
            link.unlink()
            link.write_bytes(b"saved")
            with pytest.raises(ConfigurationError, match="in use by process"):
                RunFolder.open(tmp_path, "second", mode="fresh", checkpoint=link)
        assert not list(tmp_path.rglob("*.ckpt.lock"))

    def test_a_run_to_be_replaced_stays_where_its_checkpoint_is_in_use(
        self, tmp_path: Path
    ) -> None:
        run = with_results(tmp_path, "demo")
        checkpoint = tmp_path / "one.ckpt"
        with (
            RunFolder.open(tmp_path, "other", mode="fresh", checkpoint=checkpoint),
            pytest.raises(ConfigurationError),
        ):
            RunFolder.open(tmp_path, "demo", mode="overwrite", checkpoint=checkpoint)
        assert run.holds_results()

    def test_the_lock_of_a_dead_holder_is_no_hindrance(self, tmp_path: Path) -> None:
        checkpoint = tmp_path / "one.ckpt"
        (lock,) = checkpoint_locks(checkpoint)
        record = {"pid": 2**22 + 1, "host": socket.gethostname(), "process_start": "1"}
        lock.write_text(json.dumps(record))
        RunFolder.open(tmp_path, "demo", mode="fresh", checkpoint=checkpoint).close()

    def test_a_live_holder_is_named_and_a_killed_one_is_succeeded(self, tmp_path: Path) -> None:
        holder = hold_the_lock(tmp_path)
        try:
            for mode in ("fresh", "resume", "overwrite"):
                with pytest.raises(ConfigurationError) as refusal:
                    RunFolder.open(tmp_path, "demo", mode=mode)
                assert f"process {holder.pid} on host {os.uname().nodename}" in str(refusal.value)
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.communicate()
        with RunFolder.open(tmp_path, "demo", mode="fresh") as run:
            record = json.loads((run.path / "run.lock").read_text())
        assert record["pid"] == os.getpid()

    def test_close_releases_the_lock(self, tmp_path: Path) -> None:
        RunFolder.open(tmp_path, "demo", mode="fresh").close()
        holder = hold_the_lock(tmp_path)
        holder.kill()
        holder.communicate()

    def test_a_refused_open_releases_the_lock(self, tmp_path: Path) -> None:
        with_results(tmp_path, "demo")
        with pytest.raises(ConfigurationError):
            RunFolder.open(tmp_path, "demo", mode="fresh")
        RunFolder.open(tmp_path, "demo", mode="resume").close()

    @pytest.mark.parametrize(
        ("change", "held"),
        [
            ({}, True),
            ({"process_start": "1"}, False),
            ({"pid": "none"}, False),
            ({"host": "another", "pid": 1}, True),
        ],
    )
    def test_on_a_file_system_without_locks_the_record_decides(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        change: dict[str, object],
        held: bool,
    ) -> None:
        with RunFolder.open(tmp_path, "demo", mode="fresh") as run:
            record = json.loads((run.path / "run.lock").read_text())
        (run.path / "run.lock").write_text(json.dumps(record | change))

        def unsupported(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", unsupported)
        if held:
            with pytest.raises(ConfigurationError, match="is in use by process"):
                RunFolder.open(tmp_path, "demo", mode="resume")
        else:
            RunFolder.open(tmp_path, "demo", mode="resume").close()


class TestRecords:
    def test_the_manifest_keeps_every_start_and_its_configuration(self, tmp_path: Path) -> None:
        starts: list[tuple[RunMode, str]] = [
            ("fresh", "first"),
            ("resume", "second"),
            ("resume", "third"),
        ]
        for mode, text in starts:
            with RunFolder.open(tmp_path, "demo", mode=mode) as run:
                write_manifest(run, text)
        manifest = json.loads((run.path / "manifest.json").read_text())
        assert len(manifest["starts"]) == 3
        assert manifest["starts"][0]["seed"] == 1
        assert manifest["starts"][0]["commit"] == "abc"
        assert manifest["starts"][0]["command"] == ["main.py", "--train"]
        configs = [(run.path / f"config{part}.conf").read_text() for part in ("-1", "-2", "")]
        assert configs == ["first", "second", "third"]

    def test_the_last_word_replaces_the_one_before(self, tmp_path: Path) -> None:
        run = RunFolder(tmp_path, "demo")
        run.write_status(None, "under way", rank=0, update=0, env_steps=0, checkpoint=None)
        run.write_status(0, "done", rank=0, update=5, env_steps=640, checkpoint=Path("b.ckpt"))
        status = json.loads((run.path / "status.json").read_text())
        assert (status["code"], status["reason"], status["update"]) == (0, "done", 5)
        assert [path.name for path in run.path.iterdir()] == ["status.json"]

    @pytest.mark.parametrize("code", [*CODES_OF_CAUSES, 130, 137])
    def test_a_lost_peer_does_not_hide_why_it_was_lost(self, code: int, tmp_path: Path) -> None:
        run = RunFolder(tmp_path, "demo")
        run.write_status(code, "a cause", rank=1, update=3, env_steps=9, checkpoint=None)
        lost = PeerLostError.exit_code
        run.write_status(lost, "rank 1 is gone", rank=0, update=3, env_steps=9, checkpoint=None)
        assert (run.read_status() or {})["reason"] == "a cause"

    def test_a_torn_status_reads_as_none(self, tmp_path: Path) -> None:
        run = RunFolder(tmp_path, "demo")
        assert run.read_status() is None
        run.path.mkdir(parents=True)
        (run.path / "status.json").write_text('{"code": 0, "rea')
        assert run.read_status() is None

    def test_a_file_that_cannot_be_written_whole_stays_the_old_one(self, tmp_path: Path) -> None:
        path = tmp_path / "report.json"
        replace_file(path, b"old")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(StorageError, match=r"report\.json: File too large$"):
                replace_file(path, b"x" * 5000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]


class TestVersions:
    def test_versions_are_collected_without_importing_torch(self) -> None:
        script = (
            "import json, sys\n"
            "from training.folders.versions import collect_versions\n"
            "versions = collect_versions()\n"
            "assert not {'torch', 'numpy', 'cv2'} & set(sys.modules)\n"
            "print(json.dumps(versions))\n"
        )
        result = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT
        )
        versions = json.loads(result.stdout)
        assert versions == collect_versions()
        assert versions.keys() >= {"python", "torch", "numpy", "gymnasium", "platform", "cpu"}
        assert int(versions["cores"]) >= 1

    def test_the_commit_is_the_projects_own_and_marks_changes(self, tmp_path: Path) -> None:
        def git(*arguments: str) -> str:
            identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
            command = ["git", "-C", str(tmp_path), *identity, *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        assert project_commit(tmp_path) == "unknown"
        git("init", "-q")
        (tmp_path / "file").write_text("one")
        git("add", "file")
        git("commit", "-q", "-m", "first")
        commit = git("rev-parse", "HEAD").strip()
        assert project_commit(tmp_path) == commit
        (tmp_path / "file").write_text("two")
        assert project_commit(tmp_path) == f"{commit}+changes"
        (tmp_path / "inner").mkdir()
        assert project_commit(tmp_path / "inner") == "unknown"


class TestLostRuns:
    def lose(self, root: Path) -> RunFolder:
        """Kill a process in the middle of the run demo."""
        holder = hold_the_lock(root)
        assert not note_lost(root, "demo")
        holder.kill()
        holder.communicate()
        return RunFolder(root, "demo")

    def test_who_looks_next_says_that_it_died(self, tmp_path: Path) -> None:
        run = self.lose(tmp_path)
        assert note_lost(tmp_path, "demo")
        status = run.read_status() or {}
        assert (status["code"], status["reason"]) == (None, LOST)

    def test_what_is_known_of_its_death_is_kept(self, tmp_path: Path) -> None:
        run = self.lose(tmp_path)
        assert note_lost(tmp_path, "demo", "killed by hand", 137)
        assert not note_lost(tmp_path, "demo")
        status = run.read_status() or {}
        assert (status["code"], status["reason"]) == (137, "killed by hand")

    def test_the_run_that_goes_on_knows_it(self, tmp_path: Path) -> None:
        self.lose(tmp_path)
        with RunFolder.open(tmp_path, "demo", mode="resume") as run:
            assert run.was_left_open
            run.write_status(75, "stopped", rank=0, update=1, env_steps=2, checkpoint=None)
        with RunFolder.open(tmp_path, "demo", mode="resume") as run:
            assert not run.was_left_open

    def test_env_steps_of_random_play_are_kept_by_a_run_that_goes_on(self, tmp_path: Path) -> None:
        known = functools.partial(
            RunFolder.write_status, rank=0, update=1, env_steps=2, checkpoint=None
        )
        with RunFolder.open(tmp_path, "demo", mode="fresh") as run:
            known(run, 75, "stopped", random_steps=640)
        with RunFolder.open(tmp_path, "demo", mode="resume") as run:
            known(run, 0, "done")
            assert (run.read_status() or {})["random_steps"] == 640


def test_a_run_that_begins_anew_keeps_what_training_has_not_written(tmp_path: Path) -> None:
    with with_results(tmp_path, "demo") as run:
        kept = [run.path / "evaluation" / "a.json", run.path / "notes.txt"]
        for file in kept:
            file.parent.mkdir(exist_ok=True)
            file.write_text("{}")
        (run.path / "metrics.jsonl").write_text("{}\n")
    with RunFolder.open(tmp_path, "demo", mode="anew") as run:
        assert all(file.exists() for file in kept)
        assert not (run.path / "metrics.jsonl").exists()
