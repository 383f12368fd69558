"""Self-supervised pretraining of the policy's backbone on random play, before the first update."""

import copy
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.ppo.learner import Learner
from agents.ranks import Ranks
from agents.representation.representation import RepresentationLearning
from agents.representation.views import ViewPair
from agents.rollout import RolloutBuffer
from agents.steps.adam import tell_of_step
from agents.steps.replication import replicate
from configs.errors import NonFiniteError

HELD_OUT_SHARE = 0.1  # of the environments of a rank, at least one
PATIENCE = 10  # rollouts without a lower loss on the held-out samples
LARGEST_HELD_OUT = 512  # samples; drawn once, with their views, so that losses can be compared
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PretrainingSettings:
    """How long and how fast (see RepresentationSection and PPOSection).

    Attributes:
        max_updates: gradient steps at most.
        batch_size: samples of this rank in a step.
        learning_rate, adam_epsilon: of Adam.
    """

    max_updates: int
    batch_size: int
    learning_rate: float
    adam_epsilon: float


class Pretraining:
    """Trains head and backbone on fresh rollouts of random play, and keeps the best weights.

    It works on copies: the learner is already replicated over ranks when it runs.

    Args:
        representation: the head, with a backbone of its own as its twin.
        settings: how long and how fast.
        ranks: all agent processes.
        generator: this rank's random stream.
        show: told how far it is, in words and as a share.
    """

    def __init__(
        self,
        representation: RepresentationLearning,
        settings: PretrainingSettings,
        ranks: Ranks,
        generator: torch.Generator,
        show: Callable[[str, float], None],
    ) -> None:
        self._best = representation
        self._settings = settings
        self._ranks = ranks
        self._generator = generator
        self._show = show

    def run(self, learner: Learner, rollout: RolloutBuffer, collect: Callable[[], bool]) -> bool:
        """Pretrain, and lay the result into `learner` (a collective).

        Args:
            learner: gets the backbone, and the head if it has one.
            rollout: what `collect` fills.
            collect: fills it by random play, on all ranks; False if a stop was asked for.

        Returns:
            whether it ran to its end; if not, the learner is as it was.
        """
        training = copy.deepcopy(self._best)
        replica = replicate(training)
        optimizer = torch.optim.Adam(
            [p for p in training.parameters() if p.requires_grad],
            lr=self._settings.learning_rate,
            eps=self._settings.adam_epsilon,
        )
        train_on, held_out = _split(rollout)
        if not collect():
            return False
        seen = self._views(training, rollout, self._shuffled(held_out)[:LARGEST_HELD_OUT])
        first = best = self._held_out_loss(training, learner, seen)
        updates = rollouts_since_best = 0
        while updates < self._settings.max_updates and rollouts_since_best < PATIENCE:
            for batch in self._batches(train_on, self._settings.max_updates - updates):
                views = self._views(training, rollout, batch)
                with learner.precision(rollout.device):
                    loss = replica(views)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                tell_of_step()
                updates += 1
                training.after_step(updates / self._settings.max_updates)
            found = self._held_out_loss(training, learner, seen)
            rollouts_since_best += 1
            if found < best:
                best, rollouts_since_best = found, 0
                self._best.load_state_dict(training.state_dict())
            most = self._settings.max_updates
            self._show(f"pretraining {updates}/{most}, held-out loss {found:.4g}", updates / most)
            rollout.carry_over()
            if not collect():
                return False
        rollout.carry_over()
        if self._ranks.rank == 0:
            _LOG.info("pretrained for %s updates: held-out loss %.4g -> %.4g", updates, first, best)
        learner.take_over(self._best)
        return True

    def _batches(self, samples: Tensor, most: int) -> list[Tensor]:
        """Cut a random order of `samples` into full batches, `most` of them at most."""
        size = min(self._settings.batch_size, len(samples))
        batches = self._shuffled(samples).split(size)
        return [batch for batch in batches if len(batch) == size][:most]

    def _shuffled(self, samples: Tensor) -> Tensor:
        """Return `samples` [B] in a random order: they are laid by time, from a reset on."""
        order = torch.randperm(len(samples), generator=self._generator, device=samples.device)
        return samples[order]

    def _views(
        self, training: RepresentationLearning, rollout: RolloutBuffer, samples: Tensor
    ) -> ViewPair:
        observations = rollout.observations(samples)
        return training.draw_views(observations, rollout, samples, self._generator)

    @torch.no_grad()
    def _held_out_loss(
        self, training: RepresentationLearning, learner: Learner, views: ViewPair
    ) -> float:
        """Return the loss on two views of held-out samples, the mean over ranks.

        Raises:
            NonFiniteError: on all ranks, where it is not finite.
        """
        with learner.precision(views.first.device):
            loss = training(views).double()
        found = float(self._ranks.sum(loss) / self._ranks.world_size)
        if not math.isfinite(found):
            raise NonFiniteError(
                f"the held-out loss of the pretraining is {found}; lower LearningRate"
            )
        return found


def _split(rollout: RolloutBuffer) -> tuple[Tensor, Tensor]:
    """Return the samples of the environments to train on, and of those that are held out."""
    T, N = rollout.rewards.shape
    held = max(1, round(HELD_OUT_SHARE * N))
    samples = torch.arange(T * N, device=rollout.device).view(T, N)
    return samples[:, : N - held].flatten(), samples[:, N - held :].flatten()
