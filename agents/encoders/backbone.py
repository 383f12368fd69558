"""An encoder as the policy's backbone: trained with it, or at rest."""

import torch
from torch import Tensor, nn

from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import FramePreprocessing


class EncoderBackbone(nn.Module):
    """Stacked frames as environments show them -> the features of each frame, side by side.

    Every frame is encoded by itself (`Encoder.frame_features`). The encoder stays in evaluation
    mode: statistics of batches would make a policy act otherwise than it learns. What its features
    do not depend on is not trained.

    Args:
        encoder: of frames.
        stack_size: S.
        normalize: lay the features of an observation at mean 0 and deviation 1 (Ba et al. 2016,
            arXiv 1607.06450), for an encoder that is trained: what an LSTM was fed may be of any
            size, and layers of hyperbolic tangents behind it saturate.
        frozen: encode in float32 under any autocast, as `encode_frames` does for a policy that
            learnt from the features of an encoder at rest.
    """

    def __init__(
        self, encoder: Encoder, stack_size: int, *, normalize: bool = False, frozen: bool = False
    ) -> None:
        super().__init__()
        self._frozen = frozen
        self.encoder = encoder.eval()
        self.feature_size = stack_size * encoder.feature_size
        self.norm = nn.LayerNorm(self.feature_size) if normalize else nn.Identity()
        rest_idle_parameters(encoder)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode frames uint8 [B, S * C, H, W], oldest first, as [B, S * D]."""
        if not self._frozen:
            return self._encoded(frames)
        with torch.autocast(frames.device.type, enabled=False):
            return self._encoded(frames)

    def _encoded(self, frames: Tensor) -> Tensor:
        preprocessing = frames_of(self.encoder)
        single = frames.reshape(-1, preprocessing.channels, *frames.shape[2:])
        features = self.encoder.frame_features(preprocessing.as_kept(single))
        laid: Tensor = self.norm(features.reshape(-1, self.feature_size))
        return laid


class VectorEncoderBackbone(nn.Module):
    """State vectors [B, S] -> their features [B, D].

    Args:
        encoder: of state vectors.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder.eval()
        self.feature_size = encoder.feature_size

    def forward(self, states: Tensor) -> Tensor:
        """Encode vectors [B, S], as the environment shows them, as [B, D]."""
        return self.encoder.frame_features(states)


@torch.no_grad()
def encode_frames(
    encoder: Encoder, frames: Tensor, memory: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Return the features [B, D], float32, of an environment's frames, and the memory after them.

    Args:
        encoder: at rest, on the device of the frames.
        frames: [B, C, H, W], as the environment shows them.
        memory: [B, ...] before them; None for encoders without one.

    Raises:
        UnexpectedObservationError: frames of another form.
    """
    with torch.autocast(frames.device.type, enabled=False):
        return encoder.encode(frames_of(encoder).as_kept(frames), memory)


def frames_of(encoder: Encoder) -> FramePreprocessing:
    """Return the preprocessing of an encoder of frames.

    Raises:
        ValueError: it encodes vectors.
    """
    if not isinstance(encoder.preprocessing, FramePreprocessing):
        raise ValueError(f"the encoder {encoder.kind} sees vectors, no frames")
    return encoder.preprocessing


def rest_idle_parameters(encoder: Encoder) -> None:
    """Take the gradient from parameters that the features of single frames do not depend on.

    A deviation, or an LSTM after them: DistributedDataParallel would wait for their gradients.
    """
    trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    if not trained:
        return
    kept = encoder.preprocessing.shape
    features = encoder.frame_features(torch.zeros(1, *kept, dtype=frames_of(encoder).dtype))
    gradients = torch.autograd.grad(features.sum(), trained, allow_unused=True)
    for parameter, gradient in zip(trained, gradients, strict=True):
        parameter.requires_grad_(gradient is not None)
