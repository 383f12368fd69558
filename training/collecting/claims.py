"""Which instance of a command collects which episodes, where several write into one directory.

An instance claims a range of numbers before it begins. A claim is a file
`claims/<seed>-<first>-<stop>` that its holder keeps locked; the kernel frees the lock when the
holder dies, so a claim that nobody holds was left unfinished. It goes when its episodes are whole.
All that looks at claims does so under one more lock, of all of them.
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from configs.errors import ConfigurationError, DatasetError
from configs.typed import typed
from training.collecting.numbering import number_of
from training.folders.lock import acquire_lock, release_lock
from training.recording.removing import remove_dataset
from trajectories.files import PART_PREFIX, storage_error
from trajectories.manifest import MANIFEST, part_paths, read_info, read_part

CLAIMS = "claims"  # the folder within the dataset's
CLAIM_NAME = re.compile(r"(\d+)-(\d+)-(\d+)")
DIRECTORY_LOCK = "lock"
PATIENCE = 60.0  # seconds that other instances take to look at claims, at most
PAUSE = 0.05  # seconds between two tries


@dataclass(frozen=True)
class Asked:
    """What the command asks for.

    Attributes:
        num_rollouts: episodes; of all instances together where they are numbered.
        instance, num_instances: which share of them; None where instances do not know each other.
        resume: whether to complete what was begun.
        overwrite: whether to begin anew.
    """

    num_rollouts: int
    instance: int | None = None
    num_instances: int | None = None
    resume: bool = False
    overwrite: bool = False

    @property
    def share(self) -> range | None:
        """The numbers that this instance is for; None where that is to be seen."""
        if self.instance is None or self.num_instances is None:
            return None
        ends = (
            self.num_rollouts * place // self.num_instances
            for place in (self.instance, self.instance + 1)
        )
        return range(*ends)


class Claims:
    """Numbers of episodes that are this instance's to collect; a context manager that holds them.

    Attributes:
        numbers: those that are missing, in order.
        num_done: episodes of the claimed ranges that were there already.
        notes: what the user should know of other claims.
        has_begun: whether anything may have been collected: else the claims go as they came.
        is_complete: whether all was collected: then they go, too.
    """

    def __init__(self, folder: Path) -> None:
        self.numbers: list[int] = []
        self.num_done = 0
        self.notes: list[str] = []
        self.has_begun = False
        self.is_complete = False
        self._folder = folder
        self._new: set[Path] = set()
        self._held: dict[Path, int] = {}

    def take(self, claim: range, seed: int) -> bool:
        """Lock a claim, made where there is none; return False where another process holds it."""
        path = self._folder / CLAIMS / f"{seed}-{claim.start}-{claim.stop}"
        is_new = not path.exists()
        try:
            self._held[path] = acquire_lock(path, str(path), "")
        except ConfigurationError:
            return False
        if is_new:
            self._new.add(path)
        return True

    def release(self) -> None:
        """Let the claims go; those that were begun and are not complete stay, held by nobody."""
        for path, descriptor in self._held.items():
            is_over = self.is_complete or (path in self._new and not self.has_begun)
            release_lock(descriptor, remove=path if is_over else None)
        self._held.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def claim(folder: Path, seed: int, asked: Asked) -> Claims:
    """Claim the episodes that this instance is to collect.

    A numbered instance claims its share. Any other one claims as many as are asked for, after all
    that are there or claimed; with `resume` all that was begun and is in nobody's hands, and what
    is missing of the first so many.

    Raises:
        ConfigurationError: episodes of the share are there or claimed, or the directory is in use.
        DatasetError: the dataset that is there is damaged.
        StorageError: the directory cannot be written.
    """
    try:
        (folder / CLAIMS).mkdir(parents=True, exist_ok=True)
        with _directory_lock(folder):
            claims = Claims(folder)
            try:
                if asked.overwrite:
                    _remove_dataset(folder)
                _claim(claims, folder, seed, asked)
            except BaseException:
                claims.release()
                raise
            return claims
    except OSError as error:
        raise storage_error(Path(error.filename or folder), error) from error


def _claim(claims: Claims, folder: Path, seed: int, asked: Asked) -> None:
    if asked.resume:
        _remove_unfinished(folder)
    others = [found for found_seed, found in _claims_in(folder) if found_seed == seed]
    share = asked.share
    free = [
        found
        for found in others
        if asked.resume and share in (None, found) and claims.take(found, seed)
    ]
    # Last: another process names its episodes and lets its claim go without the lock. A claim that
    # went since it was listed is made anew, in vain: its episodes are seen here.
    done = _numbers_done(folder, seed)
    if share is not None:
        mine = _claim_share(claims, share, others, free, done, seed, asked)
    elif asked.resume:
        mine = _claim_unfinished(claims, others, free, done, seed, asked.num_rollouts)
    else:
        first = max([0, *(found.stop for found in others), *(number + 1 for number in done)])
        mine = [range(first, first + asked.num_rollouts)]
        claims.take(mine[0], seed)
        claims.notes += [
            f"episodes {found.start} to {found.stop - 1} are claimed; {typed('--resume')} collects "
            "those that nobody is at"
            for found in others
        ]
    wanted = sorted({number for found in mine for number in found})
    claims.numbers = [number for number in wanted if number not in done]
    claims.num_done = len(wanted) - len(claims.numbers)


def _claim_share(
    claims: Claims,
    share: range,
    others: list[range],
    free: list[range],
    done: set[int],
    seed: int,
    asked: Asked,
) -> list[range]:
    """Claim the share of a numbered instance; `free` are those of the others that it has taken."""
    name = f"episodes {share.start} to {share.stop - 1} of seed {seed}"
    touching = [found for found in others if _meet(found, share)]
    if not asked.resume and (touching or any(number in done for number in share)):
        raise ConfigurationError(
            f"some of {name}, which instance {asked.instance} of {asked.num_instances} is for, are "
            f"there or claimed: {typed('--resume')} completes them, another {typed('--seed')} adds "
            "others"
        )
    strange = [found for found in touching if found != share]
    if strange:
        raise ConfigurationError(
            f"some of {name} are claimed as {strange[0].start} to {strange[0].stop - 1} by an "
            "unfinished command of other numbers: complete that one first, as it was typed, with "
            f"{typed('--resume')}"
        )
    if share in others and share not in free:
        raise ConfigurationError(f"{name} are being collected by another process")
    if len(share) and share not in others:
        claims.take(share, seed)
    return [share]


def _claim_unfinished(
    claims: Claims,
    others: list[range],
    free: list[range],
    done: set[int],
    seed: int,
    num_rollouts: int,
) -> list[range]:
    """Claim what nobody has claimed of the first, beside what was begun and is `free`: taken."""
    for found in others:
        if found not in free:
            left = sum(number not in done for number in found)
            claims.notes.append(
                f"episodes {found.start} to {found.stop - 1} are another process's, which has "
                f"{left} to go"
            )
    mine = list(free)
    beyond = sum(number >= num_rollouts and number not in done for each in mine for number in each)
    if beyond:
        claims.notes.append(
            f"{typed('--num_rollouts', num_rollouts)} is less than was begun: "
            f"{beyond:,} further episodes are completed too"
        )
    claimed = {number for found in others for number in found}
    for gap in _runs(n for n in range(num_rollouts) if n not in claimed and n not in done):
        claims.take(gap, seed)
        mine.append(gap)
    mine.append(range(num_rollouts) if not others else range(0))  # counts what is there
    return mine


def _runs(numbers: Iterable[int]) -> Iterator[range]:
    """Yield ascending numbers as ranges without gaps."""
    start = stop = None
    for number in numbers:
        if start is None or number != stop:
            if start is not None and stop is not None:
                yield range(start, stop)
            start = number
        stop = number + 1
    if start is not None and stop is not None:
        yield range(start, stop)


def _meet(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


def _claims_in(folder: Path) -> list[tuple[int, range]]:
    """Return seed and range of every claim."""
    matches = (CLAIM_NAME.fullmatch(path.name) for path in (folder / CLAIMS).iterdir())
    return sorted(
        ((int(m[1]), range(int(m[2]), int(m[3]))) for m in matches if m),
        key=lambda found: (found[0], found[1].start),
    )


def _numbers_done(folder: Path, seed: int) -> set[int]:
    """Return the numbers of this seed's episodes that are there.

    Raises:
        DatasetError: the manifest is damaged, or names a shard that is missing or cut.
    """
    if not (folder / MANIFEST).exists():
        return set()
    info = read_info(folder)
    shards = [shard for path in part_paths(folder) for shard in read_part(path, info).shards]
    for shard in shards:
        path = folder / shard.name
        if not path.exists() or path.stat().st_size != shard.num_bytes:
            raise DatasetError(
                f"{path}: is missing or cut; main.py --data repair {folder} moves aside what is "
                f"damaged, {typed('--resume')} then collects those episodes again"
            )
    names = (episode.id for shard in shards for episode in shard.episodes)
    return {number for name in names if (number := number_of(name, seed)) is not None}


def _remove_unfinished(folder: Path) -> None:
    """Remove files that were never finished, unless a claim is held: they may be its holder's."""
    if not _are_held(folder):
        for path in folder.glob(f"{PART_PREFIX}*"):
            path.unlink(missing_ok=True)


def _are_held(folder: Path) -> bool:
    """Whether a process, this one included, holds a claim."""
    with Claims(folder) as probe:
        return not all(probe.take(found, seed) for seed, found in _claims_in(folder))


def _remove_dataset(folder: Path) -> None:
    """Remove the dataset that is there with its claims, and nothing else.

    Raises:
        ConfigurationError: another process writes to it.
    """
    if _are_held(folder):
        raise ConfigurationError(
            f"{folder} is being written by another process: wait for it, or choose another "
            "--out_dir"
        )
    remove_dataset(folder)
    for path in (folder / CLAIMS).iterdir():
        if CLAIM_NAME.fullmatch(path.name):
            path.unlink()


@contextmanager
def _directory_lock(folder: Path) -> Iterator[None]:
    path, deadline = folder / CLAIMS / DIRECTORY_LOCK, time.monotonic() + PATIENCE
    while True:
        try:
            descriptor = acquire_lock(path, f"the list of claims in {folder}", "try again")
            break
        except ConfigurationError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
    try:
        yield
    finally:
        release_lock(descriptor, remove=path)
