"""BYOL-Explore: the bonus is how badly a world model foresaw the slow features of what came.

Guo et al. 2022, "BYOL-Explore: Exploration by Bootstrapped Prediction" (arXiv 2206.08332): its
world model, and how its errors are scaled and prioritized. Differs from the paper:

- the world model shares nothing with the policy, and its memory is not the policy's;
- the history before a rollout, and before a segment of it, is a belief kept from when it was lived
  through: it is as old as the last update, and no gradient reaches what lies before it;
- the targets of an update are computed once, before its first step, though the slow encoder moves
  with every step;
- errors fall fast at first: what must be exceeded is the running mean or the rollout's own, the
  lesser of the two, or nothing would be rewarded until the mean has forgotten the start;
- what is left is divided by RND's running deviation, so that its weight is that of other bonuses;
- the bonus where fewer than K predictions exist: see `step_bonuses`.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from agents.intrinsic.base import Batch, Experience, IntrinsicReward, Sampler
from agents.intrinsic.segments import History, SegmentBatch, SegmentSampler
from agents.losses.byol_explore import (
    prediction_errors,
    prioritized,
    reachable,
    sequence_loss,
    step_bonuses,
)
from agents.losses.moments import moments_of
from agents.networks.slow_copy import SlowCopy
from agents.networks.world_model import WorldModel
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer

CHUNK_SIZE = 1024  # most frames that pass an encoder at once
FORGETTING = 0.9  # of the statistics, per rollout: about the paper's 0.99 for each gradient step


class ForgettingMoments(nn.Module):
    """Mean and deviation of recent rollouts: exponential averages, without the pull of their start.

        μ = Σ_i α^{c-i} m_i / Σ_i α^{c-i},    σ² = Σ_i α^{c-i} q_i / Σ_i α^{c-i} - μ²

    arXiv 2206.08332, reward normalization and prioritization (its adjusted averages), with the mean
    m and the mean square q of a rollout of all ranks.
    """

    sums: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sums", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros((), dtype=torch.float64))

    def update(self, mean: Tensor, mean_square: Tensor) -> None:
        """Add a rollout's; once per rollout."""
        self.sums.copy_(FORGETTING * self.sums + torch.stack([mean, mean_square]))
        self.weight.copy_(FORGETTING * self.weight + 1.0)

    @property
    def mean(self) -> Tensor:
        """μ, a scalar; 0 before any data."""
        return self.sums[0] / self.weight.clamp_min(1.0)

    @property
    def std(self) -> Tensor:
        """σ, a scalar; 0 before any data."""
        mean_square = self.sums[1] / self.weight.clamp_min(1.0)
        return (mean_square - self.mean.square()).clamp_min(0.0).sqrt()


