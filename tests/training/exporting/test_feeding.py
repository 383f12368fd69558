"""The card is enough: who plays by it, with gymnasium's wrappers, plays the evaluation's games."""

import ast
import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor

from agents.frame_stack import FrameStack
from agents.recurrent.recollection import Recollection
from configs.loading import config_from_mapping
from configs.schema import Config
from tests.exports import policy_in
from tests.runs import CARTPOLE, PONG, run_here, write_recipe
from tests.training.exporting import played_by_the_card
from training.exporting.feeding import how_to_play, in_words
from training.playing.player import open_environments, play_episodes
from workers.environments.base import EnvironmentSpec
from workers.environments.make import make_environment
from workers.environments.parts.actions import in_units
from workers.environments.parts.spaces import spec_of

pytestmark = pytest.mark.timeout(300)

SEED = 4
EPISODES, ENVIRONMENTS = 3, 2
OWN_ROOMS = {
    "agents",
    "benchmarks",
    "configs",
    "examples",
    "main",
    "tests",
    "training",
    "trajectories",
    "workers",
}


def games_here(folder: Path) -> list[played_by_the_card.Game]:
    """Play the evaluation's games with Scout's own environments; return them in its order."""
    export = policy_in(folder)
    player = export.player(seed=SEED, greedy=True)
    actions: list[list[Any]] = [[] for _ in range(ENVIRONMENTS)]
    act = player.act

    def noted(frames: Recollection) -> Tensor:
        chosen = act(frames)
        taken = in_units(export.spec, chosen.numpy()).tolist()
        for its_actions, action in zip(actions, taken, strict=True):
            its_actions.append(action)
        return chosen

    player.act = noted  # type: ignore[method-assign]
    with open_environments(export.config, SEED, ENVIRONMENTS) as environments:
        episodes = play_episodes(environments, player, EPISODES)
    games = []
    for episode in episodes:
        own = actions[episode.environment]
        games.append((own[: episode.length], episode.score))
        del own[: episode.length]
    return games


def evaluated_export(folder: Path, text: str, **values: object) -> Path:
    """Train a little, evaluate greedily and export; return the export's folder."""
    recipe = write_recipe(folder, text, **values)
    common = (f"--config_path={recipe}", "--log_name=demo")
    assert run_here(folder, "--train", *common) == 0
    loading = (*common, "--load_model_path=checkpoints/demo.ckpt")
    counts = (f"--episodes={EPISODES}", f"--num_env_per_process={ENVIRONMENTS}", f"--seed={SEED}")
    assert run_here(folder, "--eval", "--greedy", *loading, *counts) == 0
    assert run_here(folder, "--export", *loading) == 0
    return folder / "exports" / "demo"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param(CARTPOLE, {}, id="CartPole"),
        pytest.param(
            PONG, {"TotalEnvSteps": 32, "MaxStepPerEpisode": 40}, marks=pytest.mark.slow, id="Pong"
        ),
    ],
)
def test_who_plays_by_the_card_alone_plays_the_games_of_the_evaluation(
    tmp_path: Path, text: str, values: dict[str, Any]
) -> None:
    folder = evaluated_export(tmp_path, text, **values)
    games = played_by_the_card.play_games(folder)
    (evaluation,) = json.loads((folder / "config.json").read_text())["evaluations"]
    assert [score for _, score in games] == evaluation["scores"]
    assert games == games_here(folder)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"StickyAction": "False"},
        {"ActionProb": "0.6", "FrameSkip": "3", "StateStackSize": "2", "PreProcWidth": "60"},
    ],
    ids=["as usual", "without sticky actions", "all else"],
)
def test_any_actions_lead_through_the_same_inputs_and_rewards(values: dict[str, str]) -> None:
    config, _, play = described(EnvID="PongNoFrameskip-v4", MaxStepPerEpisode="50", **values)
    here, there = make_environment(config.environment), played_by_the_card.make(play)
    actions = np.random.default_rng(1).integers(6, size=(2, 50))
    for seed, episode in zip((9, None), actions.tolist(), strict=True):
        first, _ = here.reset(seed=seed)
        frames = FrameStack(torch.from_numpy(first)[None], config.environment.stack_size)
        shown, _ = there.reset(seed=seed)
        for action in episode:
            assert np.array_equal(frames.observation[0].numpy(), shown)
            frame, *ours = here.step(action)
            shown, *theirs = there.step(action)
            frames.push(torch.from_numpy(frame)[None], torch.tensor([False]))
            assert ours[:3] == theirs[:3]
        assert ours[2]
    here.close()
    there.close()


