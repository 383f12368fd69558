"""What an encoder is measured against."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.encoders.conv_autoencoder import PooledEncoder
from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import FramePreprocessing
from agents.encoders.reward_induced import RecurrentEncoder
from agents.networks.batch_norm import ImageBatchNorm
from tests.training.offline.made import squares
from training.offline.samples import Source, open_source
from training.probing import baselines
from training.probing.baselines import pca_features, principal_components, supervised, untrained
from training.probing.rows import Rows, features_of, spread_rows
from training.probing.verdicts import probed
from trajectories.reader import open_dataset

Kind = type[ConvolutionEncoder] | type[RecurrentEncoder] | type[PooledEncoder]


def encoder_of(kind: Kind) -> Encoder:
    torch.manual_seed(0)
    return kind(FramePreprocessing(64, 64, 3), feature_size=8).eval()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return spread_rows(open_dataset(squares(tmp_path_factory.mktemp("d") / "D", 12)), 1000)


@pytest.mark.parametrize("shape", [(40, 7), (7, 40)])
def test_principal_components_are_those_of_the_covariance(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 9, shape[1])
    mean, directions = principal_components(values, 3)
    np.testing.assert_allclose(mean, values.mean(axis=0))
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-9)
    energies = np.linalg.eigvalsh(np.cov(values.T))[::-1][:3]
    scores = (values - mean) @ directions.T
    np.testing.assert_allclose(np.cov(scores.T), np.diag(energies), atol=1e-8)


def test_there_are_no_more_components_than_directions(rows: Rows) -> None:
    _, directions = principal_components(np.outer(np.arange(5.0), np.ones(9)), 4)
    assert directions.shape == (1, 9)
    found, _ = pca_features(rows, rows, 10_000)
    assert found.shape[1] < len(rows)


def test_an_untrained_twin_has_other_weights_and_the_same_preprocessing() -> None:
    frames = FramePreprocessing(64, 64, 3, standardize=True)
    frames.fit(torch.randint(0, 99, (5, 64, 64, 3), dtype=torch.uint8))
    encoder = ConvolutionEncoder(frames, feature_size=8)
    before = torch.get_rng_state()
    twin = untrained(encoder, 1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(twin.get_buffer("preprocessing.mean"), frames.mean)
    ours, theirs = (dict(each.named_parameters()) for each in (encoder, twin))
    assert all(not torch.equal(ours[name], theirs[name]) for name in ours)
    again = untrained(encoder, 1).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in twin.state_dict().items())


@pytest.mark.parametrize(("kind", "steps"), [(ConvolutionEncoder, 12), (RecurrentEncoder, 30)])
def test_supervised_training_tells_the_state_better_than_none(
    kind: Kind, steps: int, rows: Rows
) -> None:
    encoder = encoder_of(kind)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}

    def error(judged: Encoder) -> float:
        features = features_of(judged, rows)
        scores, _ = probed(rows, features, rows, features)
        return sum(1 - score for score in scores if score is not None)

    taught = supervised(encoder, rows.dataset, rows.states, steps, seed=1)
    assert error(taught) < 0.8 * error(untrained(encoder, 1))
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_supervised_training_moves_the_statistics_that_it_is_judged_with(rows: Rows) -> None:
    taught = supervised(encoder_of(PooledEncoder), rows.dataset, rows.states, 30, seed=1)
    layers = [layer for layer in taught.modules() if isinstance(layer, ImageBatchNorm)]
    assert len(layers) == 4
    assert all(bool(layer.running_mean.all()) for layer in layers)  # they begin at 0
    assert float(layers[0].running_variance.max()) < 0.2  # pictures vary by a hundredth of 1


@pytest.mark.parametrize(("kind", "size"), [(ConvolutionEncoder, 39), (RecurrentEncoder, 3)])
def test_few_episodes_do_not_make_batches_smaller_than_their_frames(
    kind: Kind, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(squares(tmp_path / "D", 3))  # 13 frames each
    sizes = []

    def opened(*arguments: Any, batch_size: int, seed: int) -> Source:
        sizes.append(batch_size)
        return open_source(*arguments, batch_size=batch_size, seed=seed)

    monkeypatch.setattr(baselines, "open_source", opened)
    supervised(encoder_of(kind), dataset, np.zeros((39, 2)), 1, seed=1)
    assert sizes == [size]


def test_rows_are_spread_over_all_episodes_and_memories_see_whole_ones(tmp_path: Path) -> None:
    dataset = open_dataset(squares(tmp_path / "D", 4))
    few, every = spread_rows(dataset, 20), spread_rows(dataset, 1000)
    assert len(every) == dataset.num_frames
    assert len(few) <= 20
    assert set(few.ids[:, 0].tolist()) == {0, 1, 2, 3}
    assert {0, 1, 2} <= set(few.ids[:, 1].tolist())  # all moments, the first ones too
    encoder = encoder_of(RecurrentEncoder)
    found, whole = features_of(encoder, few), features_of(encoder, every)
    places = [every.ids.tolist().index(each) for each in few.ids.tolist()]
    np.testing.assert_array_equal(found, whole[places])
    episode = dataset.episode(1)
    np.testing.assert_array_equal(every.frames[every.ids[:, 0] == 1], episode.observations)
    np.testing.assert_array_equal(every.states[every.ids[:, 0] == 1], episode.states)
    with torch.no_grad():
        wanted = encoder.encode_sequence(torch.from_numpy(episode.observations.copy())[None])[0]
    np.testing.assert_allclose(whole[every.ids[:, 0] == 1], wanted, atol=1e-6)