class BYOLExplore(IntrinsicReward):
    """World model, the slow copy of its encoder, and the belief of each environment.

    Args:
        world_model: trained; its encoder takes one frame [B, C, H, W] or vector [B, D].
        horizon: K, the steps ahead that are predicted, at least 1.
        num_envs: environments of this rank.
        gamma: discount of the intrinsic return, for the reward filter.
        momentum: α, of the slow encoder.
        longest_segment: steps of a training sequence at most.
    """

    needs_warm_up = False
    belief: Tensor
    previous_action: Tensor

    def __init__(
        self,
        world_model: WorldModel,
        horizon: int,
        num_envs: int,
        gamma: float,
        *,
        momentum: float = 0.99,
        longest_segment: int = 32,
    ) -> None:
        super().__init__(num_envs, gamma)
        self.world_model = world_model
        self.slow_encoder = SlowCopy(world_model.encoder)
        self.recent = ForgettingMoments()
        self._horizon = horizon
        self._momentum = momentum
        self._longest_segment = longest_segment
        self._judged: History | None = None
        for name, size in (
            ("belief", world_model.belief_size),
            ("previous_action", world_model.num_actions),
        ):
            self.register_buffer(name, torch.zeros(num_envs, size), persistent=False)

    @torch.no_grad()
    def raw_bonuses(self, experience: Experience) -> Tensor:
        """Return the summed prediction errors [T, N]; the beliefs move on to the next rollout."""
        history = self._live_through(experience.rollout, self.belief, self.previous_action)
        going_on = (~history.ended[-1]).unsqueeze(1)
        self.belief.copy_(history.beliefs[-1] * going_on)
        self.previous_action.copy_(history.actions[-1] * going_on)
        self._judged = history
        errors = self._errors(history.beliefs, history.actions, history.targets)
        return step_bonuses(errors, reachable(history.ended, self._horizon))

    def scale(self, raw: Tensor, ranks: Ranks) -> Tensor:
        """Return what of `raw` [T, N], over its recent deviation, exceeds its mean; RND's scale."""
        now = ranks.merge(moments_of(raw.flatten()))
        self.recent.update(now.mean, now.m2 / now.count + now.mean.square())
        return super().scale(self._above_mean(raw, now.mean), ranks)

    def scaled(self, raw: Tensor) -> Tensor:
        """Return what `scale` would if `raw` [T, N] were all ranks' rollout, and learn nothing."""
        return super().scaled(self._above_mean(raw, raw.double().mean()))

    @torch.no_grad()
    def sampler(self, experience: Experience, generator: torch.Generator) -> Sampler:
        """Return what deals out segments of the rollout judged last.

        Any other rollout is lived through here, as if all its environments had just been reset.
        """
        history, self._judged = self._judged, None
        if history is None or history.rollout is not experience.rollout:
            N = experience.rollout.rewards.shape[1]
            fresh = (buffer.new_zeros(N, buffer.shape[1]) for buffer in self._carried())
            history = self._live_through(experience.rollout, *fresh)
        return SegmentSampler(history, self._longest_segment, generator)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean prediction error of a SegmentBatch."""
        segments = SegmentBatch(*batch)
        features = self.world_model.encoder(segments.frames.flatten(0, 1))
        beliefs = self.world_model.track(
            features.unflatten(0, segments.ended.shape),
            segments.previous_actions,
            segments.starts,
            segments.belief,
        )
        errors = self._errors(beliefs, segments.actions, segments.targets)
        return {"predictor": sequence_loss(errors, reachable(segments.ended, self._horizon))}

    def after_step(self) -> None:
        """Let the slow encoder follow: φ ← α φ + (1 - α) θ."""
        self.slow_encoder.update(self.world_model.encoder, self._momentum)

    def metrics(self) -> dict[str, Tensor]:
        """Return the scale of the bonus, and mean and deviation of recent errors."""
        recent = {"intrinsic/error_mean": self.recent.mean, "intrinsic/error_std": self.recent.std}
        return super().metrics() | recent

    def rank_state(self) -> dict[str, Tensor]:
        """Return the filter's sums and what is believed of each environment."""
        belief, previous_action = self._carried()
        return super().rank_state() | {"belief": belief, "previous_action": previous_action}

    def start_episodes(self) -> None:
        """Believe nothing of any environment."""
        for buffer in self._carried():
            buffer.zero_()

    def _above_mean(self, raw: Tensor, mean: Tensor) -> Tensor:
        """Return what of `raw` [T, N], over its deviation, exceeds the recent mean and `mean`."""
        deviation = self.recent.std + 1e-8
        least = torch.minimum(self.recent.mean, mean)
        return prioritized((raw.double() / deviation).float(), least / deviation)

    def _carried(self) -> tuple[Tensor, Tensor]:
        return self.belief, self.previous_action

    def _live_through(
        self, rollout: RolloutBuffer, belief: Tensor, previous_action: Tensor
    ) -> History:
        """Run the closed loop over a rollout, from `belief` [N, M] after `previous_action` [N, A].

        Every frame is encoded once by each encoder.
        """
        ended = rollout.terminated | rollout.truncated
        actions = self.world_model.embed_actions(rollout.actions)
        previous_actions = torch.cat([previous_action.unsqueeze(0), actions[:-1]])
        starts = torch.cat([torch.zeros_like(ended[:1]), ended[:-1]])
        encode = partial(_encoded, like=ended)
        features = encode(self.world_model.encoder, rollout.frames)
        beliefs = self.world_model.track(features, previous_actions, starts, belief)
        return History(
            rollout,
            actions,
            previous_actions,
            starts,
            ended,
            beliefs,
            previous_beliefs=torch.cat([belief.unsqueeze(0), beliefs[:-1]]),
            targets=encode(self.slow_encoder, rollout.next_frames),
        )

    def _errors(self, beliefs: Tensor, actions: Tensor, targets: Tensor) -> Tensor:
        """Return the errors [K, T, B] of all predictions, 0 where there is no target.

        One horizon at a time: all predictions of a rollout at once would be large.
        """
        predictions = self.world_model.imagine(beliefs, actions, self._horizon)
        return torch.stack(
            [
                pad(prediction_errors(predicted, targets[k:]), (0, 0, 0, k))
                for k, predicted in enumerate(predictions)
            ]
        )


def _encoded(encoder: nn.Module, frames: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """Encode what `frames` gives of all samples of a rollout, as [T, N, D] of `like` [T, N].

    The encoder normalises over the frames that pass it at once, so all pieces are of one size.
    """
    samples = torch.arange(like.numel(), device=like.device)
    pieces = samples.tensor_split(math.ceil(len(samples) / CHUNK_SIZE))
    features = torch.cat([encoder(frames(piece)).float() for piece in pieces])
    return features.reshape(*like.shape, -1)
