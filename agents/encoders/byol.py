"""BYOL on frames from a dataset.

Grill et al. 2020, arXiv 2006.07733, section 3.
"""

import torch
from torch import Tensor

from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.two_views import TwoViews
from agents.losses.global_sum import global_weighted_mean
from agents.networks.slow_copy import SlowCopy, cosine_momentum
from agents.representation.byol import BYOLHead
from agents.representation.head import Embeddings
from agents.representation.views import ViewKind, ViewPair


class BYOL(TwoViews):
    """Predict what a slow copy of the encoder makes of the other view.

    Args:
        encoder: of frames.
        hidden_size, projection_size: of projector and predictor.
        momentum: of the slow copy at the start; it nears 1 along a cosine.
        neighbours, view: see `TwoViews`.
    """

    kind = "byol"

    def __init__(
        self,
        encoder: ConvolutionEncoder,
        *,
        hidden_size: int = 256,
        projection_size: int = 128,
        momentum: float = 0.99,
        neighbours: bool = False,
        view: ViewKind = "shift",
    ) -> None:
        settings = {
            "hidden_size": hidden_size,
            "projection_size": projection_size,
            "momentum": momentum,
        }
        super().__init__(encoder, settings, neighbours=neighbours, view=view)
        self.head = BYOLHead(encoder.feature_size, hidden_size, projection_size)
        self.slow_network = SlowCopy(encoder.network)
        self._momentum = momentum

    def loss(self, features: Embeddings, views: ViewPair) -> Tensor:
        """Return the sum of both assignments of the views, equation 2."""
        slow = Embeddings(*self.slow_network(torch.cat(views)).chunk(2))
        own = self.head.loss(features, slow)
        return global_weighted_mean(own, own.new_tensor(float(len(features.first))))

    def after_step(self, progress: float) -> None:
        """Let the slow copies follow."""
        super().after_step(progress)
        momentum = cosine_momentum(self._momentum, progress)
        self.slow_network.update(self.encoder.network, momentum)
        self.head.after_step(momentum)
