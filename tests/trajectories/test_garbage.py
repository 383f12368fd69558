"""Whatever lies in a dataset's files: one message, or what was written."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import DatasetError
from tests.trajectories.made import dataset, episode
from trajectories.document import dump_document
from trajectories.inventory import take_inventory
from trajectories.reader import open_dataset
from trajectories.repair import repair
from trajectories.verify import verify, verify_folder

FAST, FULL = 12, 1000  # examples; two of these tests together are 24, or 2,000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def often(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


COUNTS = [FAST, pytest.param(FULL, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("kept"), range(4), per_shard=2, length=8)


def one_message(call: Callable[[], object]) -> str | None:
    """Return the message of the error that a call ends with; None where it succeeds."""
    try:
        call()
    except DatasetError as error:
        told = str(error)
    else:
        return None
    assert told
    assert "\n" not in told
    return told


def places(content: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value within a JSON value."""
    yield way
    children: Any = ()
    if isinstance(content, dict):
        children = content.items()
    elif isinstance(content, list):
        children = enumerate(content)
    for key, child in children:
        yield from places(child, (*way, key))


def put(content: Any, way: tuple[Any, ...], value: Any) -> Any:
    """Return content with another value in one place."""
    if not way:
        return value
    changed = copy.deepcopy(content)
    inner = changed
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return changed


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", ["manifest.json", "manifest-a.json"])
def test_garbage_in_the_place_of_a_manifest_is_one_message(
    name: str, count: int, kept: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(kept, tmp_path / "set"))

    @often(count)
    @given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
    def check(data: bytes) -> None:
        (folder / name).write_bytes(data)
        assert one_message(lambda: open_dataset(folder))
        verdict = verify_folder(folder)
        assert name in {problem.path.name for problem in verdict.problems}
        assert all("\n" not in str(problem) for problem in verdict.problems)

    check()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", ["manifest.json", "manifest-a.json"])
def test_another_value_anywhere_in_a_manifest_is_one_message_or_is_read(
    name: str, count: int, kept: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(kept, tmp_path / "set"))
    content = json.loads((kept / name).read_bytes())["content"]
    ways = list(places(content))

    @often(count)
    @given(st.sampled_from(ways), JSON)
    def check(way: tuple[Any, ...], value: Any) -> None:
        try:
            data = dump_document(put(content, way, value))  # with the digest that fits
        except ValueError:
            return
        (folder / name).write_bytes(data)
        one_message(lambda: list(open_dataset(folder).scan()))
        one_message(lambda: verify_folder(folder))

    check()


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Draw one kind of damage to a file."""
    kind = draw(st.sampled_from(["flip", "cut", "grow", "zero", "swap", "replace"]))
    share, more = draw(st.floats(0, 1)), draw(st.binary(min_size=1, max_size=40))

    def damage(data: bytes) -> bytes:
        place = min(len(data) - 1, int(share * len(data)))
        match kind:
            case "flip":
                return data[:place] + bytes([data[place] ^ more[0] | 1]) + data[place + 1 :]
            case "cut":
                return data[:place]
            case "grow":
                return data[:place] + more + data[place:]
            case "zero":
                return data[:place] + bytes(len(data) - place)
            case "swap":
                return data[place:] + data[:place]
            case _:
                return data[:place] + more + data[place + len(more) :]

    return damage


@pytest.mark.parametrize("count", COUNTS)
def test_a_damaged_shard_is_one_message_or_gives_what_was_written(
    count: int, kept: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(kept, tmp_path / "set"))
    whole = (kept / "shard-a-0.parquet").read_bytes()

    @often(count)
    @given(damages())
    def check(damage: Callable[[bytes], bytes]) -> None:
        data = damage(whole)
        (folder / "shard-a-0.parquet").write_bytes(data)
        assert len(verify(take_inventory(folder)).problems) == (data != whole)
        opened = open_dataset(folder)
        for index in range(2):
            if one_message(partial(opened.episode, index)) is None:
                np.testing.assert_array_equal(
                    opened.episode(index).observations, episode(index, 8).observations
                )

    check()


@pytest.mark.parametrize("count", [5, pytest.param(300, marks=pytest.mark.slow)])
def test_repair_mends_any_damage_to_any_file(count: int, kept: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in kept.iterdir())
    numbers = iter(range(10**6))

    @often(count)
    @given(st.sampled_from(names), damages())
    def check(name: str, damage: Callable[[bytes], bytes]) -> None:
        folder = Path(shutil.copytree(kept, tmp_path / str(next(numbers))))
        (folder / name).write_bytes(damage((kept / name).read_bytes()))
        repair(folder, lambda _: None)
        assert verify_folder(folder).problems == ()
        assert len(open_dataset(folder)) >= 2
        shutil.rmtree(folder)

    check()
