"""A decoder in an environment that it has never seen: a film, a strip and figures."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.encoders.drawing import OBJECT_THRESHOLD, DrawingObjective
from agents.encoders.objective import Pictures, Samples
from configs.loading import LoadedConfig
from training.checkpoints.encoder import TrainedModel, load_model
from training.collecting.choosing import BUILT_IN
from training.folders.files import check_room_for, replace_file
from training.live.console import final_message, set_up_logging
from training.live.stages import Stages
from training.offline.pictures import sheet
from training.playing.video import Frame
from training.probing.centroids import centroid_errors, centroids
from training.probing.drawings import Drawn, judge, moving_pixels
from training.probing.films import (
    background_of,
    check_form,
    drawing,
    drawn,
    film_path,
    in_colour,
    write_film,
)
from training.probing.options import FreshOptions
from training.probing.page import as_png
from training.probing.playing import own_config, own_policy, play_fresh
from training.probing.results import drawn_text
from training.ranks.distributed import choose_device, read_place
from training.ranks.threads import model_threads, set_threads
from trajectories.episode import Episode

FILM = "fresh.mp4"
SHOWN = 8  # pictures of the strip
CHUNK = 64  # frames whose loss is taken at once


@dataclass(frozen=True)
class Fresh:
    """What came of it.

    Attributes:
        drawn: errors of the drawings.
        centroid_error, worst_centroid_error: mean and largest distance of the moving object, in
            pixels; None where none is drawn.
        num_missed: frames whose object is not drawn at all.
        num_frames: that were drawn.
        loss: the objective's, of the fresh frames; None of one that is trained on windows.
        held_out_loss: that of its held-out episodes in training, at its best; None where there
            were none.
    """

    drawn: Drawn
    centroid_error: float | None
    worst_centroid_error: float | None
    num_missed: int
    num_frames: int
    loss: float | None
    held_out_loss: float | None

    @property
    def ratio(self) -> float | None:
        """The fresh loss as a multiple of the held-out one; None where one of them is not known."""
        if self.loss is None or not self.held_out_loss:
            return None
        return self.loss / self.held_out_loss


def draw_fresh(options: FreshOptions, loaded: LoadedConfig) -> int:
    """Play, draw, and write film, strip and figures; return the exit code.

    Raises:
        ScoutError: the model, environment or policy is refused, or the disk is full.
    """
    place = read_place()
    device = choose_device(place, options.gpu_id)
    set_up_logging(place.rank, place.world_size, verbose=loaded.config.run.verbose_logging)
    set_threads(device, model_threads(loaded.config.run, place))
    film = film_path(options.out)
    model = load_model(options.model)
    film = film or model.trained.path.parent / FILM
    check_room_for(film)
    objective = drawing(model)
    config = own_config(model.trained, options.environment, loaded)
    policy = own_policy(model.trained, options.policy)
    with Stages(options.episodes + 2, "drawing fresh play") as stages:
        episodes, spec = play_fresh(
            config, BUILT_IN[policy], options.episodes, stages, background_of(objective)
        )
        check_form(model, episodes[0], spec.state_names)
        stages.begin("drawing")
        objective.to(device)
        parts = [drawn(objective, episode, device)[0] for episode in episodes]
        pictures = Pictures(*(torch.cat(each) for each in zip(*parts, strict=True)))
        found = _judged(objective, pictures, _loss(objective, episodes, device), model)
        stages.begin(f"writing {film}")
        moments = range(len(pictures.original))
        write_film(film, (_side_by_side(pictures, place) for place in moments))
    shown = np.unique(np.linspace(0, len(parts[0].original) - 1, SHOWN).round()).astype(np.int64)
    strip = sheet(Pictures(*(each[shown] for each in parts[0])))
    replace_file(film.with_suffix(".png"), as_png(strip))
    facts = {
        "model": str(model.trained.path),
        "encoder_digest": model.trained.digest,
        "environment": model.trained.environment_id,
        "policy": policy,
        "seed": config.run.seed,
        "episodes": options.episodes,
    }
    _say(film, found, facts)
    return 0


@torch.no_grad()
def _loss(
    objective: DrawingObjective, episodes: list[Episode], device: torch.device
) -> float | None:
    """Return the objective's mean loss of all frames; None of one that is trained on windows."""
    if objective.needs.steps > 1:
        return None
    frames = torch.from_numpy(np.concatenate([e.observations for e in episodes]))
    told = [e.states for e in episodes if e.states is not None]
    states = torch.from_numpy(np.concatenate(told)) if told else None
    generator = torch.Generator(device).manual_seed(0)
    total = 0.0
    for first in range(0, len(frames), CHUNK):
        rows = slice(first, first + CHUNK)
        samples = Samples(
            observations=frames[rows].to(device),
            states=None if states is None else states[rows].to(device),
        )
        total += float(objective(samples, generator).total) * len(frames[rows])
    return total / len(frames)


def _judged(
    objective: DrawingObjective, pictures: Pictures, loss: float | None, model: TrainedModel
) -> Fresh:
    background = objective.scene.background.cpu()
    places = [centroids(each, background, OBJECT_THRESHOLD) for each in pictures]
    errors = centroid_errors(*places)
    there = len(errors.distances) > 0
    return Fresh(
        drawn=judge(pictures, moving_pixels(objective, pictures.original)),
        centroid_error=float(errors.distances.mean()) if there else None,
        worst_centroid_error=float(errors.distances.max()) if there else None,
        num_missed=errors.num_missed,
        num_frames=len(pictures.original),
        loss=loss,
        held_out_loss=model.held_out_loss,
    )


def _side_by_side(pictures: Pictures, place: int) -> Frame:
    """Return true frame, drawing and difference of one moment, uint8 [H, 3 W, 3]."""
    stacked = sheet(Pictures(*(each[place : place + 1] for each in pictures)))
    return in_colour(np.concatenate(np.split(stacked, 3, axis=0), axis=1))


def _say(film: Path, found: Fresh, facts: dict[str, Any]) -> None:
    figures = film.with_suffix(".json")
    content = {**facts, **asdict(found), "ratio": found.ratio}
    replace_file(figures, (json.dumps(content, indent=1) + "\n").encode())
    final_message(f"drawings    {drawn_text(found.drawn)}; {found.num_frames:,} frames")
    final_message(f"object      {_centroid_text(found)}")
    final_message(f"fresh       {_ratio_text(found)}")
    final_message(f"film        {film}: what is there, the drawing, the difference")
    final_message(f"strip       {film.with_suffix('.png')}")
    final_message(f"figures     {figures}")


def _centroid_text(found: Fresh) -> str:
    missed = f"; not drawn at all in {found.num_missed:,} frames" if found.num_missed else ""
    if found.centroid_error is None:
        return f"no frame has one both seen and drawn{missed}"
    return (
        f"{found.centroid_error:.2f} pixels from its place on average, "
        f"{found.worst_centroid_error:.2f} at worst{missed}"
    )


def _ratio_text(found: Fresh) -> str:
    if found.ratio is None:
        why = "it was trained on windows" if found.loss is None else "nothing was held out"
        return f"not compared with held-out episodes: {why}"
    return (
        f"loss {found.loss:.4g}, {found.ratio:.2f} of {found.held_out_loss:.4g} on held-out "
        "episodes in training"
    )
