"""Barlow Twins: two views should agree in every feature, and no two features should.

Zbontar et al. 2021, "Barlow Twins" (arXiv 2103.03230), section 2.
"""

from torch import Tensor

from agents.losses.barlow_twins import cross_correlation, redundancy_loss
from agents.networks.projectors import ExpanderProjector
from agents.representation.head import Embeddings, RepresentationHead


class BarlowTwinsHead(RepresentationHead):
    """A wide projector, and the cross-correlation of its outputs over the batch of all ranks.

    Args:
        feature_size: D of the backbone.
        projection_sizes: widths of the projector's layers, the last one K.
        lam: weight of the redundancy between features, lambda of equation 1.
    """

    def __init__(self, feature_size: int, projection_sizes: tuple[int, ...], lam: float) -> None:
        super().__init__()
        self.projector = ExpanderProjector(feature_size, projection_sizes)
        self._lam = lam

    @property
    def needs_slow_backbone(self) -> bool:
        """Both views pass the one backbone."""
        return False

    def embed(self, features: Embeddings) -> Embeddings:
        """Project both views to [B, K]."""
        return Embeddings(self.projector(features.first), self.projector(features.second))

    def loss(self, features: Embeddings, slow_features: Embeddings | None) -> Tensor:
        """Return the loss of equation 1 over the batch of all ranks; no slow features."""
        del slow_features
        return redundancy_loss(cross_correlation(*self.embed(features)), self._lam)
