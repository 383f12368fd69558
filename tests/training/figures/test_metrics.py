"""The run's figures: rows and curves, read back by the tools that will read them."""

import json
import logging
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped] # tensorboard ships no types
    EventAccumulator,
)

from configs.errors import StorageError
from training.figures.curve_pages import Pages
from training.figures.metrics import MetricsRecorder, MetricsWriter, NullMetricsWriter
from training.folders.run_folder import RunFolder

SKIP = 4
PAGES = Pages({"configuration": "| key |"})
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, "demo")
    folder.path.mkdir(parents=True)
    return folder


def rows(run: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def curve(folder: Path, name: str) -> list[tuple[int, float]]:
    """Return (step, value) of a curve as TensorBoard shows it."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def write_updates(writer: MetricsRecorder, env_steps: list[int], offset: float = 0.0) -> None:
    for step in env_steps:
        values = {"charts/episodic_return": step + offset, "losses/policy": 0.5}
        writer.write(step, SKIP * step, values)


def test_rows_and_curves_hold_what_was_written_over_steps_and_frames(run: RunFolder) -> None:
    with MetricsWriter(run) as writer:
        writer.show(PAGES)
        write_updates(writer, [128, 256, 384])
    assert [row["env_steps"] for row in rows(run)] == [128, 256, 384]
    assert rows(run)[1]["frames"] == 1024
    assert rows(run)[1]["charts/episodic_return"] == 256.0
    assert rows(run)[0]["wall_time"] > 1.7e9
    by_steps = curve(run.tensorboard_path, "charts/episodic_return")
    assert by_steps == [(128, 128.0), (256, 256.0), (384, 384.0)]
    by_frames = curve(run.tensorboard_path / "frames", "charts_by_frames/episodic_return")
    assert by_frames == [(512, 128.0), (1024, 256.0), (1536, 384.0)]
    assert len(curve(run.tensorboard_path, "losses/policy")) == 3


def test_text_pages_are_shown_beside_the_curves(run: RunFolder) -> None:
    with MetricsWriter(run) as writer:
        writer.show(PAGES)
        write_updates(writer, [128])
    events = EventAccumulator(str(run.tensorboard_path))
    events.Reload()
    page = events.Tensors("configuration/text_summary")[0].tensor_proto.string_val[0].decode()
    assert page == "| key |"


@pytest.mark.parametrize("skip", [1, SKIP])
def test_a_resumed_run_continues_its_curves_where_the_checkpoint_was(
    run: RunFolder, skip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(writer: MetricsRecorder, env_steps: list[int], value: float) -> None:
        for step in env_steps:
            writer.write(step, skip * step, {"charts/episodic_return": value})

    with MetricsWriter(run) as writer:
        write(writer, [100, 200, 300, 400], 1.0)
    later = time.time() + 5  # TensorBoard reads its files in the order of their start in seconds
    monkeypatch.setattr(time, "time", lambda: later)
    with MetricsWriter(run, resume_from_step=200) as writer:
        write(writer, [300], 2.0)
    expected = [(100, 1.0), (200, 1.0), (300, 2.0)]
    assert [(row["env_steps"], row["charts/episodic_return"]) for row in rows(run)] == expected
    assert curve(run.tensorboard_path, "charts/episodic_return") == expected
    by_frames = curve(run.tensorboard_path / "frames", "charts_by_frames/episodic_return")
    assert by_frames == [(skip * step, value) for step, value in expected]


def test_rows_before_the_checkpoint_stay_to_the_last_byte(run: RunFolder) -> None:
    with MetricsWriter(run) as writer:
        write_updates(writer, [100, 200])
    before = (run.path / "metrics.jsonl").read_bytes()
    with MetricsWriter(run) as writer:
        write_updates(writer, [300])
    MetricsWriter(run, resume_from_step=200).close()
    assert (run.path / "metrics.jsonl").read_bytes() == before


def test_a_row_torn_by_a_kill_is_cut(run: RunFolder) -> None:
    with MetricsWriter(run) as writer:
        write_updates(writer, [100])
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"env_steps": 200, "fra')
    with MetricsWriter(run) as writer:
        write_updates(writer, [200])
    assert [row["env_steps"] for row in rows(run)] == [100, 200]


def test_an_unreadable_row_costs_no_other_row(
    run: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    text = '{"env_steps": 1, "frames": 4}\nnot json\n{"env_steps": 2, "frames": 8}\n'
    (run.path / "metrics.jsonl").write_text(text)
    MetricsWriter(run, resume_from_step=2).close()
    assert (run.path / "metrics.jsonl").read_text() == text
    assert "byte 30 cannot be read" in caplog.text


def test_a_run_continued_under_a_new_name_begins_at_its_step(run: RunFolder) -> None:
    with MetricsWriter(run, resume_from_step=1000) as writer:
        write_updates(writer, [1128])
    assert curve(run.tensorboard_path, "losses/policy") == [(1128, 0.5)]
    assert [row["env_steps"] for row in rows(run)] == [1128]


def test_a_number_that_is_not_finite_is_null_and_named_once(
    run: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), MetricsWriter(run) as writer:
        for step in (1, 2):
            values = {"losses/policy": float("nan"), "intrinsic/max": float("inf"), "time/fps": 1.0}
            writer.write(step, step, values)
    assert [row["losses/policy"] for row in rows(run)] == [None, None]
    assert rows(run)[0]["intrinsic/max"] is None
    assert rows(run)[0]["time/fps"] == 1.0
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["not a finite number at 1 env steps: intrinsic/max, losses/policy"]


def test_a_start_that_fails_before_its_first_row_leaves_no_curve(run: RunFolder) -> None:
    with MetricsWriter(run) as writer:
        writer.show(PAGES)
    assert not run.holds_results()


def test_a_file_that_may_not_grow_is_a_storage_error_with_its_path(run: RunFolder) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with MetricsWriter(run) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
        try:
            with pytest.raises(StorageError, match=r"metrics\.jsonl: File too large$"):
                write_updates(writer, [1])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (run.path / "metrics.jsonl").read_bytes() == b""


WRITE_UNTIL_FULL = """
import resource, sys
from pathlib import Path
from configs.errors import StorageError
from training.figures.curve_pages import Pages
from training.figures.metrics import MetricsWriter
from training.folders.run_folder import RunFolder

run = RunFolder(Path(sys.argv[1]), "demo")
writer = MetricsWriter(run)
writer.write(1, 1, {"losses/policy": 0.5})
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
failures = 0
for step in range(2, 100):
    try:
        writer.write(step, step, {"losses/policy": 0.5})
    except StorageError:
        failures += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.write(100, 100, {"losses/policy": 0.5})
writer.close()
print(failures)
"""


def test_a_disk_that_was_full_for_a_while_leaves_whole_rows_only(run: RunFolder) -> None:
    command = [sys.executable, "-c", WRITE_UNTIL_FULL, str(run.path.parents[1])]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    steps = [row["env_steps"] for row in rows(run)]
    assert steps == [*range(1, len(steps)), 100]
    assert len(steps) + int(result.stdout) >= 100
    assert curve(run.tensorboard_path, "losses/policy")[-1] == (100, 0.5)
    assert result.stderr == ""  # none of TensorBoard's threads prints a traceback


def test_a_second_close_does_nothing(run: RunFolder) -> None:
    writer = MetricsWriter(run)
    write_updates(writer, [1])
    writer.close()
    writer.close()
    assert [row["env_steps"] for row in rows(run)] == [1]


def test_the_null_writer_takes_the_same_calls_and_leaves_nothing(tmp_path: Path) -> None:
    writer: MetricsRecorder = NullMetricsWriter()
    writer.show(PAGES)
    write_updates(writer, [1])
    writer.close()
    assert not list(tmp_path.iterdir())
