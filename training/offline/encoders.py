"""Encoders as what is trained on a dataset."""

from dataclasses import replace
from pathlib import Path

from agents.encoders.encoder import Encoder
from agents.encoders.objective import Objective
from agents.encoders.registry import objective_named
from configs.errors import ConfigurationError
from configs.schema import Config
from training.checkpoints.encoder import ENCODER, load_encoder
from training.offline.encoding import check_fit
from training.offline.shapes import check_frames, check_needs, shapes_of
from training.offline.showing import SUBJECT
from training.offline.spec import Schedule, Trained
from trajectories.reader import Dataset


def create_encoder(config: Config, dataset: Dataset) -> Objective:
    """Return the objective that a configuration names, built for a dataset.

    Raises:
        ConfigurationError: there is none of that name, or the dataset lacks what it needs.
    """
    section = config.encoder
    kind = objective_named(section.model)
    schema = dataset.info.schema
    if schema.latent is None and len(schema.observation_shape) == 3:
        check_frames(dataset)
    shapes = shapes_of(schema, section.representation_size)
    if section.finished_encoder != "none":
        shapes = replace(shapes, finished=_finished_encoder(config, kind, dataset))
    try:
        objective = kind.create(shapes)
    except ValueError as error:
        raise ConfigurationError(f"{dataset.folder}: {error}") from error
    check_needs(objective.needs, dataset, objective.kind)
    return objective


def _finished_encoder(config: Config, kind: type[Objective], dataset: Dataset) -> Encoder:
    """Return the encoder that is built on, which fits the dataset."""
    path = Path(config.encoder.finished_encoder).expanduser()
    if not kind.builds_on_encoder:
        raise ConfigurationError(
            f"FinishedEncoder = {path}: {kind.kind} trains an encoder of its own; leave the key "
            "out, or choose --model frame_decoder or transition"
        )
    trained = load_encoder(path)
    check_fit(trained, dataset)
    return trained.encoder


def encoder_schedule(config: Config) -> Schedule:
    """Return what the section [Encoder] says of training."""
    section = config.encoder
    sampled = section.obs_sampled_per_rollout
    return Schedule(
        train_steps=section.train_steps,
        batch_size=section.batch_size,
        learning_rate=section.learning_rate,
        max_grad_norm=section.max_grad_norm or None,
        per_episode=None if sampled == "all" else sampled,
        save_every=section.save_every,
        validate_every=section.validate_every,
        log_every=section.log_every,
        validation_samples=section.validation_samples,
        patience=section.patience,
    )


ENCODERS = Trained(
    kind=ENCODER,
    create=create_encoder,
    schedule=encoder_schedule,
    fixed=("EncoderBatchSize", "ObsSampledPerRollout", "Seed", "FinishedEncoder"),
    section="Encoder",
    subject=SUBJECT,
)
