"""Models of sequences as what is trained on a dataset."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from agents.dynamics.judging import HORIZONS
from agents.dynamics.registry import dynamics_named
from agents.encoders.objective import Objective
from configs.errors import ConfigurationError
from configs.schema import Config
from training.checkpoints.dynamics import DYNAMICS
from training.live.subject import Chart, Headline, Subject
from training.offline.shapes import check_needs, shapes_of
from training.offline.showing import SPEED
from training.offline.spec import Schedule, Trained
from training.offline.validation import LOSS
from trajectories.reader import Dataset

# A dream needs somewhere to begin, and should need no dataset. So many first latents of 32 numbers
# are 128 kB of a checkpoint of megabytes.
MOST_STARTS = 1_024
LOOPS = {f"dynamics/open_loop_{h}": f"{h}-step loop" for h in HORIZONS}
STILL = {f"dynamics/persistence_{h}": f"{h}-step persistence" for h in HORIZONS}

SUBJECT = Subject(
    unit="steps",
    short_unit="steps",
    headlines=(
        Headline("losses/total", "loss", "loss"),
        Headline("dynamics/nll", "held-out NLL", "NLL"),
        Headline("dynamics/nll_persistence", "of persistence", "still"),
        Headline("dynamics/nll_gaussian", "of a Gaussian", "Gauss"),
    ),
    charts=(
        Chart("losses/total", "loss", "green"),
        Chart("dynamics/nll", "held-out NLL", "cyan"),
        Chart("dynamics/open_loop_15", "error after 15 steps", "magenta"),
    ),
    losses={LOSS: "held out", "losses/grad_norm": "gradient", **LOOPS, **STILL},
    speed_of=lambda row: row.get(SPEED),
)


def create_dynamics(config: Config, dataset: Dataset) -> Objective:
    """Return the model that a configuration names, built for a dataset.

    Raises:
        ConfigurationError: there is none of that name, or the dataset lacks what it needs.
    """
    section, schema = config.dynamics, dataset.info.schema
    kind = dynamics_named(section.model)
    try:
        model = kind.create(
            shapes_of(schema, 0),
            steps=section.sequence_length,
            sample_observations=section.sample_observations,
            difference_targets=section.difference_targets,
            starts=starts_of(dataset) if len(schema.observation_shape) == 1 else None,
        )
    except ValueError as error:
        raise ConfigurationError(f"{dataset.folder}: {error}") from error
    check_needs(model.needs, dataset, model.kind)
    return model


def starts_of(dataset: Dataset) -> Tensor:
    """Return the first latents [S, D] of at most MOST_STARTS episodes, evenly spread."""
    count = min(len(dataset), MOST_STARTS)
    chosen = np.linspace(0, len(dataset) - 1, count).round().astype(int)
    firsts = [dataset.episode(int(index)).observations[0] for index in chosen]
    return torch.from_numpy(np.stack(firsts).astype(np.float32))


def dynamics_schedule(config: Config) -> Schedule:
    """Return what the section [Dynamics] says of training."""
    section = config.dynamics
    return Schedule(
        train_steps=section.train_steps,
        batch_size=section.batch_size,
        learning_rate=section.learning_rate,
        max_grad_norm=section.max_grad_norm or None,
        per_episode=None,
        save_every=section.save_every,
        validate_every=section.validate_every,
        log_every=section.log_every,
        validation_samples=section.validation_windows,
        patience=section.patience,
    )


def verdict(held_out: Mapping[str, float]) -> str:
    """Say what a model foresees, beside what knows nothing."""
    told = [
        f"foresees held-out latents: NLL {held_out['dynamics/nll']:.3f} nats a number (persistence "
        f"{held_out['dynamics/nll_persistence']:.3f}, a Gaussian of each number "
        f"{held_out['dynamics/nll_gaussian']:.3f})"
    ]
    for horizon in HORIZONS:
        if f"dynamics/open_loop_{horizon}" in held_out:
            error, still = (
                held_out[f"dynamics/{name}_{horizon}"] for name in ("open_loop", "persistence")
            )
            told.append(f"after {horizon} unseen step(s) {error:.3f} (persistence {still:.3f})")
    return "; ".join(told)


DYNAMICS_MODELS = Trained(
    kind=DYNAMICS,
    create=create_dynamics,
    schedule=dynamics_schedule,
    fixed=("DynamicsBatchSize", "Seed"),
    section="Dynamics",
    subject=SUBJECT,
    verdict=verdict,
)
