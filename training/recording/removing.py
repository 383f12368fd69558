"""A dataset removed, to begin anew."""

from pathlib import Path

from trajectories.files import PART_PREFIX
from trajectories.manifest import MANIFEST, PART_NAME, SHARD_NAME


def remove_dataset(folder: Path) -> None:
    """Remove the files of the dataset in `folder`, and no other ones; there need not be any.

    Raises:
        OSError: one cannot be removed.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        is_shard = PART_NAME.fullmatch(path.name) or SHARD_NAME.fullmatch(path.name)
        if is_shard or path.name == MANIFEST or path.name.startswith(PART_PREFIX):
            path.unlink()
