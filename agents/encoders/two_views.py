"""What objectives share that compare two views of a frame: no decoder, features alone.

The first view is a shifted frame. The second is another shift of the same frame, or of the one that
followed it: then features are to keep what changes slowly.
"""

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor

from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.objective import (
    DataShapes,
    Losses,
    Needs,
    Objective,
    Samples,
    frames_of,
    given,
)
from agents.losses.collapse import view_alignment
from agents.representation.head import Embeddings
from agents.representation.views import ViewKind, ViewPair, draw_views, make_view


class TwoViews(Objective):
    """Draws two views, encodes both, and asks `loss`.

    Args:
        encoder: of frames.
        settings: of the objective that this is.
        neighbours: whether the second view is of the frame that followed.
        view: "shift", or "none" for frames as they are.
    """

    encoder: ConvolutionEncoder

    def __init__(
        self,
        encoder: ConvolutionEncoder,
        settings: dict[str, Any],
        *,
        neighbours: bool,
        view: ViewKind,
    ) -> None:
        super().__init__(encoder, {**settings, "neighbours": neighbours, "view": view})
        self._neighbours = neighbours
        self._view = make_view(view)

    @classmethod
    def create(cls, shapes: DataShapes) -> Self:
        """Build it for the dataset's frames."""
        frames = frames_of(shapes, cls.kind)
        return cls(ConvolutionEncoder(frames, feature_size=shapes.feature_size))  # type: ignore[call-arg] # each kind has defaults

    @property
    def needs(self) -> Needs:
        """Frames, and where asked for those that followed."""
        if self._neighbours:
            return Needs(("observations", "next_observations"))
        return Needs(("observations",))

    def forward(self, samples: Samples, generator: torch.Generator) -> Losses:
        """Return the loss, and how well the two views' embeddings agree."""
        views = self.draw_views(samples, generator)
        features = Embeddings(*self.encoder.network(torch.cat(views)).chunk(2))
        loss = self.loss(features, views)
        alignment = view_alignment(features.first.detach(), features.second.detach())
        return Losses(loss, {"loss": loss.detach(), "view_alignment": alignment})

    def draw_views(self, samples: Samples, generator: torch.Generator) -> ViewPair:
        """Draw two views [B, C, H, W] of the samples, preprocessed."""
        inputs = self.encoder.preprocessing(given(samples, "observations"))
        following = None
        if self._neighbours:
            following = self.encoder.preprocessing(given(samples, "next_observations"))
        return draw_views(inputs, following, self._view, generator)

    @abstractmethod
    def loss(self, features: Embeddings, views: ViewPair) -> Tensor:
        """Return the mean over the samples of all ranks.

        Args:
            features: of both views, [B, D] each.
            views: what they are of, [B, C, H, W] each.
        """
