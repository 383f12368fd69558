"""How a run that ends says it goes on."""

from pathlib import Path

import pytest
import torch

from configs.errors import FullDiskError
from training.folders.run_folder import RunFolder
from training.loop.last_words import full_disk_errors
from training.ranks.distributed import Place
from training.session import Session


@pytest.mark.parametrize(
    ("saved", "source", "is_resumed", "then"),
    [
        (None, None, False, "begins anew"),
        (None, Path("another.ckpt"), False, "begins anew"),
        (None, Path("own.ckpt"), True, "goes on"),
        (Path("own.ckpt"), None, False, "goes on"),
    ],
)
def test_a_full_disk_says_whether_resume_finds_a_checkpoint_of_the_run(
    saved: Path | None, source: Path | None, is_resumed: bool, then: str, tmp_path: Path
) -> None:
    """That of another run is none of its own: from it the run begins."""
    session = Session(
        Place(0, 1, 0, 1),
        torch.device("cpu"),
        RunFolder(tmp_path, "run"),
        last_checkpoint=saved,
        source=source,
        is_resumed=is_resumed,
    )
    with pytest.raises(FullDiskError, match=f"--resume {then}"), full_disk_errors(session):
        raise FullDiskError("no room")
