"""What every representation head is: features of two views in, a loss out."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class Embeddings(NamedTuple):
    """Two views of B samples, encoded: [B, D] each."""

    first: Tensor
    second: Tensor


class RepresentationHead(nn.Module, ABC):
    """What turns the backbone's features of two views into a loss.

    Its statistics over a batch are those of all ranks' batches together. A new head is one file
    with one class (docs/extending.md), and one line in training/building/heads.py.
    """

    @property
    @abstractmethod
    def needs_slow_backbone(self) -> bool:
        """Whether `loss` wants the features of the backbone's slow copy."""

    @abstractmethod
    def embed(self, features: Embeddings) -> Embeddings:
        """Project the features [B, D] of both views to [B, K], as for the loss."""

    @abstractmethod
    def loss(self, features: Embeddings, slow_features: Embeddings | None) -> Tensor:
        """Return the mean loss of this rank's samples, or that of all ranks'.

        Args:
            features: of the backbone, [B, D] per view, with gradient.
            slow_features: of its slow copy, without gradient, if `needs_slow_backbone`.
        """

    def after_step(self, momentum: float) -> None:
        """Move what follows the head's own networks, after an optimiser step."""