def test_who_lays_out_continuous_actions_by_the_card_plays_the_games_of_the_evaluation(
    tmp_path: Path,
) -> None:
    text = CARTPOLE.replace("CartPole-v1", "Pendulum-v1")
    folder = evaluated_export(tmp_path, text, MaxStepPerEpisode=20)
    games = played_by_the_card.play_games(folder)
    (evaluation,) = json.loads((folder / "config.json").read_text())["evaluations"]
    scores = [score for _, score in games]
    assert scores == pytest.approx(evaluation["scores"], rel=1e-4)  # its batches are larger
    for (here, _), (there, _) in zip(games_here(folder), games, strict=True):
        assert np.abs(here).max() > 1e-2
        assert np.allclose(here, there, rtol=1e-4, atol=1e-4)


def test_the_player_of_the_card_knows_nothing_of_this_project() -> None:
    tree = ast.parse(Path(played_by_the_card.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _names(node)
    }
    assert imported & OWN_ROOMS == set()


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names]


def described(**values: str) -> tuple[Config, EnvironmentSpec, dict[str, Any]]:
    config = config_from_mapping(values)
    environment = make_environment(config.environment)
    try:
        spec = environment.environment_spec
    finally:
        environment.close()
    return config, spec, how_to_play(config, spec, 0)


@pytest.mark.parametrize(
    "values",
    [
        {"EnvID": "MontezumaRevengeNoFrameskip-v4"},
        {"EnvID": "PongNoFrameskip-v4", "LifeDone": "True", "FrameSkip": "1"},
        {"EnvType": "classic_control", "EnvID": "CartPole-v1", "MaxStepPerEpisode": "auto"},
        {"EnvType": "classic_control", "EnvID": "Acrobot-v1", "ObservationType": "pixels"},
        {"EnvType": "classic_control", "EnvID": "Pendulum-v1"},
        {"EnvType": "gymnasium", "EnvID": "CartPole-v1"},
    ],
    ids=lambda values: "-".join(values.values()),
)
def test_every_family_is_described_in_strict_json_and_in_words(values: dict[str, str]) -> None:
    _, spec, play = described(**values)
    assert json.loads(json.dumps(play, allow_nan=False)) == play
    names = play["actions"].get("names")
    assert names is None or len(names) == spec.num_actions == len(set(names))
    assert play["step"]["frame_skip"] == spec.frame_skip
    assert play["observation"]["dtype"] == spec.observation_dtype
    words = in_words(play)
    rows = [line for line in words.splitlines() if line.startswith("| ")]
    assert all(line.count(" | ") == 1 for line in rows)
    assert all(text in words for text in play["differences"])


def test_what_the_recipe_sets_stands_in_the_card() -> None:
    _, _, play = described(
        EnvID="MontezumaRevengeNoFrameskip-v4",
        ActionProb="0.1",
        FrameSkip="3",
        StateStackSize="2",
        PreProcHeight="40",
        PreProcWidth="60",
        ThirdKernel="3",
        MaxStepPerEpisode="auto",
    )
    assert play["sticky_actions"]["probability"] == 0.1
    assert (play["observation"]["height"], play["observation"]["width"]) == (40, 60)
    assert play["observation"]["stack_size"] == 2
    assert play["episode"]["max_env_steps"] == 36_000
    assert play["episode"]["max_emulator_frames"] == 108_000
    assert play["actions"]["names"][:2] == ["NOOP", "FIRE"]
    words = in_words(play)
    assert "| sticky actions: probability | 0.1 |" in words
    assert "| observation: stack size | 2 |" in words


@pytest.mark.parametrize(
    ("values", "num_actions", "skip"),
    [
        ({"EnvType": "minigrid", "EnvID": "MiniGrid-MultiRoom-N4-S5-v1"}, 4, 1),
        ({"EnvType": "mario", "EnvID": "SuperMarioBros-v0", "LifeDone": "True"}, 7, 4),
    ],
    ids=["minigrid", "mario"],
)
def test_what_needs_further_packages_is_described_without_them(
    values: dict[str, str], num_actions: int, skip: int
) -> None:
    config = config_from_mapping(values)
    spec = EnvironmentSpec(
        values["EnvID"],
        (1, 84, 84),
        "uint8",
        discrete=True,
        num_actions=num_actions,
        frame_skip=skip,
    )
    play = how_to_play(config, spec, 0)
    assert json.loads(json.dumps(play, allow_nan=False)) == play
    assert len(play["actions"]["names"]) == num_actions
    assert play["step"]["frame_skip"] == skip
    assert play["observation"]["stack_size"] == 4
    assert "| actions: names | " in in_words(play)


