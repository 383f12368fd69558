"""Barlow Twins on frames from a dataset.

Zbontar et al. 2021, arXiv 2103.03230, section 2.
"""

from torch import Tensor

from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.two_views import TwoViews
from agents.representation.barlow_twins import BarlowTwinsHead
from agents.representation.head import Embeddings
from agents.representation.views import ViewKind, ViewPair


class BarlowTwins(TwoViews):
    """Two views agree in every projected feature, and no two of them say the same.

    Args:
        encoder: of frames.
        projection_sizes: widths of the projector's layers.
        lam: weight of the redundancy, λ.
        neighbours, view: see `TwoViews`.
    """

    kind = "barlow_twins"

    def __init__(
        self,
        encoder: ConvolutionEncoder,
        *,
        projection_sizes: tuple[int, ...] = (256, 256),
        lam: float = 0.0051,
        neighbours: bool = False,
        view: ViewKind = "shift",
    ) -> None:
        sizes = tuple(projection_sizes)
        settings = {"projection_sizes": list(sizes), "lam": lam}
        super().__init__(encoder, settings, neighbours=neighbours, view=view)
        self.head = BarlowTwinsHead(encoder.feature_size, sizes, lam)

    def loss(self, features: Embeddings, views: ViewPair) -> Tensor:
        """Return equation 1 over the batch of all ranks."""
        del views
        return self.head.loss(features, None)
