"""What a controller sees of an environment does not hang on those beside it, to the last bit."""

import pytest
import torch
from torch import Tensor

from agents.controllers.actions import BoxActions
from agents.controllers.controller import Controller, ControllerInputs
from agents.controllers.sight import Sight
from agents.dynamics.dynamics import Dynamics
from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import FramePreprocessing
from agents.encoders.reward_induced import RecurrentEncoder
from agents.encoders.vae import VAEEncoder
from tests.agents.dynamics.walks import KINDS, A, D, make, task
from tests.agents.small import drawn_from

CPU = torch.device("cpu")
N, STEPS = 9, 14  # environments; more steps than a window of the transformer has


LOOKS: dict[str, type[VAEEncoder] | type[RecurrentEncoder] | None] = {
    "vectors": None,
    "frames": VAEEncoder,
    "frames that are remembered": RecurrentEncoder,
}


def encoder(looks: str) -> Encoder | None:
    kind = LOOKS[looks]
    with drawn_from(1):
        frames = FramePreprocessing(64, 64, 1, layout="CHW")
        return None if kind is None else kind(frames, feature_size=D)


def sight_of(memory: Dynamics | None, *, with_change: bool, looks: str) -> Sight:
    hidden = 0 if memory is None else memory.feature_size
    inputs = ControllerInputs(D, hidden_size=hidden, with_change=with_change)
    controller = Controller(inputs, BoxActions([-1.0] * A, [1.0] * A))
    return Sight(controller, CPU, encoder=encoder(looks), memory=memory)


def observations(looks: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return observations [STEPS, N, ...], where episodes begin [STEPS, N], parameters [N, ...]."""
    draw = torch.Generator().manual_seed(5)
    starts = torch.rand(STEPS, N, generator=draw) < 0.15
    if LOOKS[looks] is not None:
        seen = torch.randint(0, 256, (STEPS, N, 1, 64, 64), dtype=torch.uint8, generator=draw)
    else:
        seen = torch.randn(STEPS, N, D, generator=draw)
    return seen, starts, torch.randn(N, 500, generator=draw)


def acted(sight: Sight, rows: list[int], looks: str) -> Tensor:
    """Return the actions [STEPS, rows, A] where these environments are all there are."""
    seen, starts, parameters = observations(looks)
    parameters = parameters[rows, : sight.controller.num_parameters]
    view, actions = sight.open(seen[0, rows]), []
    for step in range(STEPS):
        actions.append(view.act(parameters))
        if step + 1 < STEPS:
            view.push(seen[step + 1, rows], starts[step + 1, rows])
    return torch.stack(actions)


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("kind", [None, *KINDS])
def test_actions_are_the_same_alone_and_among_others(kind: str | None, looks: str) -> None:
    memory = None if kind is None else make(kind, task(steps=6))
    sight = sight_of(memory, with_change=True, looks=looks)
    together = acted(sight, list(range(N)), looks)
    for rows in ([3], [8, 0], [5, 4, 3, 2, 1], [7, 6, 5, 4, 3, 2, 1, 0, 8]):
        assert torch.equal(acted(sight, rows, looks), together[:, rows])


def test_a_controller_sees_latents_their_change_and_what_was_before() -> None:
    """Against the same steps one by one, written from the paper's text."""
    memory = make("mdn_rnn", task(steps=6))
    sight = sight_of(memory, with_change=True, looks="vectors")
    seen, starts, parameters = observations(looks="vectors")
    parameters = parameters[:, : sight.controller.num_parameters]
    found = acted(sight, list(range(N)), looks="vectors")
    for row in range(N):
        module = sight.controller.module(parameters[row])
        before, state = seen[0, row], memory.initial_state(1)
        for step in range(STEPS):
            latent = seen[step, row]
            if starts[step, row] and step:
                before, state = latent, memory.initial_state(1)
            hidden = memory.hidden(state)[0]
            action = module(torch.cat([latent, hidden, latent - before]))
            torch.testing.assert_close(found[step, row], action)
            _, state = memory.step(latent.unsqueeze(0), action.unsqueeze(0), state)
            before = latent


def test_what_was_in_another_episode_is_forgotten() -> None:
    sight = sight_of(make("mdn_rnn", task(steps=6)), with_change=True, looks="vectors")
    parameters = torch.randn(1, sight.controller.num_parameters)
    first, later = torch.randn(1, D), torch.randn(1, D)
    fresh = sight.open(later).act(parameters)
    view = sight.open(first)
    view.act(parameters)
    view.push(later, torch.tensor([True]))
    assert torch.equal(view.act(parameters), fresh)
