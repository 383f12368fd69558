"""SimCLR on frames from a dataset.

Chen et al. 2020, arXiv 2002.05709, section 2.1.
"""

from torch import Tensor

from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.two_views import TwoViews
from agents.losses.simclr import contrastive_loss
from agents.networks.projectors import Projector
from agents.representation.head import Embeddings
from agents.representation.views import ViewKind, ViewPair


class SimCLR(TwoViews):
    """Of all samples of all ranks, each finds its other view.

    Args:
        encoder: of frames.
        temperature: τ.
        hidden_size, projection_size: of the projector.
        neighbours, view: see `TwoViews`.
    """

    kind = "simclr"

    def __init__(
        self,
        encoder: ConvolutionEncoder,
        *,
        temperature: float = 0.5,
        hidden_size: int = 256,
        projection_size: int = 128,
        neighbours: bool = False,
        view: ViewKind = "shift",
    ) -> None:
        settings = {
            "temperature": temperature,
            "hidden_size": hidden_size,
            "projection_size": projection_size,
        }
        super().__init__(encoder, settings, neighbours=neighbours, view=view)
        self.projector = Projector(encoder.feature_size, hidden_size, projection_size)
        self._temperature = temperature

    def loss(self, features: Embeddings, views: ViewPair) -> Tensor:
        """Return equation 1 on the projections, over the batch of all ranks."""
        del views
        first, second = (self.projector(view) for view in features)
        return contrastive_loss(first, second, self._temperature)
