"""A fresh model of the user's, tried on a few observations before anything is trained."""

import gymnasium
import torch
from torch import Tensor

from agents.custom_policy import CustomPolicy
from agents.networks.actor_critic import PolicyOutput
from agents.networks.recurrent_actor_critic import PolicyInput, Sequences
from agents.recurrent.custom_policy import RecurrentCustomPolicy
from configs.errors import ConfigurationError

ROWS, STEPS = 3, 4  # episodes of a trial, and steps of each where they are remembered


def try_policy(policy: CustomPolicy, seen: gymnasium.spaces.Box, rollout_steps: int) -> None:
    """Let a fresh policy judge a few observations; no weight, statistic or stream is changed.

    Args:
        policy: fresh.
        seen: the space of its observations.
        rollout_steps: of the longest sequence that a policy with a memory will learn from.

    Raises:
        ConfigurationError: what comes is of the wrong form, not finite, drawn at random, depends on
            the other observations of the batch, or on not all of the parameters; or what a model
            says along a sequence is not what it says step by step.
    """
    path, before = policy.source, {k: v.clone() for k, v in policy.model.state_dict().items()}
    with torch.random.fork_rng(devices=[]):
        generator = torch.Generator().manual_seed(0)
        most = 255.0 if len(seen.shape) > 1 else 1.0
        steps = STEPS if isinstance(policy, RecurrentCustomPolicy) else 1
        rows = most * torch.rand((steps, ROWS, *seen.shape), generator=generator)
        together = _numbers(policy, rows)
        again, fewer = _numbers(policy, rows), _numbers(policy, rows[:, 1:])
        one_by_one = together
        if isinstance(policy, RecurrentCustomPolicy):
            one_by_one = _step_by_step(policy, rows)
            with torch.no_grad():  # nothing is asked of it but that it comes to its end
                _numbers(policy, most * torch.rand((rollout_steps, 1, *seen.shape)))
    if not together.isfinite().all():
        raise ConfigurationError(f"{path}: forward returned numbers that are not finite")
    if not torch.equal(together, again):
        raise ConfigurationError(
            f"{path}: forward returned two answers to the same observations: a policy must give an "
            "action the probability that it was drawn with; leave out dropout and other chance"
        )
    if not _alike(together[:, 1:], fewer):
        raise ConfigurationError(
            f"{path}: what forward returns for an observation depends on the others of the batch; "
            "leave out batch normalisation and the like"
        )
    if not _alike(together, one_by_one):
        raise ConfigurationError(
            f"{path}: forward says something else of {STEPS} steps at once than of one after the "
            "other with the state that it returned: observations are [L, B, ...], steps first; "
            "what is said of a step must hang on nothing after it, and the state hold all that "
            "later steps need"
        )
    named = [(name, p) for name, p in policy.model.named_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(together.sum(), [p for _, p in named], allow_unused=True)
    idle = [name for (name, _), gradient in zip(named, gradients, strict=True) if gradient is None]
    if idle:
        raise ConfigurationError(
            f"{path}: neither outputs nor values depend on {', '.join(idle)}; leave them out, or "
            "take them from training by requires_grad_(False)"
        )
    policy.model.load_state_dict(before)


def _alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=1e-4)  # sums in another order


def _numbers(policy: CustomPolicy, rows: Tensor) -> Tensor:
    """Return all that a policy says of observations [L, B, ...] from nothing, [L, B, ...]."""
    seen = rows.flatten(0, 1)
    inputs: PolicyInput = seen
    if isinstance(policy, RecurrentCustomPolicy):
        starts = torch.zeros(rows.shape[:2], dtype=torch.bool)
        inputs = Sequences(seen, torch.zeros(rows.shape[1], policy.memory_size), starts)
    numbers = _laid_out(policy(inputs))
    return numbers.view(*rows.shape[:2], numbers.shape[1])


def _step_by_step(policy: RecurrentCustomPolicy, rows: Tensor) -> Tensor:
    """Return the same, one step after the other."""
    memory, said = torch.zeros(rows.shape[1], policy.memory_size), []
    for observations in rows:
        output = policy.step(observations, memory)
        assert output.memory is not None
        memory = output.memory
        said.append(_laid_out(output))
    return torch.stack(said)


def _laid_out(said: PolicyOutput) -> Tensor:
    numbers = [part for part in vars(said.distribution).values() if isinstance(part, Tensor)]
    values = (said.value_extrinsic, said.value_intrinsic)
    return torch.cat([*numbers, *(value.unsqueeze(1) for value in values)], dim=1)
