"""Rows and windows become the samples that a model asks for, in an order that resumes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.encoders.objective import Needs, Samples
from configs.errors import DatasetError
from tests.training.offline.made import FRAMES, STEPS, VECTORS, squares, vectors, write
from training.offline.loader import Loader, size_of
from training.offline.samples import open_source, samples_of_windows
from training.offline.shapes import frames_of_schema, shapes_of
from trajectories.episode import Array, Episode
from trajectories.reader import Dataset, open_dataset
from trajectories.sampling import Position, Share

CPU = torch.device("cpu")
WINDOW = Needs(("observations", "states", "actions", "labels", "mask"), 5)
PAIR = Needs(("observations", "next_observations", "states", "next_states", "actions"))
ROW = Needs(("observations", "states", "labels"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(squares(tmp_path_factory.mktemp("samples") / "D", 6))


def first(dataset: Dataset, needs: Needs, size: int = 4) -> Samples:
    source = open_source(dataset, needs, batch_size=size, seed=3)
    samples, _ = next(source.batches(Position()))
    return samples


def test_single_rows_belong_together_and_what_is_not_needed_is_none(dataset: Dataset) -> None:
    samples = first(dataset, ROW)
    assert samples.observations is not None
    assert samples.states is not None
    assert samples.labels is not None
    assert samples.observations.dtype == torch.uint8
    assert samples.actions is None
    lived = {
        states_of(episode)[row].tobytes(): (
            episode.observations[row],
            [episode.labels[name][row] for name in FRAMES.labels],
        )
        for episode in dataset.scan()
        for row in range(episode.length + 1)
    }
    for number, state in enumerate(samples.states):
        frame, labels = lived[state.numpy().tobytes()]
        np.testing.assert_array_equal(samples.observations[number], frame)
        np.testing.assert_allclose(samples.labels[number], labels, rtol=1e-6)


def states_of(episode: Episode) -> Array:
    assert episode.states is not None
    return episode.states


def test_what_follows_is_the_next_row_of_the_same_episode(dataset: Dataset) -> None:
    samples = first(dataset, PAIR)
    lived = {
        states_of(episode)[row].tobytes(): (episode, row)
        for episode in dataset.scan()
        for row in range(episode.length)
    }
    found = {name: values for name, values in samples._asdict().items() if values is not None}
    assert set(found) == set(PAIR.fields)
    for number in range(4):
        episode, row = lived[found["states"][number].numpy().tobytes()]
        wanted = {
            "observations": episode.observations[row],
            "next_observations": episode.observations[row + 1],
            "next_states": states_of(episode)[row + 1],
            "actions": episode.actions[row],
        }
        for name, values in wanted.items():
            np.testing.assert_array_equal(found[name][number], values)


def test_windows_have_a_mask_and_labels_of_each_step(dataset: Dataset) -> None:
    samples = first(dataset, WINDOW)
    shapes = {name: tuple(v.shape) for name, v in samples._asdict().items() if v is not None}
    assert shapes == {
        "observations": (4, 5, 64, 64, 3),
        "states": (4, 5, 2),
        "actions": (4, 5, 2),
        "labels": (4, 5, 2),
        "mask": (4, 5),
    }
    np.testing.assert_allclose(samples.labels, samples.states, rtol=1e-6)  # type: ignore[arg-type]


def test_a_gap_of_a_label_in_the_filling_of_a_window_is_none(dataset: Dataset) -> None:
    windows = dataset.windows(np.array([[0, 10, 12]]), 5)
    assert windows.labels["top"][0, 3:].tolist() == [0.0, 0.0, 0.0]
    windows.labels["top"][0, 3:] = np.nan
    labels = samples_of_windows(windows, FRAMES, WINDOW).labels
    assert labels is not None
    assert not labels[0, :2].isnan().any()


def test_windows_of_latents_have_deviations_rewards_and_ends(tmp_path: Path) -> None:
    schema = replace(VECTORS, latent="gaussian")
    episodes = [
        replace(episode, latent_std=2.0 * np.abs(episode.observations), terminated=True)
        for episode in map(vectors, range(3))
    ]
    write(tmp_path, episodes, schema)
    fields = ("observations", "deviations", "next_deviations", "rewards", "terminations", "mask")
    dataset = open_dataset(tmp_path)
    windows = dataset.windows(np.array([[1, STEPS - 3, STEPS], [2, 0, 5]]), 5)
    found = samples_of_windows(windows, schema, Needs(fields, 5))._asdict()
    assert found["mask"].tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    np.testing.assert_array_equal(found["deviations"], 2.0 * found["observations"].abs())
    last = 2.0 * np.abs(episodes[1].observations[-1])
    np.testing.assert_array_equal(found["next_deviations"][0, 2], last)
    np.testing.assert_allclose(found["rewards"][1], episodes[2].rewards[:5], rtol=1e-6)
    assert found["terminations"].tolist() == [[False, False, True, False, False], [False] * 5]
    assert shapes_of(schema, 0).vector_size == 4
    assert shapes_of(replace(schema, observation_dtype="int64"), 0).vector_size == 0
    assert shapes_of(FRAMES, 0).vector_size == 0


def test_choices_begin_at_0_and_vectors_are_states(tmp_path: Path) -> None:
    write(tmp_path, [vectors(seed) for seed in range(3)], VECTORS)
    dataset = open_dataset(tmp_path)
    samples = first(dataset, Needs(("states", "actions", "next_states")), 16)
    assert samples.actions is not None
    assert samples.states is not None
    assert samples.next_states is not None
    assert samples.actions.dtype == torch.int64
    assert set(samples.actions.tolist()) == {0, 1, 2}
    followed = 0.9 * samples.states + samples.actions[:, None] + 1
    torch.testing.assert_close(samples.next_states, followed)
    shapes = shapes_of(VECTORS, 8)
    assert (shapes.frames, shapes.state_size, shapes.action_size) == (None, 4, 3)
    assert shapes.discrete_actions


@pytest.mark.parametrize(
    ("shape", "dtype", "wanted"),
    [
        ((64, 48, 3), "uint8", (64, 48, 3, "HWC", 255.0)),
        ((4, 84, 80), "uint8", (84, 80, 4, "CHW", 255.0)),
        ((64, 64, 1), "float32", (64, 64, 1, "HWC", 1.0)),
    ],
)
def test_the_form_of_frames_is_read_off_their_shape(
    shape: tuple[int, ...], dtype: str, wanted: tuple[object, ...]
) -> None:
    schema = replace(FRAMES, observation_shape=shape, observation_dtype=dtype)
    frames = frames_of_schema(schema)
    assert frames is not None
    facts = frames.facts
    keys = ("height", "width", "channels", "layout", "high")
    assert tuple(facts[key] for key in keys) == wanted
    assert frames.shape == shape


@pytest.mark.parametrize("changes", [{"observation_shape": (64, 64)}, {"latent": "point"}])
def test_what_is_no_picture_is_no_frame(changes: dict[str, object]) -> None:
    assert frames_of_schema(replace(FRAMES, **changes)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("needs", [ROW, WINDOW], ids=["rows", "windows"])
def test_a_loader_goes_on_from_its_position(needs: Needs, dataset: Dataset) -> None:
    source = open_source(dataset, needs, batch_size=3, seed=1, share=Share(0, 2))
    with Loader(source, Position(), CPU) as loader:
        taken = []
        for _ in range(9):
            place = loader.position
            taken.append((place, loader.next()))
    for place, samples in taken[4:]:
        with Loader(source, place, CPU) as again:
            other = again.next()
        for one, two in zip(samples, other, strict=True):
            assert (one is None) == (two is None)
            assert one is None or two is None or torch.equal(one, two)


def test_the_batches_of_two_ranks_have_nothing_in_common(dataset: Dataset) -> None:
    seen = []
    for rank in range(2):
        source = open_source(dataset, ROW, batch_size=3, seed=1, share=Share.of(rank, 2))
        states: set[bytes] = set()
        for samples, position in source.batches(Position()):
            if position.epoch > 0:
                break
            assert samples.states is not None
            states |= {state.numpy().tobytes() for state in samples.states}
        seen.append(states)
    assert len(seen[0]) > 30
    assert not seen[0] & seen[1]


def test_an_error_of_the_thread_is_raised_where_the_batch_is_asked_for(tmp_path: Path) -> None:
    squares(tmp_path / "D", 4)
    dataset = open_dataset(tmp_path / "D")
    (shard,) = (tmp_path / "D").glob("*.parquet")
    content = bytearray(shard.read_bytes())
    content[len(content) // 8 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 8)
    shard.write_bytes(content)
    with (
        Loader(open_source(dataset, ROW, batch_size=40, seed=0), Position(), CPU) as loader,
        pytest.raises(DatasetError, match=str(shard)),
    ):
        loader.next()


def test_a_loader_that_nobody_empties_ends(dataset: Dataset) -> None:
    loader = Loader(open_source(dataset, ROW, batch_size=3, seed=0), Position(), CPU)
    assert size_of(loader.next()) == 3
    loader.close()
    assert not loader._thread.is_alive()


def test_the_same_seed_gives_the_same_order_and_another_one_another(dataset: Dataset) -> None:
    def states(seed: int) -> list[float]:
        source = open_source(dataset, ROW, batch_size=6, seed=seed)
        samples, _ = next(source.batches(Position()))
        assert samples.states is not None
        found: list[float] = samples.states.flatten().tolist()
        return found

    assert states(1) == states(1) != states(2)
