"""One episode three times: as it is, as an encoder draws it, and as a model dreams it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.encoders.objective import Pictures
from configs.loading import LoadedConfig
from training.building.seeding import make_generator
from training.checkpoints.dynamics import check_pair, load_dynamics
from training.checkpoints.encoder import TrainedModel, load_model
from training.collecting.choosing import choose_policy
from training.dreaming.dream import Dream
from training.folders.files import check_room_for, replace_file
from training.live.console import final_message, set_up_logging
from training.live.stages import Stages
from training.offline.pictures import sheet
from training.offline.samples import actions_of
from training.playing.video import Frame, caption_frame
from training.probing.beside_reality import dreamt_beside
from training.probing.drawings import draw_only
from training.probing.films import (
    FRAMES_PER_SECOND,
    background_of,
    check_form,
    drawing,
    drawn,
    film_path,
    in_colour,
    write_film,
)
from training.probing.options import PlayOptions
from training.probing.page import as_png
from training.probing.playing import own_config, own_policy, play_fresh
from training.probing.through_encoder import for_environment
from training.probing.window import show_window, why_no_window
from training.ranks.distributed import read_place
from training.ranks.threads import model_threads, set_threads
from training.recording.describing import schema_from_spec
from trajectories.episode import Array, Episode

FILM = "play.mp4"
SHOWN = 8  # moments of the strip
TEMPERATURE = 1.0  # of the dream: what an agent in one meets


@dataclass(frozen=True)
class Triple:
    """The pictures of T + 1 moments, [T + 1, C, H, W] each.

    Attributes:
        real, reconstructed, dreamt: what is to be seen; what the encoder makes of it; the dream.
        every: steps after which the dream begins anew.
    """

    real: Tensor
    reconstructed: Tensor
    dreamt: Tensor
    every: int

    def frame(self, moment: int) -> Frame:
        """Return the three of a moment side by side, with a label."""
        three = (self.real, self.reconstructed, self.dreamt)
        row = np.concatenate([_frame(each[moment]) for each in three], axis=1)
        ago = moment % self.every
        return caption_frame(
            row,
            [
                "real | reconstructed | dreamt",
                f"step {moment}; {ago} dreamt since a real latent, anew every {self.every}",
            ],
        )

    def strip(self) -> Frame:
        """Return the dream in the middle, in columns: real, reconstructed and dreamt in rows."""
        first = len(self.real) // 2 // self.every * self.every
        last = min(first + self.every, len(self.real)) - 1
        moments = np.unique(np.linspace(first, last, SHOWN).round()).astype(int)
        three = (self.real, self.reconstructed, self.dreamt)
        rows = [np.concatenate([_frame(each[m]) for m in moments], axis=1) for each in three]
        return caption_frame(
            np.concatenate(rows),
            [
                "rows: real, reconstructed, dreamt",
                f"steps {', '.join(map(str, moments))}, dreamt from a real latent at the first",
            ],
        )

    def errors(self) -> dict[str, float]:
        """Return mean squared errors of the moments at which a dream is under way."""
        moments = torch.arange(len(self.real))
        begun = moments - moments % self.every
        seen = moments != begun
        if not bool(seen.any()):
            return {}
        against = {
            "reconstructed": self.reconstructed,
            "dreamt": self.dreamt,
            "nothing changes": self.reconstructed[begun],
        }
        return {n: float((x - self.real)[seen].square().mean()) for n, x in against.items()}


def play(options: PlayOptions, loaded: LoadedConfig) -> int:
    """Play an episode, dream beside it, write film and strip; return the exit code.

    Raises:
        ScoutError: a model, the environment or the policy is refused, or the disk is full.
    """
    place = read_place()
    set_up_logging(place.rank, place.world_size, verbose=loaded.config.run.verbose_logging)
    set_threads(torch.device("cpu"), model_threads(loaded.config.run, place))
    film = film_path(options.out)
    vision, memory = load_model(options.vision_model), load_dynamics(options.memory_model)
    drawing(vision)
    check_pair(vision.trained, memory)
    film = film or memory.path.parent / FILM
    check_room_for(film)
    # As the model of sequences knows it: its steps may be longer than those of the encoder's data.
    config = own_config(memory, options.environment, loaded)
    name = options.policy or own_policy(memory, None)
    choice = choose_policy(name, loaded, place, gpu_id=options.gpu_id, greedy=False)
    with Stages(4, "playing beside a dream") as stages:
        maker = for_environment(choice, vision.trained.encoder)
        episodes, spec = play_fresh(config, maker, 1, stages, background_of(drawing(vision)))
        check_form(vision, episodes[0], spec.state_names)
        stages.begin("dreaming")
        dream = Dream(memory.dynamics, TEMPERATURE)
        generator = make_generator(config.run.seed, "dream beside reality", 0, torch.device("cpu"))
        # Of this play: datasets of before choices had a start were stored from 0 on.
        actions = actions_of(episodes[0].actions, schema_from_spec(spec, None).action)
        triple = _triple(vision, dream, episodes[0], actions, options.restart_every, generator)
        stages.begin("drawing the strip")
        replace_file(film.with_suffix(".png"), as_png(triple.strip()))
        stages.begin(f"writing {film}")
        write_film(film, _frames(triple))
    _say(triple, choice.name)
    final_message(f"film        {film}: real, reconstructed, dreamt")
    final_message(f"strip       {film.with_suffix('.png')}")
    missing = why_no_window()
    if missing is None:
        show_window(_frames(triple), FRAMES_PER_SECOND)
    else:
        final_message(f"no window   {missing}; the film shows the same")
    return 0


def _triple(
    vision: TrainedModel,
    dream: Dream,
    episode: Episode,
    actions: Array,
    every: int,
    generator: torch.Generator,
) -> Triple:
    objective = drawing(vision)
    pictures, latents = drawn(objective, episode, torch.device("cpu"))
    dreamt = dreamt_beside(
        dream, latents, torch.from_numpy(actions), every=every, generator=generator
    )
    return Triple(*pictures, draw_only(objective, dreamt), every)


def _frames(triple: Triple) -> Iterator[Frame]:
    return (triple.frame(moment) for moment in range(len(triple.real)))


def _frame(picture: Tensor) -> Frame:
    """Return a picture [C, H, W] from 0 to 1 as uint8 [H, W, 3]."""
    one = picture.unsqueeze(0)
    return in_colour(np.split(sheet(Pictures(one, one)), 3)[0])


def _say(triple: Triple, policy: str) -> None:
    final_message(f"played      {len(triple.real) - 1:,} steps, {policy}")
    errors = triple.errors()
    if errors:
        told = ", ".join(f"{name} {error:.4f}" for name, error in errors.items())
        final_message(
            f"error       {told}: mean squared, of values 0 to 1, while a dream is under way"
        )
