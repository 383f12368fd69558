"""Claims: which process collects which numbers, while others begin and end."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import ConfigurationError
from tests.trajectories.made import DESCRIPTION, SCHEMA, episode
from training.collecting import claims
from training.collecting.claims import Asked, Claims, claim
from training.collecting.numbering import episode_id
from trajectories.reader import known_ids, open_dataset
from trajectories.writer import ShardWriter

SEED = 1
NAMES = ("_claims_in", "_numbers_done")  # the two looks at what is there


def collect(folder: Path, held: Claims, numbers: Iterable[int]) -> None:
    held.has_begun = True
    with ShardWriter(folder, SCHEMA, DESCRIPTION, "w") as writer:
        for number in numbers:
            made = episode(number, 3)
            named = {**made.values, "id": episode_id(SEED, number)}
            writer.add(replace(made, values=named))


def complete(folder: Path, held: Claims) -> None:
    """Collect all that is held, and let the claims go, as a process does that ends well."""
    collect(folder, held, held.numbers)
    held.is_complete = True
    held.release()


def end_after(name: str, other: Claims, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the other process end right after a look."""
    look = getattr(claims, name)

    def look_and_let_the_other_end(*arguments: object) -> object:
        found = look(*arguments)
        if not known_ids(folder):
            complete(folder, other)
        return found

    monkeypatch.setattr(claims, name, look_and_let_the_other_end)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_process_that_ends_between_two_looks_has_its_episodes_collected_once(
    name: str, resume: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_after(name, claim(tmp_path, SEED, Asked(5)), tmp_path, monkeypatch)
    mine = claim(tmp_path, SEED, Asked(5, resume=resume))
    assert mine.numbers == ([] if resume else list(range(5, 10)))
    complete(tmp_path, mine)
    assert len(open_dataset(tmp_path)) == (5 if resume else 10)
    assert list((tmp_path / "claims").iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_instance_that_ends_while_its_share_is_resumed_has_it_collected_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = Asked(5, 0, 1, resume=True)
    end_after(name, claim(tmp_path, SEED, share), tmp_path, monkeypatch)
    if name == "_numbers_done":  # it is still there when the claim is tried
        with pytest.raises(ConfigurationError, match="being collected by another process"):
            claim(tmp_path, SEED, share)
    mine = claim(tmp_path, SEED, share)
    assert (mine.numbers, mine.num_done) == ([], 5)


def test_a_claim_whose_episodes_are_all_there_goes_with_the_next_resume(tmp_path: Path) -> None:
    killed = claim(tmp_path, SEED, Asked(5))
    collect(tmp_path, killed, killed.numbers)
    killed.release()  # a kill after the last episode leaves the claim, held by nobody
    stopped = claim(tmp_path, SEED, Asked(7, resume=True))
    assert (stopped.numbers, stopped.num_done) == ([5, 6], 5)
    collect(tmp_path, stopped, [5])
    stopped.release()
    last = claim(tmp_path, SEED, Asked(7, resume=True))
    assert (last.numbers, last.num_done) == ([6], 6)
    complete(tmp_path, last)
    assert len(open_dataset(tmp_path)) == 7
    assert list((tmp_path / "claims").iterdir()) == []
