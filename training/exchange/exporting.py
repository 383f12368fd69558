"""From a dataset to another library's files: all of them or none."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from configs.errors import ConfigurationError, StorageError
from training.exchange.to_minari import write_minari
from training.exchange.to_npz import write_npz
from training.exchange.to_webdataset import write_webdataset
from training.folders.files import PART_PREFIX, storage_error
from training.live.console import final_message
from trajectories.reader import Dataset, open_dataset

FORMATS: Mapping[str, Callable[[Dataset, Path], str]] = {
    "minari": write_minari,
    "webdataset": write_webdataset,
    "npz": write_npz,
}


def export_dataset(form: str, folder: Path, out: Path) -> int:
    """Write a dataset to a new folder in another format; return the exit code.

    Args:
        form: one of FORMATS.
        folder: of the dataset.
        out: the folder to write, which must not be there.

    Raises:
        ConfigurationError: `out` is there, or the library of the format is not installed.
        DatasetError: the dataset is damaged.
        StorageError: `out` cannot be written.
    """
    dataset = open_dataset(folder)
    if out.exists():
        raise ConfigurationError(f"{out}: is there already; an export makes a new folder")
    unfinished = out.parent / f"{PART_PREFIX}{out.name}"
    try:
        unfinished.mkdir(parents=True)
        how_to_read = FORMATS[form](dataset, unfinished).format(out=out)
        unfinished.rename(out)
    except FileExistsError:
        raise StorageError(f"{unfinished}: another export writes here, or was killed") from None
    except BaseException as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(error, OSError):
            raise storage_error(out, error) from error
        raise
    final_message(f"exported    {len(dataset):,} episodes to {out}")
    final_message(f"read it by  {how_to_read}")
    return 0
