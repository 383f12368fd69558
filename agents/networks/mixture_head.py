"""From features to a mixture of Gaussians for each of D numbers, a reward and an end."""

import math
from typing import NamedTuple

from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn.functional import softplus

from agents.networks.layers import FullPrecisionLinear

SMALLEST_LOG_DEVIATION = math.log(1e-3)  # a mixture that shrinks onto a point has no end


class MixtureOutput(NamedTuple):
    """What the head says: [..., D, K] three times, and [...] twice, all float32."""

    log_weights: Tensor
    means: Tensor
    log_deviations: Tensor
    rewards: Tensor
    end_logits: Tensor


class MixtureHead(nn.Module):
    """One linear layer.

        π = softmax(a^π),    μ = a^μ,    log σ = log 1e-3 + softplus(a^σ - log 1e-3)

    Bishop 2006, equations 5.150 and 5.152. Differs from its 5.151, σ = exp(a^σ), below 0.01: where
    a number never varies, the likelihood would grow without end.

    Args:
        feature_size: H.
        num_dimensions: D.
        num_components: K; 1 is a plain Gaussian.
    """

    def __init__(self, feature_size: int, num_dimensions: int, num_components: int) -> None:
        super().__init__()
        self._shape = (3, num_dimensions, num_components)
        self.layer = FullPrecisionLinear(feature_size, math.prod(self._shape) + 2)

    def forward(self, features: Float[Tensor, "*batch H"]) -> MixtureOutput:
        """Read features [..., H]."""
        outputs: Float32[Tensor, "*batch O"] = self.layer(features)
        logits, means, raw = outputs[..., :-2].unflatten(-1, self._shape).unbind(dim=-3)
        deviations = SMALLEST_LOG_DEVIATION + softplus(raw - SMALLEST_LOG_DEVIATION)
        return MixtureOutput(
            logits.log_softmax(dim=-1), means, deviations, outputs[..., -2], outputs[..., -1]
        )
