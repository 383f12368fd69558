"""From what is typed to datasets: folders, files and patterns."""

import glob
from collections.abc import Sequence
from pathlib import Path

from configs.errors import ConfigurationError
from configs.reading import printable
from trajectories.manifest import MANIFEST, part_paths


def datasets_named(words: Sequence[str]) -> dict[Path, set[str] | None]:
    """Return the folders of the datasets that are meant, each with the files in it that are.

    Args:
        words: folders, files in them, or patterns of either.

    Returns:
        Folder -> names of files; None = all of them.

    Raises:
        ConfigurationError: a word leads to nothing, or to a file beside which there is no dataset.
    """
    found: dict[Path, set[str] | None] = {}
    for word in words:
        paths = [Path(word)] if Path(word).exists() else sorted(map(Path, glob.glob(word)))
        if not paths:
            raise ConfigurationError(f"{printable(word)}: there is no such folder or file")
        for path in paths:
            if path.is_dir():
                found[path] = None
                continue
            if not (path.parent / MANIFEST).exists() and not part_paths(path.parent):
                raise ConfigurationError(f"{printable(word)}: is no file of a dataset")
            names = found.setdefault(path.parent, set())
            if names is not None:
                names.add(path.name)
    return found
