"""A film: one game, judged as a whole, the screen beside the curves."""

from pathlib import Path

import numpy as np
import pytest
import torch

from configs.loading import load_config
from tests.runs import CARTPOLE, PONG, run_here, write_recipe
from training.playing.film import WIDTH, captioned, compose, make_parts
from training.playing.loaded_agent import LoadedPPO, load_agent
from training.playing.maps import RoomMap, StateMap
from training.playing.panels import GROUND, Curve, Note, Part
from training.playing.recording import Recording, record_game
from workers.environments.make import make_environment

pytestmark = pytest.mark.timeout(300)


def recorded(folder: Path, text: str, **values: object) -> tuple[LoadedPPO, Recording, list[Part]]:
    """Train a little, and play one game."""
    recipe = write_recipe(folder, text, TotalEnvSteps=32, **values)
    assert run_here(folder, "--train", f"--config_path={recipe}", "--log_name=demo") == 0
    path = folder / "checkpoints" / "demo.ckpt"
    agent = load_agent(path, load_config(recipe, []), torch.device("cpu"), greedy=False)
    assert isinstance(agent, LoadedPPO)
    environment = make_environment(agent.config.environment)
    recording = record_game(environment, agent.player, seed=3)
    parts = make_parts(agent, recording, environment, len(captioned(recording, "", 0)))
    environment.close()
    return agent, recording, parts


@pytest.fixture(scope="module")
def cartpole(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[LoadedPPO, Recording, list[Part]]:
    return recorded(tmp_path_factory.mktemp("cartpole"), CARTPOLE)


@pytest.fixture(scope="module")
def montezuma(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[LoadedPPO, Recording, list[Part]]:
    folder = tmp_path_factory.mktemp("montezuma")
    return recorded(folder, PONG, EnvID="MontezumaRevengeNoFrameskip-v4")


Filmed = tuple[LoadedPPO, Recording, list[Part]]


def test_a_recording_keeps_every_screen_as_it_was_and_a_value_for_every_decision(
    montezuma: Filmed,
) -> None:
    agent, recording, _ = montezuma
    assert recording.num_moments == 31
    assert len(recording.values_extrinsic) == len(recording.values_intrinsic) == 30
    assert len(recording.lived.steps) == 30
    environment = make_environment(agent.config.environment)
    environment.reset(seed=3)
    assert (recording.screen(0) == environment.render()).all()
    for step in recording.lived.steps:
        seen, *_ = environment.step(step.action.numpy())
        assert (step.final.numpy() == seen).all()
    assert (recording.screen(30) == environment.render()).all()
    environment.close()


def test_all_pictures_of_a_film_have_one_size(cartpole: Filmed) -> None:
    _, recording, parts = cartpole
    sizes = {compose(recording, parts, "a", m).shape for m in range(recording.num_moments)}
    assert sizes == {(468, 600 + WIDTH, 3)}


def test_a_film_of_states_shows_the_bonus_both_values_and_where_training_has_been(
    cartpole: Filmed,
) -> None:
    _, _, parts = cartpole
    assert [type(part) for part in parts] == [Curve, Curve, Curve, StateMap]


def test_a_film_of_montezuma_shows_its_rooms(montezuma: Filmed) -> None:
    _, recording, parts = montezuma
    assert [type(part) for part in parts] == [Curve, Curve, Curve, RoomMap]
    assert recording.rooms == [(1,)] * 31
    assert recording.room == [1] * 31


def test_a_film_of_plain_ppo_says_that_there_is_no_bonus(tmp_path: Path) -> None:
    _, recording, parts = recorded(tmp_path, CARTPOLE, IntrinsicReward="none")
    assert [type(part) for part in parts] == [Note, Curve, StateMap]
    assert (compose(recording, parts, "a", 0)[-4:, 600:] == GROUND).all()


def test_the_curves_are_the_values_that_were_met(cartpole: Filmed) -> None:
    agent, recording, _ = cartpole
    states = torch.from_numpy(recording.states()[:-1])
    with torch.no_grad():
        output = agent.learner.policy(states)
    np.testing.assert_allclose(recording.values_extrinsic, output.value_extrinsic, rtol=1e-4)
    np.testing.assert_allclose(recording.values_intrinsic, output.value_intrinsic, rtol=1e-4)


def test_filming_changes_nothing_of_the_agent(cartpole: Filmed) -> None:
    agent, _, _ = cartpole
    held, kept = agent.learner.state_dict(), agent.payload["learner"]
    assert [name for name in kept if not torch.equal(kept[name], held[name])] == []
