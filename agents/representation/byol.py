"""BYOL: predict what a slow copy of yourself makes of another view of the same thing.

Grill et al. 2020, "Bootstrap Your Own Latent" (arXiv 2006.07733), section 3.
"""

from torch import Tensor

from agents.losses.byol import regression_loss
from agents.networks.projectors import Projector
from agents.networks.slow_copy import SlowCopy
from agents.representation.head import Embeddings, RepresentationHead


class BYOLHead(RepresentationHead):
    """Projector and predictor, and a slow copy of the projector for the slow backbone's features.

    The slow projector normalises by its own batch, as the online one does; its running statistics
    can thus not lag behind, as there are none.

    Args:
        feature_size: D of the backbone.
        hidden_size: width inside projector and predictor.
        projection_size: K of the embedding.
    """

    def __init__(self, feature_size: int, hidden_size: int, projection_size: int) -> None:
        super().__init__()
        self.projector = Projector(feature_size, hidden_size, projection_size)
        self.predictor = Projector(projection_size, hidden_size, projection_size)
        self.slow_projector = SlowCopy(self.projector)

    @property
    def needs_slow_backbone(self) -> bool:
        """Its features are what is predicted."""
        return True

    def embed(self, features: Embeddings) -> Embeddings:
        """Project both views to [B, K]."""
        return Embeddings(self.projector(features.first), self.projector(features.second))

    def loss(self, features: Embeddings, slow_features: Embeddings | None) -> Tensor:
        """Return L + L~ of equation 2: each view predicts the slow projection of the other.

        Raises:
            ValueError: no slow features.
        """
        if slow_features is None:
            raise ValueError("BYOL predicts the features of a slow backbone, and got none")
        targets = Embeddings(*(self.slow_projector(view) for view in slow_features))
        predictions = Embeddings(*(self.predictor(view) for view in self.embed(features)))
        return regression_loss(predictions.first, targets.second) + regression_loss(
            predictions.second, targets.first
        )

    def after_step(self, momentum: float) -> None:
        """Let the slow projector follow."""
        self.slow_projector.update(self.projector, momentum)
