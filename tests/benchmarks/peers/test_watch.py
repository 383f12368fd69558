"""A trainer watched from outside: what is counted between its marks, and that it ends."""

import re
from pathlib import Path

import psutil
import pytest

from benchmarks.peers.watch import WatchError, watch
from tests.benchmarks.peers.trainers import BURN, SIZES, TRAINER, trainer


def test_only_what_lies_between_the_marks_is_counted(tmp_path: Path) -> None:
    turn = watch(trainer(tmp_path, TRAINER).watched(SIZES), updates=2, patience=30.0)
    assert 3200 < turn.cpu < 7200  # 0.8 s for 200 env steps; start-up would double it
    assert 0 < turn.steps_per_second < 300
    assert turn.memory > 1


def test_processes_that_a_trainer_starts_are_counted_and_ended(tmp_path: Path) -> None:
    child = BURN + "input()\nburn(0.2)\nprint('mark 200', flush=True)\ntime.sleep(60)\n"
    code = BURN + (
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "print('mark 100')\n"
        "child.communicate(b'go')\n"
    )
    turn = watch(trainer(tmp_path, code).watched(SIZES), updates=1, patience=30.0)
    assert turn.cpu > 1500
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_lines_without_a_number_count_as_updates(tmp_path: Path) -> None:
    code = BURN + "for _ in range(3):\n    burn(0.05)\n    print('SPS:', 7)\ntime.sleep(60)\n"
    peer = trainer(tmp_path, code, re.compile(r"^SPS: \d+$"))
    assert watch(peer.watched(SIZES), updates=2, patience=30.0).cpu == pytest.approx(500, rel=0.5)


def test_a_trainer_that_fails_is_quoted(tmp_path: Path) -> None:
    code = "print('no such game')\nraise SystemExit(3)"
    with pytest.raises(WatchError, match=r"ended with 3\nno such game$"):
        watch(trainer(tmp_path, code).watched(SIZES), 1, patience=30.0)


def test_a_trainer_that_is_silent_is_given_up(tmp_path: Path) -> None:
    code = "import time\nwhile True:\n    print('warming up')\n    time.sleep(0.05)\n"
    with pytest.raises(WatchError, match=r"made no progress for 0.3 s\n(.*\n)*warming up"):
        watch(trainer(tmp_path, code).watched(SIZES), 1, patience=0.3)
