"""What a dataset's schema means to what is trained on it."""

from agents.encoders.objective import DataShapes, Needs
from agents.encoders.preprocessing import FramePreprocessing, Layout
from configs.errors import ConfigurationError
from trajectories.reader import Dataset
from trajectories.schema import Schema

CHOICES = "discrete"
# What black and white are. Frames without their background (int16) are signed: it is grey then.
_RANGES = {"uint8": (0.0, 255.0), "int16": (-255.0, 255.0), "float32": (0.0, 1.0)}


def shapes_of(schema: Schema, feature_size: int) -> DataShapes:
    """Return what an objective must know of the data before it is built.

    Args:
        schema: of the dataset.
        feature_size: D wanted of the encoder.
    """
    action = schema.action
    choices = action.kind == CHOICES
    return DataShapes(
        frames=frames_of_schema(schema),
        feature_size=feature_size,
        state_size=state_size(schema),
        action_size=action.sizes[0] if choices else action.num_values,
        discrete_actions=choices,
        labels=schema.labels,
        vector_size=vector_size(schema),
    )


def frames_of_schema(schema: Schema) -> FramePreprocessing | None:
    """Return the settings of the dataset's frames; None where it has none.

    A frame has three axes, and its channel is the shorter one of the outer two.
    """
    shape = schema.observation_shape
    if schema.latent is not None or len(shape) != 3 or schema.observation_dtype not in _RANGES:
        return None
    layout: Layout = "HWC" if shape[2] <= shape[0] else "CHW"
    height, width, channels = shape if layout == "HWC" else (*shape[1:], shape[0])
    low, high = _RANGES[schema.observation_dtype]
    return FramePreprocessing(
        height,
        width,
        channels,
        layout=layout,
        dtype=schema.observation_dtype,
        low=low,
        high=high,
    )


def check_frames(dataset: Dataset) -> None:
    """Refuse pictures of a type that no encoder takes.

    Raises:
        ConfigurationError: names the type.
    """
    schema = dataset.info.schema
    if frames_of_schema(schema) is None:
        raise ConfigurationError(
            f"{dataset.folder} holds frames of {schema.observation_dtype}, and an encoder takes "
            f"{', '.join(_RANGES)}; convert them"
        )


def observes_vectors(schema: Schema) -> bool:
    """Whether observations, or latents, are vectors: these are then the states."""
    return len(schema.observation_shape) == 1


def state_size(schema: Schema) -> int:
    """Return how many numbers a state has, 0 where there is none."""
    if schema.state:
        return len(schema.state)
    return schema.observation_shape[0] if observes_vectors(schema) else 0


def vector_size(schema: Schema) -> int:
    """Return how many numbers a latent or vector has, 0 where observations are anything else."""
    is_fraction = schema.observation_dtype.startswith("float")
    return schema.observation_shape[0] if observes_vectors(schema) and is_fraction else 0


def check_needs(needs: Needs, dataset: Dataset, kind: str) -> None:
    """Refuse a dataset that lacks what is to be trained on.

    Raises:
        ConfigurationError: names what is missing.
    """
    schema = dataset.info.schema
    there = {
        "observations": True,
        "next_observations": True,
        "states": state_size(schema) > 0,
        "next_states": state_size(schema) > 0,
        "actions": True,
        "labels": bool(schema.labels),
        "mask": True,
        "rewards": True,
        "terminations": True,
        "deviations": schema.latent == "gaussian",
        "next_deviations": schema.latent == "gaussian",
    }
    missing = [name for name in needs.fields if not there[name]]
    if missing:
        raise ConfigurationError(
            f"{dataset.folder} holds no {' and no '.join(missing)}, which {kind} needs; collect "
            "rollouts with them, or choose another --model"
        )
