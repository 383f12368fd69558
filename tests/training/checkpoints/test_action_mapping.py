"""What continuous actions mean: alike wherever a policy plays, and kept by what it is saved in."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from configs.former import with_former_values
from configs.loading import config_from_mapping
from tests.checkpoint_files import file_of
from tests.exports import policy_in
from tests.runs import CARTPOLE, run_here, write_recipe
from training.assembly import random_policy
from training.checkpoints.storage import load_payload, pack
from training.exporting.exported_policy import load_program
from training.playing.player import open_environments, play_episodes
from workers.environments.parts.actions import action_map
from workers.environments.parts.spaces import legal_action, spec_of

pytestmark = pytest.mark.timeout(300)

Captured = pytest.CaptureFixture[str]
ENV_ID = "tests.training.playing.lever_probes:ScoutLevers-v0"
RECIPE = CARTPOLE.replace("classic_control", "gymnasium").replace("CartPole-v1", ENV_ID)
CHECKPOINT = "checkpoints/demo.ckpt"


def trained(folder: Path, *arguments: str) -> Path:
    """Train for an update."""
    recipe = write_recipe(folder, RECIPE, TotalEnvSteps=32)
    common = (f"--config_path={recipe}", "--log_name=demo", "--num_workers=1")
    assert run_here(folder, "--train", *common, *arguments) == 0
    return folder


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(trained(tmp_path_factory.mktemp("newer")))


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose checkpoint says nothing of a mapping, as all did before there was a choice."""
    folder = trained(tmp_path_factory.mktemp("older"), "--set", "ActionMapping=clip")
    payload = load_payload(folder / CHECKPOINT)
    del payload["facts"]["config"]["ActionMapping"]
    spec = json.loads(payload["facts"]["spec"])
    del spec["action_offset"], spec["action_scale"]
    payload["facts"]["spec"] = json.dumps(spec)
    (folder / CHECKPOINT).write_bytes(file_of(pack(payload)))
    return exported(folder)


def exported(folder: Path) -> Path:
    assert run_here(folder, "--export", *loading(folder), "--log_name=demo") == 0
    return folder


def loading(folder: Path) -> tuple[str, ...]:
    return (f"--config_path={folder / 'recipe.conf'}", f"--load_model_path={folder / CHECKPOINT}")


def scores(folder: Path) -> list[float]:
    """Evaluate greedily and by samples; return where the first lever was."""
    for how in ((), ("--greedy",)):
        arguments = (*loading(folder), "--log_name=scores", "--episodes=6", "--num_workers=1")
        assert run_here(folder, "--eval", *arguments, *how) == 0
    files = sorted((folder / "logs/runs/scores/evaluation").glob("*.json"))
    return [score for file in files for score in json.loads(file.read_text())["scores"]]


def exported_scores(folder: Path) -> list[list[float]]:
    """Return what the exported weights score, and what the exported graph does."""
    found = policy_in(folder / "exports/demo", trusted_env_id=ENV_ID)
    program = load_program(folder / "exports/demo")
    played: list[list[float]] = [[], []]
    for scored, judge in zip(played, (None, program), strict=True):
        for greedy in (True, False):
            with open_environments(found.config, 1, 6, num_processes=1) as environments:
                player = found.player(seed=1, greedy=greedy, judge=judge)
                scored += [game.score for game in play_episodes(environments, player, 6)]
    return played


def test_random_play_spans_the_bounds_evenly() -> None:
    space = gymnasium.make(ENV_ID).action_space
    assert isinstance(space, gymnasium.spaces.Box)
    sight, reach = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32), action_map(space, "bounds")
    spec = spec_of("x", sight, space, can_snapshot=False, reach=reach)
    policy = random_policy(spec, torch.Generator().manual_seed(0))
    outputs = policy(torch.zeros(4000, 2)).actions.numpy()
    moved = np.stack([legal_action(space, output, reach) for output in outputs])
    quarters = np.quantile(moved, [0.0, 0.25, 0.5, 0.75, 1.0], axis=0).T
    np.testing.assert_allclose(quarters[0], [10.0, 12.5, 15.0, 17.5, 20.0], atol=0.3)
    np.testing.assert_allclose(quarters[1], [-3.0, -2.5, -2.0, -1.5, -1.0], atol=0.06)


