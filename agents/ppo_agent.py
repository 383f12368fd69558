"""The agent: acts, and learns from a rollout (PPO with two value streams and an optional bonus)."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from agents.learner import Learner, Minibatch, PredictorBatch
from agents.losses.ppo import explained_variance
from agents.losses.returns import generalized_advantages
from agents.minibatches import MinibatchPlan, draw_minibatches
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.errors import NonFiniteError


class Decision(NamedTuple):
    """What the policy chose: actions [n] or [n, A], and [n] each of what learning needs."""

    actions: Tensor
    log_probs: Tensor
    values_extrinsic: Tensor
    values_intrinsic: Tensor


@dataclass(frozen=True)
class LearningSettings:
    """The numbers of one update (see PPOSection and IntrinsicSection for each)."""

    epochs: int
    num_minibatches: int
    gamma: float
    gae_lambda: float
    intrinsic_gamma: float
    extrinsic_coef: float
    intrinsic_coef: float
    normalize_advantage: bool
    max_grad_norm: float | None
    predictor_share: float


class Targets(NamedTuple):
    """What a rollout teaches, [T * N] each: the summed advantage and the two returns."""

    advantages: Tensor
    returns_extrinsic: Tensor
    returns_intrinsic: Tensor


class PPOAgent:
    """Acts with, and trains, one replica of the learner.

    Args:
        learner: the module, on its device.
        optimizer: over the learner's trainable parameters.
        settings: the numbers of an update.
        ranks: all agent processes.
        generator: this rank's random stream, on the learner's device.
    """

    def __init__(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        settings: LearningSettings,
        ranks: Ranks,
        generator: torch.Generator,
    ) -> None:
        self.learner = learner
        self.optimizer = optimizer
        self.generator = generator
        self.device = generator.device
        self._settings = settings
        self._ranks = ranks
        self._replica = _replicate(learner)
        self._base_rates = [group["lr"] for group in optimizer.param_groups]

    @torch.no_grad()
    def act(self, observations: Tensor) -> Decision:
        """Sample actions for `observations` [n, S * C, H, W] or [n, D]."""
        with self.learner.precision(self.device):
            output = self.learner.policy(observations)
        actions = output.distribution.sample(self.generator)
        return Decision(
            actions,
            output.distribution.log_prob(actions),
            output.value_extrinsic,
            output.value_intrinsic,
        )

    @torch.no_grad()
    def act_greedily(self, observations: Tensor) -> Tensor:
        """Return the most likely actions [n] or [n, A] for `observations`."""
        with self.learner.precision(self.device):
            actions: Tensor = self.learner.policy(observations).distribution.mode()
        return actions

    def observe(self, rollout: RolloutBuffer) -> None:
        """Update the observation statistics alone (warm-up with random actions)."""
        if self.learner.intrinsic is not None:
            self.learner.intrinsic.observe(rollout.next_frames, self._samples(rollout), self._ranks)

    def set_progress(self, fraction: float) -> None:
        """Anneal the learning rates linearly: `fraction` in [0, 1] of the run is done."""
        for group, rate in zip(self.optimizer.param_groups, self._base_rates, strict=True):
            group["lr"] = rate * (1.0 - fraction)

    def learn(self, rollout: RolloutBuffer) -> dict[str, Tensor]:
        """Train on one rollout, in the order of the RND paper's code.

        1. bonuses under the old observation statistics,
        2. the reward filter and the bonuses' scale,
        3. advantages and returns of both streams,
        4. new observation statistics,
        5. target features under the new statistics,
        6. epochs of minibatches.

        Returns:
            named scalars on the device, means over the minibatches of this rank.

        Raises:
            NonFiniteError: where a gradient is not finite; no parameter of that step has changed.

        """
        samples = self._samples(rollout)
        bonuses, metrics = self._bonuses(rollout, samples)
        targets, value_metrics = self._targets(rollout, bonuses)
        features = None
        if self.learner.intrinsic is not None:
            self.learner.intrinsic.observe(rollout.next_frames, samples, self._ranks)
            with self.learner.precision(self.device):
                features = self.learner.intrinsic.targets(rollout.next_frames, samples)
        return metrics | value_metrics | self._train(rollout, targets, features)

    def prime(self, rollout: RolloutBuffer) -> None:
        """Run two backward passes and forget them.

        DistributedDataParallel orders its buckets anew after the first backward pass; with three
        or more ranks that changes the order of sums. Priming makes a fresh and a resumed run sum
        in the same order, bit for bit.
        """
        samples = torch.zeros(2, dtype=torch.int64, device=self.device)
        zeros = torch.zeros(2, device=self.device)
        actions = rollout.actions.flatten(0, 1)[samples]
        for _ in range(2):
            predictor = None
            if self.learner.intrinsic is not None:
                frames = rollout.next_frames(samples)
                features = self.learner.intrinsic.targets(rollout.next_frames, samples)
                predictor = PredictorBatch(frames, features, torch.ones((), device=self.device))
            observations = rollout.observations(samples)
            batch = Minibatch(
                observations, actions, zeros, zeros, zeros, zeros, zeros, predictor=predictor
            )
            self._replica(batch)["total"].backward()
            self.optimizer.zero_grad()

    def _samples(self, rollout: RolloutBuffer) -> Tensor:
        return torch.arange(rollout.rewards.numel(), device=self.device)

    @torch.no_grad()
    def _bonuses(self, rollout: RolloutBuffer, samples: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the normalised bonuses [T, N] and what to report of them."""
        intrinsic = self.learner.intrinsic
        if intrinsic is None:
            return torch.zeros_like(rollout.rewards), {}
        with self.learner.precision(self.device):
            raw = intrinsic.bonuses(rollout.next_frames, samples).view_as(rollout.rewards)
        intrinsic.reward_filter.update(raw, self._ranks)
        bonuses = intrinsic.reward_filter.normalize(raw)
        moments = intrinsic.observation_moments
        return bonuses, {
            "intrinsic/mean": bonuses.mean(),
            "intrinsic/max": bonuses.max(),
            "intrinsic/raw": raw.mean(),
            "intrinsic/normalizer": intrinsic.reward_filter.moments.std,
            "observation/mean": moments.mean.mean(),
            "observation/std": moments.std.mean(),
        }

    @torch.no_grad()
    def _targets(
        self, rollout: RolloutBuffer, bonuses: Tensor
    ) -> tuple[Targets, dict[str, Tensor]]:
        """Return advantages and returns of both streams (GAE: Schulman et al. 2015, eq. 16)."""
        settings = self._settings
        next_extrinsic, next_intrinsic = self._next_values(rollout)
        done = rollout.terminated | rollout.truncated
        extrinsic = generalized_advantages(
            rollout.rewards,
            rollout.values_extrinsic,
            next_extrinsic,
            settings.gamma * (~rollout.terminated).float(),
            settings.gae_lambda * (~done).float(),
        )
        # The intrinsic return runs on through episode ends (Burda et al. 2018, section 2.3).
        intrinsic = generalized_advantages(
            bonuses,
            rollout.values_intrinsic,
            next_intrinsic,
            torch.full_like(bonuses, settings.intrinsic_gamma),
            torch.full_like(bonuses, settings.gae_lambda),
        )
        summed = settings.extrinsic_coef * extrinsic + settings.intrinsic_coef * intrinsic
        returns_extrinsic = extrinsic + rollout.values_extrinsic
        targets = Targets(
            summed.flatten(),
            returns_extrinsic.flatten(),
            (intrinsic + rollout.values_intrinsic).flatten(),
        )
        variance = explained_variance(
            rollout.values_extrinsic.flatten(), returns_extrinsic.flatten()
        )
        return targets, {"losses/explained_variance": variance}

    def _next_values(self, rollout: RolloutBuffer) -> tuple[Tensor, Tensor]:
        """Return both values [T, N] of what followed each step.

        The extrinsic one is taken at the true last observation where an episode was truncated; the
        intrinsic one at the observation that follows in the never-ending stream.
        """
        T, N = rollout.rewards.shape
        last = self.act_values(rollout.observation(T, slice(0, N)))
        extrinsic, intrinsic = (
            torch.cat([values[1:], end.unsqueeze(0)])
            for values, end in zip(
                (rollout.values_extrinsic, rollout.values_intrinsic), last, strict=True
            )
        )
        cut = rollout.truncated_samples()
        if len(cut):
            at_end, _ = self.act_values(rollout.final_observations(cut))
            extrinsic.view(-1)[cut] = at_end
        return extrinsic, intrinsic

    @torch.no_grad()
    def act_values(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return the extrinsic and the intrinsic value [n] of `observations`."""
        with self.learner.precision(self.device):
            output = self.learner.policy(observations)
        return output.value_extrinsic, output.value_intrinsic

    def _train(
        self, rollout: RolloutBuffer, targets: Targets, features: Tensor | None
    ) -> dict[str, Tensor]:
        settings = self._settings
        plans = list(
            draw_minibatches(
                targets.advantages,
                epochs=settings.epochs,
                num_minibatches=settings.num_minibatches,
                predictor_share=settings.predictor_share,
                generator=self.generator,
                ranks=self._ranks,
            )
        )
        sums: dict[str, Tensor] = {}
        for plan in plans:
            losses = self._step(self._minibatch(rollout, targets, features, plan))
            for name, value in losses.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value
        return {f"losses/{name}": value / len(plans) for name, value in sums.items()}

    def _minibatch(
        self, rollout: RolloutBuffer, targets: Targets, features: Tensor | None, plan: MinibatchPlan
    ) -> Minibatch:
        samples = plan.samples
        advantages = targets.advantages[samples]
        if self._settings.normalize_advantage:
            advantages = (advantages - plan.advantage_mean) / (plan.advantage_std + 1e-8)
        predictor = None
        if features is not None:
            kept = samples[plan.kept]
            predictor = PredictorBatch(rollout.next_frames(kept), features[kept], plan.kept_total)
        return Minibatch(
            observations=rollout.observations(samples),
            actions=rollout.actions.flatten(0, 1)[samples],
            log_probs=rollout.log_probs.flatten()[samples],
            advantages=advantages,
            values_extrinsic=rollout.values_extrinsic.flatten()[samples],
            returns_extrinsic=targets.returns_extrinsic[samples],
            returns_intrinsic=targets.returns_intrinsic[samples],
            predictor=predictor,
        )

    def _step(self, batch: Minibatch) -> dict[str, Tensor]:
        """Take one optimiser step; return the losses and the gradient's norm."""
        losses: dict[str, Tensor] = self._replica(batch)
        self.optimizer.zero_grad()
        losses.pop("total").backward()
        parameters = [p for p in self.learner.parameters() if p.requires_grad]
        limit = self._settings.max_grad_norm
        norm = nn.utils.clip_grad_norm_(parameters, float("inf") if limit is None else limit)
        # All ranks hold the same averaged gradient, so all of them stop here together.
        if not bool(torch.isfinite(norm)):
            figures = ", ".join(f"{name} {float(value):g}" for name, value in losses.items())
            raise NonFiniteError(f"the gradient is not finite ({figures})")
        self.optimizer.step()
        return losses | {"grad_norm": norm}


def _replicate(learner: Learner) -> DistributedDataParallel:
    """Wrap the learner. Statistics are merged over ranks exactly, by us: buffers stay apart."""
    with warnings.catch_warnings():
        # The successor of broadcast_buffers is not in every supported torch.
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(learner, broadcast_buffers=False)
