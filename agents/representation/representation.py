"""Representation learning beside PPO, on the policy's backbone, in the same backward pass.

The head sees the backbone through a twin: a second module whose parameters lie in the same memory
and gather their gradient apart. DistributedDataParallel averages both gradients over ranks, so that
what the two objectives want of the backbone can be compared, and one projected, as if all samples
had been in one process.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.losses.collapse import effective_rank, feature_spread, view_alignment
from agents.losses.gradient_projection import project_conflict
from agents.networks.slow_copy import SlowCopy, cosine_momentum
from agents.representation.head import Embeddings, RepresentationHead
from agents.representation.views import View, ViewPair, draw_views
from agents.rollout import RolloutBuffer

LARGEST_DIAGNOSIS = 512  # samples that the diagnostics look at


@dataclass(frozen=True)
class SlowSchedule:
    """How slowly the copies follow: by one momentum, or by one that nears 1 along a cosine.

    Grill et al. 2020 (arXiv 2006.07733), section 3.3.
    """

    momentum: float
    cosine: bool

    def at(self, progress: float) -> float:
        """Return the momentum when `progress` in [0, 1] of the run is done."""
        return cosine_momentum(self.momentum, progress) if self.cosine else self.momentum


class RepresentationLearning(nn.Module):
    """A head, the backbone's twin, and the slow copy of the backbone where the head needs one.

    Args:
        backbone: the policy's.
        head: BYOL, Barlow Twins or another.
        view: draws one view of stacked frames.
        neighbours: whether the second view is of the observation that followed.
        slow: how the slow copies follow.
        coef: weight of the head's loss.
        share: of a minibatch, in (0, 1]: how much of it the head looks at.
        project_gradient: take out of the head's gradient on the backbone what runs against PPO's.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: RepresentationHead,
        view: View,
        slow: SlowSchedule,
        *,
        neighbours: bool,
        coef: float,
        share: float,
        project_gradient: bool,
    ) -> None:
        super().__init__()
        self.twin = copy.deepcopy(backbone).requires_grad_()  # the policy's may be frozen
        self.head = head
        self.slow_backbone = SlowCopy(backbone) if head.needs_slow_backbone else None
        self.coef = coef
        self._share = share
        self._view = view
        self._neighbours = neighbours
        self._slow = slow
        self._project_gradient = project_gradient

    def tie(self, backbone: nn.Module) -> None:
        """Let the twin's parameters be those of `backbone`, which must stay where they are."""
        for own, shared in zip(self.twin.parameters(), backbone.parameters(), strict=True):
            own.data = shared.data

    def draw_views(
        self,
        observations: Tensor,
        rollout: RolloutBuffer,
        samples: Tensor,
        generator: torch.Generator,
    ) -> ViewPair:
        """Draw two views of some of samples [B] (t * N + n).

        At least two, as statistics over a batch need them; as many on every rank.

        Args:
            observations: [B, S * C, H, W], of the samples.
            rollout: where what followed them is.
            samples: [B].
            generator: this rank's stream.
        """
        count = max(min(2, len(samples)), round(self._share * len(samples)))
        chosen = rollout.positions(count, len(samples), generator)
        samples, observations = samples[chosen], observations[chosen]
        following = rollout.next_observations(samples) if self._neighbours else None
        return draw_views(observations, following, self._view, generator)

    def forward(self, views: ViewPair) -> Tensor:
        """Return the head's loss on two views [B, S * C, H, W], a scalar."""
        slow = None
        if self.slow_backbone is not None:
            slow = _of_both(self.slow_backbone, views)
        return self.head.loss(_of_both(self.twin, views), slow)

    def fold_gradient(self, backbone: nn.Module) -> Tensor:
        """Add the twin's gradient to that of `backbone`; return the cosine of the two.

        Yu et al. 2020 (arXiv 2001.06782), one way: where the two point against each other, the
        head's loses what runs against PPO's.
        """
        own, shared = _gradients(self.twin.parameters()), _gradients(backbone.parameters())
        projected, cosine = project_conflict(own, shared)
        additions = projected if self._project_gradient else own
        for gradient, addition in zip(shared, additions, strict=True):
            gradient.add_(addition)
        self.twin.zero_grad()
        return cosine

    def after_step(self, progress: float) -> None:
        """Move the slow copies, when `progress` in [0, 1] of the run is done."""
        momentum = self._slow.at(progress)
        if self.slow_backbone is not None:
            self.slow_backbone.update(self.twin, momentum)
        self.head.after_step(momentum)

    @torch.no_grad()
    def diagnose(self, views: ViewPair) -> dict[str, Tensor]:
        """Return how alive backbone and embedding are, measured on the first samples of two views.

        A head's normalisation blows up what little a collapsed backbone still tells apart.
        """
        few = ViewPair(*(view[:LARGEST_DIAGNOSIS] for view in views))
        features = _of_both(self.twin, few)
        first, second = self.head.embed(features)
        return {
            "representation/backbone_rank": effective_rank(features.first.float()),
            "representation/backbone_std": feature_spread(features.first.float()),
            "representation/effective_rank": effective_rank(first.float()),
            "representation/feature_std": feature_spread(first.float()),
            "representation/view_alignment": view_alignment(first.float(), second.float()),
        }


def _of_both(backbone: nn.Module, views: ViewPair) -> Embeddings:
    """Encode both views in one pass: [B, ...] each to [B, D] each."""
    first, second = backbone(torch.cat(views)).chunk(2)
    return Embeddings(first, second)


def _gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
