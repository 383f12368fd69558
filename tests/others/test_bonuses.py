"""What a bonus looks at, how it is measured and scaled, and with what it cannot be combined."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from agents.intrinsic.byol_explore import BYOLExplore
from agents.intrinsic.drnd import DistributionalNetworkDistillation
from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.intrinsic.snd import SelfSupervisedDistillation
from agents.ppo.learner import Learner
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.errors import ConfigurationError
from configs.loading import load_config
from tests.agents.scripts import draw_script
from tests.agents.small import FRAME, Kind, filled, make_learner, rnd_of
from training.building.learner import build_learner
from workers.environments.base import EnvironmentSpec

T, N, GAMMA = 9, 3, 0.7  # the last is that of `make_rnd`


def last_frame(rollout: RolloutBuffer, samples: Tensor) -> Tensor:
    """The one frame that followed each step."""
    return rollout.next_frames(samples)


def mean_of_stack(rollout: RolloutBuffer, samples: Tensor) -> Tensor:
    """What a network of one channel can be given of a whole stack."""
    stacks: Tensor = rollout.observations(samples)
    return stacks.float().mean(dim=1, keepdim=True)


def squared(difference: Tensor) -> Tensor:
    return difference.square().mean(dim=1)


def halved_distance(difference: Tensor) -> Tensor:
    """The length of the error, not its square."""
    return difference.square().sum(dim=1).sqrt() / 2


def by_sums_over_time(errors: Tensor) -> Tensor:
    """Divide by the deviation of all discounted sums so far, one sum an environment."""
    running, sums = torch.zeros(N), []
    for row in errors:
        running = GAMMA * running + row
        sums.append(running)
    return errors / torch.stack(sums).std(correction=0)


def by_own_moments(errors: Tensor) -> Tensor:
    """Divide by the deviation of the bonuses themselves."""
    return errors / errors.std(correction=0)


@dataclass(frozen=True)
class Pieces:
    """What a bonus is made of, as the paper has it; each may be swapped."""

    frames: Callable[[RolloutBuffer, Tensor], Tensor] = last_frame
    error: Callable[[Tensor], Tensor] = squared
    scale: Callable[[Tensor], Tensor] = by_sums_over_time

    def bonuses(self, rnd: RandomNetworkDistillation, rollout: RolloutBuffer) -> Tensor:
        """Return those [T, N] of a first rollout, the frames whitened as by `whiten`."""
        seen = self.frames(rollout, torch.arange(T * N)).float() / 50 - 2
        with torch.no_grad():
            return self.scale(self.error(rnd.predictor(seen) - rnd.target(seen)).reshape(T, N))


@pytest.mark.parametrize(
    ("pieces", "is_ours"),
    [
        pytest.param(Pieces(), True, id="as it is"),
        pytest.param(Pieces(frames=mean_of_stack), False, id="fed with stacks"),
        pytest.param(Pieces(error=halved_distance), False, id="another error"),
        pytest.param(Pieces(scale=by_own_moments), False, id="another normaliser"),
    ],
)
def test_deep_rl_zoo_12_a_bonus_is_of_one_frame_squared_and_scaled_by_returns(
    ranks: Ranks, pieces: Pieces, is_ours: bool
) -> None:
    """Each of the three pieces shows where it is swapped for the thread's."""
    shape, learner = Kind(FRAME).rollout_shape(T, N), make_learner(Kind(FRAME), N)
    rnd, rollout = rnd_of(learner), filled(draw_script(shape, 0), shape)
    whiten(rnd)
    found = rnd.scale(rnd.raw_bonuses(learner.experience(rollout)), ranks)
    assert torch.allclose(found, pieces.bonuses(rnd, rollout), rtol=1e-4) == is_ours


def whiten(rnd: RandomNetworkDistillation) -> None:
    """Let frames be laid around 100 with a deviation of 50, which clips none."""
    moments = rnd.observation_moments
    moments.count.fill_(1)
    moments.mean.fill_(100)
    moments.m2.fill_(2500)


