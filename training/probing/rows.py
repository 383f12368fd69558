"""Rows of episodes that a probe looks at: frames with their states, and features of them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.encoders.encoder import Encoder
from training.offline.encoding import latents_of
from training.probing.ridge import Floats
from trajectories.episode import Array
from trajectories.reader import Dataset, Ids

CHOOSING = 5  # each so-manyeth episode chooses the strength of a probe, the others fit it


@dataclass(frozen=True)
class Rows:
    """Some rows of a dataset, evenly spread over all of its episodes.

    Attributes:
        dataset: whose rows.
        ids: [N, 2], the episode's place in the dataset, and the row.
        frames: [N, H, W, C] or [N, C, H, W], as they are kept.
        states: [N, S].
    """

    dataset: Dataset
    ids: Ids
    frames: Array
    states: Floats

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def choosing(self) -> NDArray[np.bool_]:
        """Which rows belong to episodes that choose the strength of a probe, [N]."""
        return np.asarray(self.ids[:, 0] % CHOOSING == 0)


def spread_rows(dataset: Dataset, most: int) -> Rows:
    """Return all rows of a dataset, or each so-manyeth of an episode where there are too many.

    Episodes begin with another one each, so that all moments of an episode are among them: what an
    encoder with a memory makes of its first frames is like nothing later.

    Raises:
        DatasetError: one is damaged.
    """
    stride = -(-dataset.num_frames // most)
    ids = np.concatenate(
        [
            np.stack(
                np.broadcast_arrays(index, np.arange(index % stride, length + 1, stride)), axis=1
            )
            for index, length in enumerate(dataset.lengths)
        ]
    )
    column = dataset.info.schema.observation_column
    rows = dataset.frames(ids, (column, "state"))
    return Rows(dataset, ids, rows[column], rows["state"].astype(np.float64))


def features_of(encoder: Encoder, rows: Rows) -> Floats:
    """Return an encoder's features [N, D]; one with a memory sees whole episodes.

    Raises:
        DatasetError: an episode is damaged.
        UnexpectedObservationError: the frames are of another form than it was trained on.
    """
    with torch.no_grad():
        if encoder.initial_memory(1) is None:
            return latents_of(encoder, rows.frames)[0].astype(np.float64)
        found = np.empty((len(rows), encoder.feature_size))
        for index in range(len(rows.dataset)):
            wanted = rows.ids[:, 0] == index
            features, _ = latents_of(encoder, rows.dataset.episode(index).observations)
            found[wanted] = features[rows.ids[wanted, 1]]
        return found
