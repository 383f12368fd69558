"""Verify and repair, on the terminal."""

from collections.abc import Sequence
from pathlib import Path

from configs.errors import DatasetError
from configs.sizes import bytes_text
from training.browsing.progress import reading
from training.live.console import final_message
from training.live.words import counted
from trajectories.inventory import take_inventory
from trajectories.places import datasets_named
from trajectories.repair import repair
from trajectories.verify import Verdict, bytes_to_read, verify, verify_folder


def verify_datasets(words: Sequence[str]) -> int:
    """Check datasets, or files of them; print every problem. Return the exit code.

    Args:
        words: folders, files or patterns.

    Raises:
        ConfigurationError: a word leads to nothing.
        DatasetError: a file is not whole, or a folder is no dataset.
    """
    bad = [
        folder for folder, names in datasets_named(words).items() if not _is_whole(folder, names)
    ]
    if bad:
        others = f" and {len(bad) - 1} more are" if bad[1:] else " is"
        raise DatasetError(
            f"{bad[0]}{others} not whole; main.py --data repair {bad[0]} moves aside what is "
            "damaged and keeps the rest"
        )
    return 0


def _is_whole(folder: Path, names: set[str] | None) -> bool:
    inventory = take_inventory(folder)
    with reading(bytes_to_read(inventory, names), f"verifying {folder}") as read:
        verdict = verify(inventory, names, read)
    for note in verdict.notes:
        final_message(note)
    for problem in verdict.problems:
        final_message(str(problem))
    final_message(_in_words(verdict))
    return not verdict.problems


def _in_words(verdict: Verdict) -> str:
    state = counted(len(verdict.problems), "problem") if verdict.problems else "whole"
    return (
        f"{verdict.folder}: {state}; {counted(verdict.num_shards, 'whole shard')} with "
        f"{counted(verdict.num_episodes, 'episode')}, {counted(verdict.num_rows, 'row')}, "
        f"{bytes_text(verdict.num_bytes)}"
    )


def repair_datasets(words: Sequence[str]) -> int:
    """Make datasets whole again; print what is moved and kept. Return the exit code.

    Args:
        words: folders, files in them, or patterns; a dataset is repaired as a whole.

    Raises:
        ConfigurationError: a word leads to nothing.
        DatasetError: a folder is no dataset, or nothing whole says what it is.
        StorageError: a file cannot be moved or written.
    """
    for folder in datasets_named(words):
        repair(folder, final_message)
        final_message(_in_words(verify_folder(folder)))
    return 0
