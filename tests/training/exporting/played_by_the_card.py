"""A player that knows an export's config.json and gymnasium, and nothing of this project."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ale_py
import gymnasium
import numpy as np
import torch
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation, TimeLimit
from numpy.typing import NDArray

Array = NDArray[Any]
Game = tuple[list[Any], float]
"""The actions of an episode, as its simulator takes them, and its score."""


class StickyFrames(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Sticky actions as the card has them; `env` steps one emulator frame at a time."""

    def __init__(self, env: gymnasium.Env[Any, Any], sticky: dict[str, Any], skip: int) -> None:
        super().__init__(env)
        assert sticky["drawn"] == "per emulator frame"
        self._probability, self._skip = sticky["probability"], skip
        unwrapped: Any = env.unwrapped
        self._first = unwrapped.get_action_meanings().index(sticky["first_last_action"])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if seed is not None:
            self._generator = np.random.default_rng(seed)
        self._last, self._draws = self._first, list[float]()
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> Any:
        if not self._draws:
            self._draws = self._generator.random(self._skip).tolist()
        if self._draws.pop(0) >= self._probability:
            self._last = action
        return super().step(self._last)


def make(play: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """Build the environment that the card describes, of gymnasium's own wrappers where they do."""
    gymnasium.register_envs(ale_py)
    simulator, seen, cap = play["simulator"], play["observation"], play["episode"]["max_env_steps"]
    env = gymnasium.make(simulator["gymnasium_id"], **simulator["options"]).unwrapped
    if seen["kind"] == "frames":
        assert (seen["colour"], seen["max_over_last_frames"]) == ("grey", 2)
        assert "getScreenGrayscale" in seen["grey"]
        assert "INTER_AREA" in seen["resize"]
        skip = play["step"]["frame_skip"]
        if play["sticky_actions"] is not None:
            env = StickyFrames(env, play["sticky_actions"], skip)
        size = (seen["width"], seen["height"])
        noops = play["start"]["noops"]
        env = AtariPreprocessing(env, noop_max=noops, frame_skip=skip, screen_size=size)
        assert seen["stack_order"].startswith("oldest first")
        assert seen["stack_at_start"] == "the episode's first frame, repeated"
        env = FrameStackObservation(env, seen["stack_size"], padding_type="reset")
    return TimeLimit(env, cap)


def load_policy(folder: Path, card: dict[str, Any]) -> Callable[[Array], list[Array]]:
    """Return the ONNX graph, or the torch program where there is no runtime for that."""
    if (folder / "policy.onnx").exists() and importlib.util.find_spec("onnxruntime"):
        runtime: Any = importlib.import_module("onnxruntime")
        session = runtime.InferenceSession(folder / "policy.onnx")
        return lambda observation: session.run(None, {card["input"]["name"]: observation})
    program = torch.export.load(folder / "policy.pt2").module()
    return lambda observation: [out.detach().numpy() for out in program(torch.tensor(observation))]


def chosen(actions: dict[str, Any], output: dict[str, Array]) -> Any:
    """Return the greedy action, by the words of `actions` in the card.

    Args:
        actions: `play.actions`.
        output: the policy's, for one observation.
    """
    if actions["greedy"].startswith("the index of the largest logit"):
        return int(output["logits"].argmax())
    assert actions["greedy"] == "clip(offset + scale * mean, low, high)"
    offset, scale, low, high = (
        np.array(actions[name], np.float64) for name in ("offset", "scale", "low", "high")
    )
    return np.clip(offset + scale * output["mean"], low, high).astype(np.float32)


def play_games(folder: Path) -> list[Game]:
    """Play the games of the evaluation that the card tells of."""
    card = json.loads((folder / "config.json").read_text())
    (evaluation,) = card["evaluations"]
    assert evaluation["action_choice"] == "greedy"
    assert evaluation["protocol_changes"] == {}
    assert card["input"]["shape"][0] == "batch"
    policy, games = load_policy(folder, card), list[Game]()
    for environment in evaluation["environments"]:
        env, seed = make(card["play"]), environment["seed"]
        for _ in range(environment["episodes"]):
            observation, _ = env.reset(seed=seed)
            seed, actions, score, over = None, list[Any](), 0.0, False
            while not over:
                assert list(observation.shape) == card["input"]["shape"][1:]
                assert str(observation.dtype) == card["input"]["dtype"]
                output = dict(zip(card["outputs"], policy(observation[None]), strict=True))
                action = chosen(card["play"]["actions"], {k: v[0] for k, v in output.items()})
                actions.append(np.asarray(action).tolist())
                observation, reward, terminated, truncated, _ = env.step(action)
                score += float(reward)
                over = terminated or truncated
            games.append((actions, score))
        env.close()
    return games
