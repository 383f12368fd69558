"""Whether a training on a dataset begins or goes on: no model is lost to a restart."""

from pathlib import Path

import pytest

from configs.errors import CheckpointError
from training.checkpoints.storage import Saver, companions
from training.offline.continuation import Start, choose_start
from training.offline.model_folder import ModelFolder
from training.offline.options import OfflineOptions
from training.ranks.restarts import launcher


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    """The folder of a training that this launcher has started."""
    with ModelFolder.open(tmp_path, "E", mode="fresh") as folder:
        folder.write_manifest(config_text="", versions={}, command=[], seed=1, launcher=launcher())
    return folder


def start_after_a_restart(folder: ModelFolder) -> Start:
    options = OfflineOptions("main.py", dataset="D", model_dir=folder.path)
    return choose_start(options, restarted=True)


def test_a_restart_goes_on_from_the_newest_whole_checkpoint(folder: ModelFolder) -> None:
    assert start_after_a_restart(folder) == Start(None, "anew")
    path = folder.checkpoint
    for _ in range(2):
        Saver(path).save({}, is_best=False)
    assert start_after_a_restart(folder) == Start(path, "resume")
    path.unlink()
    path.write_bytes(b"torn")
    assert start_after_a_restart(folder) == Start(companions(path)[1], "resume")


def test_a_restart_never_begins_anew_where_a_best_checkpoint_is_left(folder: ModelFolder) -> None:
    path = folder.checkpoint
    for is_best in (True, False, False):
        Saver(path).save({}, is_best=is_best)
    for damaged in companions(path)[:2]:
        damaged.unlink()
        damaged.write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"model\.ckpt: not a .*beside it: .*model\.best"):
        start_after_a_restart(folder)
    for damaged in companions(path)[:2]:
        damaged.unlink()
    with pytest.raises(CheckpointError, match=r"beside it: .*model\.best"):
        start_after_a_restart(folder)
