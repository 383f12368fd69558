"""Tar files for the library webdataset: a sample for each episode."""

from pathlib import Path

from training.exchange.library import library
from training.exchange.to_npz import arrays_of, values_of
from trajectories.reader import Dataset

SHARD_BYTES = 150_000_000


def write_webdataset(dataset: Dataset, out: Path) -> str:
    """Write shards of samples {"__key__", "npz", "json"}; return how they are read.

    Raises:
        ConfigurationError: webdataset is not installed.
    """
    webdataset = library("webdataset")
    with webdataset.ShardWriter(
        str(out / "shard-%06d.tar"), maxsize=SHARD_BYTES, verbose=0
    ) as writer:
        for number, episode in enumerate(dataset.scan()):
            # A key must not hold a dot, which an id may.
            sample = {"__key__": f"{number:06d}", "npz": arrays_of(episode)}
            writer.write({**sample, "json": values_of(dataset, number)})
        last = writer.shard - 1
    return f"webdataset.WebDataset('{{out}}/shard-{{{{000000..{last:06d}}}}}.tar').decode()"