def test_what_is_exported_moves_the_lever_as_the_checkpoint_does(newer: Path) -> None:
    found = scores(newer)
    assert exported_scores(newer) == [found, found]
    assert all(13 < score < 17 for score in found[:6])  # means about 0: the middle of 10 to 20
    assert len(set(found[6:])) == 6


def test_the_graph_gives_an_action_in_the_environments_units(newer: Path) -> None:
    folder = newer / "exports/demo"
    outputs = json.loads((folder / "config.json").read_text())["outputs"]
    given = torch.export.load(folder / "policy.pt2").module()(torch.zeros(1, 2))
    named: dict[str, Any] = dict(zip(outputs, given, strict=True))
    expected = torch.tensor([15.0, -2.0]) + torch.tensor([5.0, 1.0]) * named["mean"]
    assert torch.equal(named["action"], expected)
    card = (folder / "README.md").read_text()
    assert "| 0 | 15 | 5 | 10 | 20 |\n| 1 | -2 | 1 | -3 | inf |" in card
    assert "`clip(offset + scale * (mean + exp(log_std) * noise), low, high)`, noise" in card
    assert f"python -m examples.play_export exports/demo {ENV_ID}\n" in card


def test_a_checkpoint_says_which_mapping_it_has(newer: Path) -> None:
    facts = load_payload(newer / CHECKPOINT)["facts"]
    assert facts["config"]["ActionMapping"] == "bounds"
    assert json.loads(facts["spec"])["action_offset"] == [15.0, -2.0]
    assert "ActionMapping = bounds" in (newer / "logs/runs/demo/config.conf").read_text()


def test_a_checkpoint_from_before_plays_as_it_was_trained(older: Path) -> None:
    found = scores(older)
    assert found[:6] == [10.0] * 6  # an output about 0, clipped to the lower bound
    assert exported_scores(older) == [found, found]


def test_its_export_says_no_more_than_it_does_itself(older: Path) -> None:
    content = json.loads((older / "exports/demo/config.json").read_text())
    assert "ActionMapping" not in content["configuration"]
    assert not content["environment"]["action_offset"]


@pytest.mark.parametrize("how", ["--resume", "--load_model_path"])
def test_a_run_goes_on_with_the_mapping_that_its_checkpoint_has(
    older: Path, tmp_path: Path, how: str, capsys: Captured
) -> None:
    shutil.copytree(older, tmp_path / "run")
    folder, more = tmp_path / "run", ("--set", "TotalEnvSteps=64")
    path, begun = CHECKPOINT, loading(tmp_path / "run")
    if how == "--resume":
        begun = (f"--config_path={folder / 'recipe.conf'}", "--log_name=demo", "--resume")
    else:
        path = "checkpoints/next.ckpt"
        begun += ("--log_name=next", f"--save_model_path={path}")
    assert run_here(folder, "--train", *begun, *more) == 0
    said = capsys.readouterr().out
    assert "ActionMapping = clip: the checkpoint's policy was trained so" in said
    assert "changed since the checkpoint: TotalEnvSteps 32 -> 64\n" in said
    payload = load_payload(folder / path)
    assert payload["env_steps"] == 64
    assert payload["facts"]["config"]["ActionMapping"] == "clip"
    assert json.loads(payload["facts"]["spec"])["action_offset"] == [0.0, 0.0]


def test_another_mapping_than_the_checkpoints_is_refused(older: Path, capsys: Captured) -> None:
    stated = ("--set", "ActionMapping=bounds", "--log_name=refused")
    assert run_here(older, "--eval", *loading(older), *stated) == 3
    assert re.search(r"ActionMapping +bounds +clip", capsys.readouterr().err)


def test_a_stored_configuration_from_before_keeps_its_meaning() -> None:
    flat = {"EnvType": "gymnasium", "ObservationType": "auto", "EnvID": "x:Y-v0"}
    found = config_from_mapping(with_former_values(flat))
    assert found.environment.action_mapping == "clip"
    assert found.environment.observation_type == "state"
    newer = {**flat, "ActionMapping": "auto"}
    assert with_former_values(newer) == newer
