"""The VAE of World Models as one would write it down: what ctallec's world-models does.

The same layers, a DataLoader whose samples are turned into float tensors one by one, batches of 32,
torch.optim.Adam, float32. Written anew from the description; resizing and mirroring, which that
code does too, are left out, so that the comparison flatters it.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

LATENTS, BATCH = 32, 32


class PlainVAE(nn.Module):
    """Four convolutions, four transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 32, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 128, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(128, 256, 4, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.mean, self.log_deviation = nn.Linear(1024, LATENTS), nn.Linear(1024, LATENTS)
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS, 1024),
            nn.ReLU(),
            nn.Unflatten(1, (1024, 1, 1)),
            nn.ConvTranspose2d(1024, 128, 5, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 5, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 6, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 3, 6, stride=2),
            nn.Sigmoid(),
        )

    def encode(self, pictures: Tensor) -> Tensor:
        """Return the mean [B, 32] of pictures [B, 3, 64, 64]."""
        mean: Tensor = self.mean(self.encoder(pictures))
        return mean

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the loss summed over the batch."""
        code = self.encoder(pictures)
        mean, log_deviation = self.mean(code), self.log_deviation(code)
        drawn = self.decoder(mean + log_deviation.exp() * torch.randn_like(mean))
        error = nn.functional.mse_loss(drawn, pictures, reduction="sum")
        divergence = -0.5 * torch.sum(
            1 + 2 * log_deviation - mean.square() - (2 * log_deviation).exp()
        )
        return error + divergence


class Frames(Dataset[Tensor]):
    """Frames [N, 64, 64, 3], turned into float tensors [3, 64, 64] when asked for.

    Args:
        frames: uint8.
    """

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Tensor:
        """Return one of them."""
        return torch.from_numpy(self._frames[index].transpose(2, 0, 1)).float().div(255.0)


class PlainTraining:
    """Trains step by step, epoch after epoch.

    Args:
        frames: uint8 [N, 64, 64, 3].
    """

    images_per_step = BATCH

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        self.model = PlainVAE()
        self._optimizer = torch.optim.Adam(self.model.parameters())
        self._loader = DataLoader(Frames(frames), batch_size=BATCH, shuffle=True, drop_last=True)
        self._batches = self._endless()

    def step(self) -> None:
        """Learn from one batch."""
        self._optimizer.zero_grad()
        loss = self.model(next(self._batches))
        loss.backward()
        self._optimizer.step()

    def _endless(self) -> Iterator[Tensor]:
        while True:
            yield from self._loader
