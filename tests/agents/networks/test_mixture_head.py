"""The head of models of sequences: normalised, bounded, alike in every precision."""

import math

import torch

from agents.networks.mixture_head import MixtureHead

B, T, H, D, K = 2, 3, 8, 4, 5


def test_weights_sum_to_one_and_everything_has_its_shape() -> None:
    found = MixtureHead(H, D, K)(torch.randn(B, T, H))
    shapes = [tuple(part.shape) for part in found]
    assert shapes == [(B, T, D, K)] * 3 + [(B, T)] * 2
    torch.testing.assert_close(found.log_weights.exp().sum(dim=-1), torch.ones(B, T, D))


def test_a_deviation_is_an_exponential_that_ends_at_a_thousandth() -> None:
    head = MixtureHead(1, 1, 3)
    with torch.no_grad():
        head.layer.weight.zero_()
        head.layer.bias.copy_(torch.tensor([0.0] * 6 + [2.0, 0.0, -1e4] + [0.0, 0.0]))
    deviations = head(torch.zeros(1, 1)).log_deviations[0, 0].exp()
    torch.testing.assert_close(
        deviations, torch.tensor([math.exp(2.0), 1.0, 1e-3]), rtol=2e-3, atol=0.0
    )


def test_it_computes_in_float32() -> None:
    head, features = MixtureHead(H, D, K), torch.randn(B, H)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = head(features)
    for one, other in zip(narrow, head(features), strict=True):
        assert torch.equal(one, other)
