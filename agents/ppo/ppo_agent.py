"""The agent: acts, and learns from a rollout (PPO with two value streams and an optional bonus)."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from agents.intrinsic.base import Sampler
from agents.minibatches import MinibatchPlan, draw_minibatches
from agents.networks.recurrent_actor_critic import PolicyInput
from agents.ppo.acting import Decision, decide
from agents.ppo.gradient_steps import GradientSteps
from agents.ppo.learner import Learner, Minibatch
from agents.ppo.policy_change import SAMPLES_PER_LOOK, PolicyChange
from agents.ppo.rollout_figures import figures_of
from agents.ppo.state_statistics import observe_states, state_statistics
from agents.ppo.targets import Discounting, SampleTable, Targets, compute_targets
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer, RolloutShape
from agents.steps.adam import Optimizer


@dataclass(frozen=True)
class LearningSettings:
    """The numbers of one update (see PPOSection and IntrinsicSection for each)."""

    epochs: int
    num_minibatches: int
    discounting: Discounting
    normalize_advantage: bool
    anneal_learning_rate: bool
    max_grad_norm: float | None
    predictor_share: float


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
        optimizer: Optimizer,
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
        self._steps = GradientSteps(learner, optimizer, settings.max_grad_norm)
        self._base_rates = [group["lr"] for group in optimizer.param_groups]
        self._progress = 0.0

    def act(self, inputs: PolicyInput) -> Decision:
        """Sample actions for what the policy is shown of n environments."""
        precision = self.learner.precision(self.device)
        return decide(self.learner.policy, precision, inputs, self.generator)

    @property
    def needs_warm_up(self) -> bool:
        """Whether bonus or policy have statistics that random play is to seed."""
        intrinsic = self.learner.intrinsic
        of_bonus = intrinsic is not None and intrinsic.needs_warm_up
        return of_bonus or state_statistics(self.learner.policy) is not None

    def observe(self, rollout: RolloutBuffer) -> None:
        """Update the statistics of what bonus and policy see, alone (warm-up at random)."""
        if self.learner.intrinsic is not None:
            with self.learner.precision(self.device):
                self.learner.intrinsic.observe(self.learner.experience(rollout), self._ranks)
        observe_states(self.learner.policy, rollout, self._ranks)

    def set_progress(self, fraction: float) -> None:
        """Follow the schedules: `fraction` in [0, 1] of the run is done."""
        self._progress = fraction
        left = 1.0 - fraction if self._settings.anneal_learning_rate else 1.0
        for group, rate in zip(self.optimizer.param_groups, self._base_rates, strict=True):
            group["lr"] = rate * left

    def learn(self, rollout: RolloutBuffer, *, diagnose: bool = True) -> dict[str, Tensor]:
        """Train on one rollout, in the order of the RND paper's code.

        1. bonuses under the old statistics of their input,
        2. the reward filter and the bonuses' scale,
        3. advantages and returns of both streams,
        4. new statistics of the bonus's input,
        5. the bonus's targets under the new statistics,
        6. epochs of minibatches,
        7. new statistics of the policy's input, where it has some: the next rollout's.

        Args:
            rollout: all that happened since the last call.
            diagnose: also return figures that are only watched, of the policy's change and of how
                alive the representation is; the same on every rank.

        Returns:
            named scalars on the device: of losses the means over the minibatches of this rank.

        Raises:
            NonFiniteGradientError: where one is not finite; no parameter of that step has changed.

        """
        bonuses, sampler, metrics = self._judge(rollout)
        targets = compute_targets(rollout, bonuses, self.values_of, self._settings.discounting)
        if diagnose:
            has_bonus = self.learner.intrinsic is not None
            discounting = self._settings.discounting
            metrics |= figures_of(rollout, targets, discounting, self._ranks, has_bonus=has_bonus)
        losses, last_batch = self._train(rollout, targets, sampler, diagnose=diagnose)
        observe_states(self.learner.policy, rollout, self._ranks)
        return metrics | losses | (self.learner.diagnose(last_batch) if diagnose else {})

    def prime(self, shape: RolloutShape) -> None:
        """Run two backward passes on an empty rollout like `shape`, and forget them.

        DistributedDataParallel orders its buckets anew after the first backward pass; with three
        or more ranks that changes the order of sums. Priming makes a fresh and a resumed run sum
        in the same order, bit for bit.
        """
        rollout = self.learner.new_rollout(replace(shape, rollout_steps=2, num_envs=1), self.device)
        generator = torch.Generator(self.device)
        sampler = None
        if self.learner.intrinsic is not None:
            with self.learner.precision(self.device):
                experience = self.learner.experience(rollout)
                sampler = self.learner.intrinsic.sampler(experience, generator)
        samples = torch.arange(2, device=self.device)
        one = torch.ones((), device=self.device)
        plan = MinibatchPlan(samples, samples, 2 * one, 0 * one, one)
        zeros = torch.zeros(2, device=self.device)
        targets = Targets(zeros, zeros, zeros)
        table = SampleTable.of(rollout, targets)
        self._steps.rehearse(self._minibatch(rollout, table, sampler, plan, generator))

    @torch.no_grad()
    def values_of(self, inputs: PolicyInput) -> tuple[Tensor, Tensor]:
        """Return the extrinsic and the intrinsic value [n] of what the policy is shown."""
        with self.learner.precision(self.device):
            output = self.learner.policy(inputs)
        return output.value_extrinsic, output.value_intrinsic

    @torch.no_grad()
    def _judge(self, rollout: RolloutBuffer) -> tuple[Tensor, Sampler | None, dict[str, Tensor]]:
        """Return the scaled bonuses [T, N], what trains them, and what to report of them."""
        intrinsic = self.learner.intrinsic
        if intrinsic is None:
            return torch.zeros_like(rollout.rewards), None, {}
        with self.learner.precision(self.device):
            experience = self.learner.experience(rollout)
            raw = intrinsic.raw_bonuses(experience)
            bonuses = intrinsic.scale(raw, self._ranks)
            rollout.bonuses.copy_(bonuses)
            metrics = {
                "intrinsic/mean": bonuses.mean(),
                "intrinsic/raw": raw.mean(),
            } | intrinsic.metrics()
            intrinsic.observe(experience, self._ranks)
            sampler = intrinsic.sampler(experience, self.generator)
        return bonuses, sampler, metrics

    def _train(
        self, rollout: RolloutBuffer, targets: Targets, sampler: Sampler | None, *, diagnose: bool
    ) -> tuple[dict[str, Tensor], Minibatch]:
        """Return the mean of each loss with how far the policy moved, and the last minibatch."""
        settings = self._settings
        plans = list(
            draw_minibatches(
                targets.advantages,
                rollout.partition,
                epochs=settings.epochs,
                num_minibatches=settings.num_minibatches,
                predictor_share=settings.predictor_share,
                generator=self.generator,
                ranks=self._ranks,
            )
        )
        table = SampleTable.of(rollout, targets)
        policy, precision = self.learner.policy, self.learner.precision
        inputs = rollout.single_policy_inputs(self._looked_at(rollout, plans[0].samples))
        change = PolicyChange(policy, precision(self.device), inputs)
        losses: list[dict[str, Tensor]] = []
        for plan in plans:
            batch = self._minibatch(rollout, table, sampler, plan, self.generator)
            losses.append(self._steps.take(batch, self._progress, diagnose=diagnose))
        self._steps.settle()
        means = {name: torch.stack([each[name] for each in losses]).mean() for name in losses[0]}
        means |= change.figures(precision(self.device))
        return means | (self._steps.part_figures() if diagnose else {}), batch

    def _looked_at(self, rollout: RolloutBuffer, samples: Tensor) -> Tensor:
        """Return those of a minibatch's samples [B] at which the policy's change is looked at."""
        count = min(len(samples), max(1, rollout.rewards.numel() // SAMPLES_PER_LOOK))
        return samples[rollout.positions(count, len(samples), self.generator)]

    def _minibatch(
        self,
        rollout: RolloutBuffer,
        table: SampleTable,
        sampler: Sampler | None,
        plan: MinibatchPlan,
        generator: torch.Generator,
    ) -> Minibatch:
        samples = plan.samples
        actions, numbers = table.rows(samples)
        advantages, log_probs, values_extrinsic, returns_extrinsic, returns_intrinsic = numbers
        if self._settings.normalize_advantage:
            advantages = (advantages - plan.advantage_mean) / (plan.advantage_std + 1e-8)
        observations = rollout.observations(samples)
        representation = self.learner.representation
        return Minibatch(
            observations=rollout.policy_inputs(samples, observations),
            actions=actions,
            log_probs=log_probs,
            advantages=advantages,
            values_extrinsic=values_extrinsic,
            returns_extrinsic=returns_extrinsic,
            returns_intrinsic=returns_intrinsic,
            intrinsic=None if sampler is None else sampler(plan),
            views=(
                None
                if representation is None
                else representation.draw_views(observations, rollout, samples, generator)
            ),
        )
