"""One probing: models and a dataset into figures, a page, a file of them and a table."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.encoders.drawing import DrawingObjective
from agents.encoders.encoder import Encoder
from agents.encoders.objective import Pictures
from agents.encoders.preprocessing import UnexpectedObservationError
from configs.errors import CheckpointError, ConfigurationError
from configs.loading import LoadedConfig
from training.checkpoints.encoder import TrainedModel, load_model
from training.folders.files import check_room_for, replace_file
from training.folders.versions import collect_versions
from training.live.console import final_message, set_up_logging
from training.live.stages import Stages
from training.offline.datasets import environment_of, open_datasets
from training.offline.encoding import check_fit
from training.probing.baselines import pca_features, supervised, untrained
from training.probing.drawings import Drawn, draw_all, judge, moving_pixels
from training.probing.options import ProbeOptions
from training.probing.page import probe_page
from training.probing.relations import linear_cka
from training.probing.results import Probed, Results
from training.probing.ridge import Floats
from training.probing.rows import Rows, features_of, spread_rows
from training.probing.table import print_results
from training.probing.verdicts import judge_features, probed
from training.ranks.distributed import choose_device, read_place
from training.ranks.threads import model_threads, set_threads
from training.reports.writing import check_page
from trajectories.reader import Dataset

PAGE = "probe.html"
TRAIN = "train"  # the split that probes are fitted on
MOST_TRAIN, MOST_JUDGED = 10_000, 5_000  # rows
MOST_DRAWN = 512
SHOWN = 8  # pictures of a strip
STAGES = 4  # of each model


def probe(options: ProbeOptions, loaded: LoadedConfig) -> int:
    """Probe; write the page and the figures, print a table. Return the exit code.

    Raises:
        ScoutError: a model or the dataset is refused, or the disk is full.
    """
    place = read_place()
    device = choose_device(place, options.gpu_id)
    set_up_logging(place.rank, place.world_size, verbose=loaded.config.run.verbose_logging)
    set_threads(device, model_threads(loaded.config.run, place))
    if options.out is not None:
        check_page(options.out)
    models = [load_model(path) for path in options.models]
    page = options.out or models[0].trained.path.parent / PAGE
    check_room_for(page)
    dataset = open_datasets(options.dataset)
    for model in models:
        _check(model, dataset)
    train, judged = split_for_probing(dataset, options.split)
    with Stages(1 + STAGES * len(models), "probing") as stages:
        stages.begin(f"reading {dataset.folder}")
        rows = _Both(spread_rows(train, MOST_TRAIN), spread_rows(judged, MOST_JUDGED))
        job = _Job(options, rows, loaded.config.run.seed, device, stages)
        found = [
            job.look(model, str(path)) for model, path in zip(models, options.models, strict=True)
        ]
    results = Results(
        probed=tuple(each for each, _ in found),
        state=dataset.info.schema.state,
        alike=tuple(tuple(linear_cka(one, other) for _, other in found) for _, one in found),
        facts=_facts(options, dataset, rows),
    )
    _write(page, results)
    return 0


def split_for_probing(dataset: Dataset, split: str) -> tuple[Dataset, Dataset]:
    """Return the episodes that probes are fitted on, and those that are judged.

    Raises:
        ConfigurationError: they are the same, or too few.
    """
    if split == TRAIN:
        raise ConfigurationError(
            f"--split {TRAIN}: probes are fitted on these episodes and must be judged on others; "
            "name another split, or leave it out for validation"
        )
    counts = {name: 0 for name in dataset.info.description.splits}
    for episode in dataset.episodes:
        counts[episode.entry.split] = counts.get(episode.entry.split, 0) + 1
    if split not in counts:
        dataset.split(split)  # which says so
    if counts.get(TRAIN, 0) < 2 or not counts[split]:
        there = ", ".join(f"{count:,} in {name}" for name, count in counts.items())
        raise ConfigurationError(
            f"{dataset.folder} has too few episodes to probe: at least 2 in {TRAIN} and 1 in "
            f"{split} are needed, and there are {there}; collect more rollouts"
        )
    return dataset.split(TRAIN), dataset.split(split)


def _check(model: TrainedModel, dataset: Dataset) -> None:
    """Refuse a model or a dataset between which there is nothing to probe."""
    if model.trained.encoder.observes == "states":
        raise CheckpointError(
            f"{model.trained.path}: a {model.trained.model} is given the state itself, so there is "
            "nothing to probe; name an encoder of frames, or look at what it draws with --visualise"
        )
    if not dataset.info.schema.state:
        raise ConfigurationError(
            f"{dataset.folder} holds no states, which features are compared with; collect rollouts "
            "of an environment that tells its state"
        )
    check_fit(model.trained, dataset)


@dataclass(frozen=True)
class _Both:
    train: Rows
    judged: Rows


@dataclass(frozen=True)
class _Job:
    """What looking at a model needs."""

    options: ProbeOptions
    rows: _Both
    seed: int
    device: torch.device
    stages: Stages

    def look(self, model: TrainedModel, name: str) -> tuple[Probed, Floats]:
        """Return what is found out about a model, and its features of the judged rows."""
        train, judged, encoder = self.rows.train, self.rows.judged, model.trained.encoder
        model.objective.to(self.device)
        self.stages.begin(f"encoding with {name}")
        features = self._features(encoder)
        verdict = judge_features(train, features[0], judged, features[1])
        self.stages.begin(f"{name} untrained")
        scores = {"untrained": self._score(untrained(encoder, self.seed))}
        self.stages.begin(f"PCA of {verdict.num_features} numbers")
        components = pca_features(train, judged, verdict.num_features)
        scores["PCA"] = probed(train, components[0], judged, components[1])[0]
        steps = self.options.supervised_steps
        self.stages.begin(f"{name} supervised, {steps:,} steps")
        taught = supervised(encoder, train.dataset, train.states, steps, self.seed)
        scores["supervised"] = self._score(taught)
        drawn, strip = self._drawn(model, features[1])
        trained = model.trained
        found = Probed(
            *(name, trained.model, trained.steps, trained.digest, verdict, scores, drawn, strip),
            trained_on=str(trained.dataset.get("split", "")),
        )
        return found, features[1]

    def _features(self, encoder: Encoder) -> tuple[Floats, Floats]:
        try:
            return features_of(encoder, self.rows.train), features_of(encoder, self.rows.judged)
        except UnexpectedObservationError as error:
            raise ConfigurationError(f"{self.options.dataset}: {error}") from error

    def _score(self, encoder: Encoder) -> tuple[float | None, ...]:
        features = self._features(encoder)
        return probed(self.rows.train, features[0], self.rows.judged, features[1])[0]

    def _drawn(self, model: TrainedModel, features: Floats) -> tuple[Drawn | None, Pictures | None]:
        """Return figures and a strip of what a model draws; None of one that draws nothing."""
        objective, judged = model.objective, self.rows.judged
        if not isinstance(objective, DrawingObjective):
            return None, None
        places = np.unique(np.linspace(0, len(judged) - 1, MOST_DRAWN).round()).astype(np.int64)
        frames = torch.from_numpy(np.array(judged.frames[places])).to(self.device)
        seen = torch.from_numpy(features[places]).float().to(self.device)
        pictures = draw_all(objective, frames, seen)
        drawn = judge(pictures, moving_pixels(objective, pictures.original))
        shown = np.unique(np.linspace(0, len(places) - 1, SHOWN).round()).astype(np.int64)
        return drawn, Pictures(*(each[shown] for each in pictures))


def _facts(options: ProbeOptions, dataset: Dataset, rows: _Both) -> dict[str, Any]:
    return {
        "command": options.command_line,
        "dataset": str(dataset.folder),
        "environment": environment_of(dataset),
        "dataset_digest": dataset.digest,
        "split": options.split,
        "train_episodes": len(rows.train.dataset),
        "train_rows": len(rows.train),
        "judged_episodes": len(rows.judged.dataset),
        "judged_rows": len(rows.judged),
        "supervised_steps": options.supervised_steps,
        "versions": collect_versions(),
    }


def _write(page: Path, results: Results) -> None:
    figures = page.with_suffix(".json")
    replace_file(page, probe_page(results).encode())
    replace_file(figures, (json.dumps(results.as_json(), indent=1) + "\n").encode())
    print_results(results)
    final_message(f"page        {page}")
    final_message(f"figures     {figures}")
