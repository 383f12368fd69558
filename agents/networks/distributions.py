"""What a policy says of its actions: two small distributions, always in float32.

torch.distributions checks its arguments at every call, waits for the GPU to do so, and draws from
the global generator; these do none of the three.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float32, Int64, Shaped
from torch import Tensor


@runtime_checkable
class ActionDistribution(Protocol):
    """The distribution over actions for each of B observations."""

    def sample(self, generator: torch.Generator) -> Shaped[Tensor, "B ..."]:
        """Draw actions, int64 [B] or float32 [B, A], without gradient.

        The generator lives on the parameters' device.
        """

    def log_prob(self, action: Shaped[Tensor, "B ..."]) -> Float32[Tensor, " B"]:
        """Return the log-probability (or log-density) of each action, [B], in nats."""

    def entropy(self) -> Float32[Tensor, " B"]:
        """Return the entropy, [B], in nats."""

    def mode(self) -> Shaped[Tensor, "B ..."]:
        """Return the likeliest actions, int64 [B] or float32 [B, A]."""

    def kl(self, other: Any) -> Float32[Tensor, " B"]:
        """Return KL(self ‖ other), [B], in nats; `other` is of the same kind."""


@dataclass(frozen=True)
class Categorical:
    """One of A choices.

    Attributes:
        log_probs: [B, A], normalised; `from_logits` makes them so.
    """

    log_probs: Float32[Tensor, "B A"]

    @classmethod
    def from_logits(cls, logits: Float[Tensor, "B A"]) -> "Categorical":
        """Normalise unnormalised log-probabilities [B, A] of any precision."""
        return cls(torch.log_softmax(logits.float(), dim=-1))

    def sample(self, generator: torch.Generator) -> Int64[Tensor, " B"]:
        """Draw actions [B] by the Gumbel-max trick: argmax(log p - log e), e exponential."""
        with torch.no_grad():
            exponential = torch.empty_like(self.log_probs).exponential_(generator=generator)
            smallest = torch.finfo(exponential.dtype).tiny
            return (self.log_probs - exponential.clamp_(min=smallest).log_()).argmax(dim=-1)

    def log_prob(self, action: Int64[Tensor, " B"]) -> Float32[Tensor, " B"]:
        """Return log p(action), [B]."""
        return self.log_probs.gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Float32[Tensor, " B"]:
        """Return -Σ p log p, [B]."""
        return -(self.log_probs.exp() * self.log_probs).sum(dim=-1)

    def mode(self) -> Int64[Tensor, " B"]:
        """Return the likeliest choices, [B]."""
        return self.log_probs.argmax(dim=-1)

    def kl(self, other: "Categorical") -> Float32[Tensor, " B"]:
        """Return KL(p ‖ q) = Σ p (log p - log q), [B]."""
        return (self.log_probs.exp() * (self.log_probs - other.log_probs)).sum(dim=-1)


@dataclass(frozen=True)
class DiagonalGaussian:
    """A independent normal dimensions.

    Attributes:
        mean: [B, A].
        log_std: [B, A], logarithm of the standard deviation.
    """

    mean: Float32[Tensor, "B A"]
    log_std: Float32[Tensor, "B A"]

    @classmethod
    def from_parameters(
        cls, mean: Float[Tensor, "B A"], log_std: Float[Tensor, " A"]
    ) -> "DiagonalGaussian":
        """Take means [B, A] of any precision, and one log_std [A] for all observations."""
        return cls(mean.float(), log_std.float().expand_as(mean))

    def sample(self, generator: torch.Generator) -> Float32[Tensor, "B A"]:
        """Draw actions [B, A]; they are not bounded."""
        with torch.no_grad():
            noise = torch.empty_like(self.mean).normal_(generator=generator)
            return self.mean + self.log_std.exp() * noise

    def log_prob(self, action: Float[Tensor, "B A"]) -> Float32[Tensor, " B"]:
        """Return the log-density of each action, [B]: the sum over its dimensions."""
        deviation = (action.float() - self.mean) * torch.exp(-self.log_std)
        log_density = -0.5 * deviation.square() - self.log_std - 0.5 * math.log(2.0 * math.pi)
        return log_density.sum(dim=-1)

    def entropy(self) -> Float32[Tensor, " B"]:
        """Return Σ log σ + A/2 log(2πe), [B]."""
        return (self.log_std + 0.5 * math.log(2.0 * math.pi * math.e)).sum(dim=-1)

    def mode(self) -> Float32[Tensor, "B A"]:
        """Return the means, [B, A]."""
        return self.mean

    def kl(self, other: "DiagonalGaussian") -> Float32[Tensor, " B"]:
        """Return KL(p ‖ q) = Σ log σ_q/σ_p + (σ_p² + (μ_p - μ_q)²) / (2 σ_q²) - 1/2, [B]."""
        spread = 2.0 * (self.log_std - other.log_std)
        distance = (self.mean - other.mean).square() * torch.exp(-2.0 * other.log_std)
        return 0.5 * (spread.exp() + distance - 1.0 - spread).sum(dim=-1)
