"""TD3: acts with noise, learns from what is remembered.

Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic Methods" (arXiv
1802.09477), algorithm 1.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.losses.td3 import actor_loss, clipped_double_q_target, critic_loss, smoothed_actions
from agents.replay.replay import Batch, Replay
from agents.steps.adam import FusedAdam
from agents.steps.replication import replicate
from agents.td3.td3_learner import TD3Learner

REHEARSALS = 2
Losses = dict[str, Tensor]
Gathered = dict[str, list[Tensor]]
"""What was watched, step by step: the actor is not trained in each."""


@dataclass(frozen=True)
class TD3Settings:
    """The numbers of a gradient step (see TD3Section)."""

    gamma: float
    target_tau: float
    exploration_noise: float
    target_noise: float
    target_noise_clip: float
    policy_delay: int
    batch_size: int


class TD3Agent:
    """The networks with their optimisers and this rank's random streams.

    Args:
        learner: on its device, the same on every rank.
        critic_optimizer, actor_optimizer: over the trained parameters of either.
        settings: see there.
        acting: the stream of exploration noise.
        sampling: the stream of batches and of the target's noise, on the CPU as the replay is.
    """

    def __init__(
        self,
        learner: TD3Learner,
        critic_optimizer: FusedAdam,
        actor_optimizer: FusedAdam,
        settings: TD3Settings,
        acting: torch.Generator,
        sampling: torch.Generator,
    ) -> None:
        self.learner = learner
        self.critic_optimizer = critic_optimizer
        self.actor_optimizer = actor_optimizer
        self.acting = acting
        self.sampling = sampling
        self._settings = settings
        self._critic = replicate(learner.critic)
        self._actor = replicate(learner.actor)
        self._slow, self._followed = learner.pairs()
        self._gradient_steps = int(learner.gradient_steps)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.acting.device

    def rehearse(self, observations: Tensor, num_actions: int) -> None:
        """Run backward passes of critics and actor and forget them: nothing is changed by it.

        DistributedDataParallel lays its buckets anew after the first one, and sums of three or
        more ranks depend on that: a run that goes on must sum as the one that was not interrupted.

        Args:
            observations: [n, ...] of any content, as the replay gives them, on the device.
            num_actions: A.
        """
        before = copy.deepcopy(self.learner.state_dict())
        actions = torch.zeros(len(observations), num_actions, device=self.device)
        for _ in range(REHEARSALS):
            values, features = self._judge(observations, actions)
            values.sum().backward()
            self._judge_actor(features, observations).sum().backward()
        for parameter in self.learner.parameters():
            parameter.grad = None
        self.learner.load_state_dict(before)

    def act(self, observations: Tensor) -> Tensor:
        """Return actions [n, A] with exploration noise, within -1 and 1 (algorithm 1, line 4)."""
        actions = self.learner.act(observations)
        return with_noise(actions, self._settings.exploration_noise, self.acting)

    def act_at_random(self, num_envs: int, num_actions: int) -> Tensor:
        """Return actions [n, A] drawn evenly from -1 to 1."""
        draws = torch.rand(num_envs, num_actions, generator=self.acting, device=self.device)
        return 2.0 * draws - 1.0

    def learn(self, replay: Replay, num_steps: int) -> Gathered:
        """Take gradient steps; return their losses, without gradient.

        The batches of all steps are drawn at once.

        Args:
            replay: this rank's, with something in it.
            num_steps: gradient steps of the critics, at least one.
        """
        batches = replay.sample(num_steps, self._settings.batch_size, self.sampling)
        noise = torch.randn(num_steps, *batches[0].actions.shape, generator=self.sampling)
        gathered: Gathered = {}
        for batch, its_noise in zip(batches, noise.unbind(), strict=True):
            here = Batch(*(part.to(self.device) for part in batch))
            for name, value in self._step(here, its_noise.to(self.device)).items():
                gathered.setdefault(name, []).append(value)
        return gathered

    def settle(self) -> None:
        """Note in the learner how many gradient steps there were: its state is complete then."""
        self.learner.gradient_steps.fill_(self._gradient_steps)

    def resume(self) -> None:
        """Go on from the learner's state, which was laid out anew."""
        self._gradient_steps = int(self.learner.gradient_steps)

    def _step(self, batch: Batch, noise: Tensor) -> Losses:
        """Train the critics; every so often the actor, and move the slow copies after both."""
        losses, features = self._train_critics(batch, self._targets(batch, noise))
        self._gradient_steps += 1
        if self._gradient_steps % self._settings.policy_delay == 0:
            losses |= self._train_actor(features, batch.observations)
            self._move_slow_copies()
        return losses

    @torch.no_grad()
    def _move_slow_copies(self) -> None:
        """θ' ← τ θ + (1 - τ) θ', for critics and actor (algorithm 1, line 13)."""
        torch._foreach_lerp_(self._slow, self._followed, self._settings.target_tau)

    @torch.no_grad()
    def _targets(self, batch: Batch, noise: Tensor) -> Tensor:
        """Return what both critics regress to [B] (algorithm 1, lines 8 and 9)."""
        settings, learner = self._settings, self.learner
        with learner.precision(self.device):
            features = learner.slow_critic.backbone(batch.next_observations)
            actions = smoothed_actions(
                learner.slow_actor(features),
                noise,
                settings.target_noise,
                settings.target_noise_clip,
            )
            values = learner.slow_critic.judge(features, batch.next_observations, actions)
        return clipped_double_q_target(batch.rewards, batch.continues, values, settings.gamma)

    def _train_critics(self, batch: Batch, targets: Tensor) -> tuple[Losses, Tensor]:
        """Take a step of the critics; return their loss, and the features of the batch [B, D]."""
        values, features = self._judge(batch.observations, batch.actions)
        loss = critic_loss(values, targets)
        _take_step(self.critic_optimizer, loss)
        return {"critic": loss.detach(), "value": values[0].detach().mean()}, features

    def _train_actor(self, features: Tensor, observations: Tensor) -> Losses:
        """Take a step of the actor (algorithm 1, line 12)."""
        loss = actor_loss(self._judge_actor(features, observations))
        _take_step(self.actor_optimizer, loss)
        return {"actor": loss.detach()}

    def _judge(self, observations: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the critics' values [2, B], and the features [B, D] without a gradient."""
        with self.learner.precision(self.device):
            judged: tuple[Tensor, Tensor] = self._critic(observations, actions)
        return judged

    def _judge_actor(self, features: Tensor, observations: Tensor) -> Tensor:
        """Return Q_1 [B] of the actor's actions, with a gradient to its weights alone."""
        with self.learner.precision(self.device):
            return self.learner.critic.first(features, observations, self._actor(features))


def with_noise(actions: Tensor, deviation: float, stream: torch.Generator) -> Tensor:
    """Return actions [n, A] with normal noise, cut at -1 and 1."""
    noise = torch.randn(actions.shape, generator=stream, device=actions.device)
    return (actions + deviation * noise).clamp(-1.0, 1.0)


def _take_step(optimizer: FusedAdam, loss: Tensor) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
    loss.backward()
    optimizer.step()