def test_choices_that_the_simulator_counts_from_another_number_are_listed() -> None:
    config = config_from_mapping({"EnvType": "gymnasium", "EnvID": "Shifted-v0"})
    sight = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    for start, numbers in ((-1, [-1, 0, 1]), (0, None)):
        space = gymnasium.spaces.Discrete(3, start=start)
        play = how_to_play(config, spec_of("Shifted-v0", sight, space, can_snapshot=False), 0)
        assert play["actions"].get("numbers_in_the_simulator") == numbers
        assert ("numbers in the simulator | -1, 0, 1 |" in in_words(play)) == (numbers is not None)


def test_a_maze_drawn_by_the_card_is_the_frame_that_is_seen() -> None:
    pytest.importorskip("minigrid")
    config, _, play = described(
        EnvType="minigrid", EnvID="MiniGrid-MultiRoom-N4-S5-v1", LayoutSeed="1", PreProcWidth="90"
    )
    here = make_environment(config.environment)
    there: Any = gymnasium.make(play["simulator"]["gymnasium_id"]).unwrapped
    seen, _ = here.reset(seed=5)
    there.reset(seed=play["simulator"]["reset_seed"])
    numbers = play["actions"]["numbers_in_the_simulator"]
    for action in [2, 3, 2, 2, *np.random.default_rng(3).integers(4, size=150).tolist()]:
        assert np.array_equal(seen[0], drawn(there, play["observation"]))
        seen, reward, *_ = here.step(action)
        assert reward == there.step(numbers[action])[1]
    here.close()


def drawn(maze: Any, seen: dict[str, Any]) -> Any:
    """Draw a maze by the words of `observation` in a card."""
    greys, frame = seen["drawing"]["greys"], np.zeros((seen["height"], seen["width"]), np.uint8)
    k = min(seen["height"] // maze.height, seen["width"] // maze.width)
    top, left = (seen["height"] - k * maze.height) // 2, (seen["width"] - k * maze.width) // 2
    for y, x in np.ndindex(maze.height, maze.width):
        tile, cell = frame[top + k * y :, left + k * x :][:k, :k], maze.grid.get(x, y)
        if cell is not None:
            tile[...] = greys[cell.type]
        if cell is not None and cell.type == "door" and cell.is_open:
            tile[1:-1, 1:-1] = seen["drawing"]["empty"]
        if (x, y) == tuple(maze.agent_pos):
            rows, columns = np.mgrid[:k, :k]
            right = 2 * np.abs(rows - (k - 1) / 2) <= k - 1 - columns
            tile[np.rot90(right, -maze.agent_dir)] = greys["agent"]
    return frame


@pytest.mark.parametrize(("mapping", "scale"), [("auto", 2.0), ("bounds", 2.0), ("clip", 1.0)])
def test_continuous_actions_are_laid_out_and_clipped_as_the_environment_does(
    mapping: str, scale: float
) -> None:
    _, spec, play = described(EnvType="classic_control", EnvID="Pendulum-v1", ActionMapping=mapping)
    actions = play["actions"]
    assert (actions["low"], actions["high"]) == ([-2.0], [2.0])
    assert (actions["offset"], actions["scale"]) == ([0.0], [scale])
    assert actions["sampled"].startswith("clip(offset + scale * (mean + exp(log_std) * noise)")
    assert play["sticky_actions"] is None
    words = in_words(play)
    assert f"| actions: scale | {scale} |" in words
    for mean in (-3.0, -0.3, 0.7, 1.4):
        output = np.array([mean], np.float32)
        assert played_by_the_card.chosen(actions, {"mean": output}) == in_units(spec, output)


def test_a_repeated_action_is_a_step_of_the_card_and_its_cap_counts_such_steps() -> None:
    _, spec, play = described(
        EnvType="box2d",
        EnvID="LunarLander-v3",
        ActionRepeat="3",
        ObservationType="state",
        MaxStepPerEpisode="auto",
    )
    assert play["episode"]["max_env_steps"] == spec.max_episode_steps == 334
    assert play["step"]["frame_skip"] == 3
    assert play["step"]["reward"].startswith("the sum over the simulator's steps")