# Small networks: what is asked here is which of them there are.
SMALL = """\
[Environment]
EnvType = {env_type}
EnvID = {env_id}
ObservationType = {observation}
[PPO]
NumStep = 8
ConvChannels = 2, 2, 2
HiddenSize = 4
FeatureDim = 4
[Intrinsic]
IntrinsicReward = {bonus}
RNDInput = {seen}
RNDFeatureDim = 4
RNDHiddenSize = 4
RNDConvChannels = 2, 2, 2
[Representation]
RepresentationLearningParameter = {head}
BYOL_projectionSize = 4
BYOL_projectionHiddenSize = 4
BarlowTwinsProjectionSizes = 4, 4
[Run]
NumEnv = 2
"""
BONUSES = ("none", "RND", "DRND", "SND", "BYOL-Explore")
ENVIRONMENTS = (
    ("atari", "PongNoFrameskip-v4"),
    ("mario", "SuperMarioBros-v0"),
    ("minigrid", "MiniGrid-FourRooms-v0"),
    ("classic_control", "CartPole-v1"),
)
HEADS = ("None", "BYOL", "Barlow-Twins")
CLASSES = {
    "RND": RandomNetworkDistillation,
    "DRND": DistributionalNetworkDistillation,
    "SND": SelfSupervisedDistillation,
    "BYOL-Explore": BYOLExplore,
}
PIXELS = EnvironmentSpec("x", (1, 84, 84), "uint8", discrete=True, num_actions=3)
STATE = EnvironmentSpec(
    *("x", (2,), "float32"),
    discrete=True,
    num_actions=3,
    observation_low=(-1.0, -1.0),
    observation_high=(1.0, 1.0),
)


def reasons(env_type: str, observation: str, bonus: str, seen: str, head: str) -> Iterator[str]:
    """Give what must be said of each two that cannot go together."""
    if observation == "state" and env_type != "classic_control":
        yield f"ObservationType = state with EnvType = {env_type}: "
    if seen == "features" and bonus not in ("RND", "DRND"):
        yield f"RNDInput = features with IntrinsicReward = {bonus}: "
    if seen == "features" and observation == "state":
        yield "RNDInput = features with state observations: "
    if head != "None" and observation == "state":
        yield f"RepresentationLearningParameter = {head} with state observations: "


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment[0])
def test_ray_12611_and_35867_a_bonus_is_there_or_refused_with_a_reason(
    tmp_path: Path, environment: tuple[str, str]
) -> None:
    """Whatever it is combined with: what it sees, a head, any family of environments.

    What is built depends on the observation alone, so one family is enough for that.
    """
    (env_type, env_id), path = environment, tmp_path / "recipe.conf"
    for combined in product(("pixels", "state"), BONUSES, ("pixels", "features"), HEADS):
        observation, bonus, seen, head = combined
        words = {"env_type": env_type, "env_id": env_id, "observation": observation}
        path.write_text(SMALL.format(**words, bonus=bonus, seen=seen, head=head))
        if told := list(reasons(env_type, *combined)):
            with pytest.raises(ConfigurationError) as refusal:
                load_config(path)
            assert [reason for reason in told if reason not in str(refusal.value)] == [], combined
            continue
        config = load_config(path).config
        if env_type == "classic_control":
            spec = STATE if observation == "state" else PIXELS
            assert_takes_part(build_learner(config, spec, 2), *combined[1:])


def assert_takes_part(learner: Learner, bonus: str, seen: str, head: str) -> None:
    """Each part that was asked for is there, and what it trains with it; no other is."""
    assert type(learner.intrinsic) is CLASSES.get(bonus, type(None))
    assert (learner.bonus_features is not None) == (seen == "features")
    assert (learner.representation is not None) == (head != "None")
    for part in (learner.intrinsic, learner.representation):
        assert part is None or any(p.requires_grad for p in part.parameters())


def test_ray_35867_a_slow_backbone_that_no_bonus_looks_at_is_told(tmp_path: Path) -> None:
    path = tmp_path / "recipe.conf"
    path.write_text("[Intrinsic]\nUseEmaBackboneForRND = True\n")
    (note,) = load_config(path).notes
    assert "UseEmaBackboneForRND = True with RNDInput = pixels: has no effect" in note
    path.write_text("[Intrinsic]\nUseEmaBackboneForRND = True\nRNDInput = features\n")
    assert load_config(path).notes == ()
