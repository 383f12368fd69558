"""A policy behind a frozen encoder that remembers, as one module that takes one step at a time."""

import math

import torch
from torch import Tensor, nn

from agents.encoders.backbone import frames_of
from agents.encoders.encoder import Encoder
from agents.networks.actor_critic import PolicyOutput
from agents.networks.recurrent_actor_critic import RecurrentPolicy, Sequences, memory_size


class RememberingEncodedPolicy(nn.Module):
    """Frames and a memory -> what the policy says of the encoder's features, and the memory then.

    The memory [B, M] is the encoder's, laid out in a row, and behind it that of the policy if it
    has one. An episode begins with zeros. The encoder computes in float32 under any autocast, as it
    did when the policy learnt.

    Args:
        encoder: frozen, with a memory; sees one frame at a time.
        policy: of its features.
    """

    def __init__(self, encoder: Encoder, policy: nn.Module) -> None:
        super().__init__()
        fresh = encoder.initial_memory(1)
        assert fresh is not None
        self._shape = tuple(fresh.shape[1:])
        self.encoder = encoder.eval()
        self.policy = policy

    @property
    def memory_size(self) -> int:
        """M."""
        return math.prod(self._shape) + memory_size(self.policy)

    def forward(self, sequences: Sequences) -> PolicyOutput:
        """Judge sequences of one step."""
        observations, memory, starts = sequences
        return self.step(observations, memory * ~starts[0].unsqueeze(1))

    def step(self, observations: Tensor, memory: Tensor) -> PolicyOutput:
        """Judge one frame uint8 [B, C, H, W] of each of B episodes, after `memory` [B, M]."""
        own = math.prod(self._shape)
        before = memory[:, :own].unflatten(1, self._shape)
        with torch.autocast(observations.device.type, enabled=False):
            kept = frames_of(self.encoder).as_kept(observations)
            features, after = self.encoder.encode(kept, before)
        assert after is not None
        remembered = [after.flatten(1)]
        if isinstance(self.policy, RecurrentPolicy):
            output = self.policy.step(features, memory[:, own:])
            assert output.memory is not None
            remembered.append(output.memory)
        else:
            output = self.policy(features)
        return output._replace(memory=torch.cat(remembered, dim=1))
