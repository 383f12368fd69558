"""Collections: whole sets of numbered episodes, the same however many play them at once."""

import itertools
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runs import run_here
from tests.training.collecting.probes import KILLED_ONCE
from tests.training.collecting.sets import (
    IN_RANK,
    NOISE,
    PROBES,
    assert_replays,
    collect,
    collect_and_be_killed,
    episodes_of,
    numbers_of,
)
from training.collecting import collection
from training.collecting.numbering import environment_seed
from training.offline.samples import actions_of
from training.recording.describing import describe, schema_from_spec
from trajectories.manifest import read_info
from trajectories.reader import open_dataset
from trajectories.schema import Schema
from trajectories.verify import verify_folder
from workers.environments.base import EnvironmentSpec

pytestmark = pytest.mark.timeout(300)

Captured = pytest.CaptureFixture[str]


def test_the_set_is_the_same_however_many_are_played_at_once(tmp_path: Path) -> None:
    common = ("--environment", "CartPole-v1", "--num_rollouts", "9")
    for name in ("one", "workers"):
        (tmp_path / name).mkdir()
    sets = [
        episodes_of(collect(tmp_path / name, *common, *others))
        for name, others in {
            "one": ("--parallelism", "1"),
            "workers": ("--parallelism", "3", "--num_workers", "2"),
        }.items()
    ]
    assert len(sets[0]) == 9
    assert sets[0] == sets[1]
    (tmp_path / "other").mkdir()
    other = episodes_of(collect(tmp_path / "other", *common, "--seed", "2"))
    assert not set(other.values()) & set(sets[0].values())


@pytest.mark.parametrize(
    "environment",
    [
        ("--environment", "CartPole-v1"),
        ("--environment", "MiniGrid-MultiRoom-N2-S4-v0", "--max_steps", "30"),
        ("--environment", "Pendulum-v1", "--policy", "brownian", "--max_steps", "20"),
        ("--environment", "PongNoFrameskip-v4", "--max_steps", "15", "--parallelism", "1"),
        (*NOISE, *IN_RANK),
    ],
    ids=lambda arguments: arguments[1].rpartition(":")[2],
)
def test_seed_and_actions_give_the_episode_again(
    environment: tuple[str, ...], tmp_path: Path
) -> None:
    assert_replays(open_dataset(collect(tmp_path, *environment, "--num_rollouts", "3")))


@pytest.mark.parametrize("policy", [(), ("--policy", f"{PROBES}:AlwaysOne")], ids=["random", "own"])
def test_choices_are_stored_in_the_environments_own_numbers(
    policy: tuple[str, ...], tmp_path: Path
) -> None:
    shifted = [word.replace("Noise", "Shifted") for word in NOISE]
    arguments = (*shifted, *IN_RANK, *policy, "--num_rollouts", "3")
    dataset = open_dataset(collect(tmp_path, *arguments))
    action = dataset.info.schema.action
    assert (action.kind, action.sizes, action.start) == ("discrete", (3,), -1)
    assert_replays(dataset)
    for episode in dataset.scan():
        assert set(episode.actions.tolist()) == ({0} if policy else {-1, 0, 1})
        assert np.allclose(episode.rewards, 0.1 + episode.actions * 3.0)
        assert set(actions_of(episode.actions, action).tolist()) <= {0, 1, 2}


def test_a_set_whose_choices_were_counted_from_0_is_completed_so(tmp_path: Path) -> None:
    shifted = [word.replace("Noise", "Shifted") for word in NOISE]
    arguments = (*shifted, *IN_RANK)
    with pytest.MonkeyPatch.context() as patch:  # as before a schema had a start
        patch.setattr(collection, "schema_from_spec", counted_from_0)
        collect(tmp_path, *arguments, "--num_rollouts", "2")
    dataset = open_dataset(collect(tmp_path, *arguments, "--num_rollouts", "4", "--resume"))
    assert dataset.info.schema.action.start == 0
    for episode in dataset.scan():
        assert np.allclose(episode.rewards, 0.1 + (episode.actions - 1) * 3.0)


def counted_from_0(spec: EnvironmentSpec, background: str | None) -> Schema:
    schema = schema_from_spec(spec, background)
    return replace(schema, action=replace(schema.action, start=0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CarRacing-v3", "LunarLanderContinuous-v3", "Sprites-v1"])
def test_seed_and_actions_give_the_episode_again_in_simulators_with_more_in_them(
    name: str, tmp_path: Path
) -> None:
    sets = []
    for parallelism in ("1", "3"):
        folder = tmp_path / parallelism
        folder.mkdir()
        arguments = ("--environment", name, "--num_rollouts", "5", "--parallelism", parallelism)
        folder = collect(folder, *arguments, "--policy", "brownian", "--max_steps", "80")
        assert_replays(open_dataset(folder), most=5)
        sets.append(episodes_of(folder))
    assert sets[0] == sets[1]


def test_all_that_there_is_to_store_is_stored(tmp_path: Path) -> None:
    folder = collect(tmp_path, *NOISE, *IN_RANK, "--num_rollouts", "6")
    dataset = open_dataset(folder)
    schema = dataset.info.schema
    assert schema.observation_shape == (44, 44, 1)
    assert (schema.state, schema.labels) == (("step", "drawn"), ("half",))
    ends = set()
    for number, episode in enumerate(sorted(dataset.scan(), key=lambda e: int(e.values["number"]))):
        steps = episode.length
        assert episode.observations.shape == (steps + 1, 44, 44, 1)
        assert episode.states is not None
        assert episode.states[:, 0].tolist() == list(range(steps + 1))
        assert episode.labels["half"].tolist() == [step / 2 for step in range(steps + 1)]
        assert np.allclose(episode.rewards, 0.1 + episode.actions * 3)  # raw, not clipped
        assert episode.values["seed"] == environment_seed(1, number)
        assert (episode.terminated, episode.truncated) == (steps < 20, steps == 20)
        ends.add(episode.terminated)
    assert ends == {True, False}
    told = read_info(folder).description
    assert told.environment["EnvID"] == f"{PROBES}:Noise-v0"
    assert (told.policy, told.facts["rewards"]) == ("random", "raw")
    assert told.facts["max_episode_steps"] == 20


def test_more_are_added_after_those_that_are_there_and_to_the_same_set(tmp_path: Path) -> None:
    common = ("--environment", "CartPole-v1")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    collect(tmp_path / "a", *common, "--num_rollouts", "4")
    twice = collect(tmp_path / "a", *common, "--num_rollouts", "3")
    once = collect(tmp_path / "b", *common, "--num_rollouts", "7")
    assert episodes_of(twice) == episodes_of(once)


def test_a_set_from_before_limits_were_told_takes_more_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ("--environment", "CartPole-v1")
    with monkeypatch.context() as before:
        before.setattr(collection, "describe", lambda a, b, c, _: describe(a, b, c, None))
        folder = collect(tmp_path, *common, "--num_rollouts", "2")
    collect(tmp_path, *common, "--num_rollouts", "2")
    assert numbers_of(folder) == list(range(4))
    assert "max_episode_steps" not in read_info(folder).description.facts


def test_instances_of_an_array_share_what_is_asked_for(tmp_path: Path) -> None:
    common = ("--environment", "CartPole-v1", "--num_rollouts", "7", "--num_instances", "3")
    for instance in "201":
        folder = collect(tmp_path, *common, "--instance", instance)
    assert numbers_of(folder) == list(range(7))
    collect(tmp_path, *common, "--instance", "1", code=2)
    collect(tmp_path, *common, "--instance", "1", "--resume")
    assert numbers_of(folder) == list(range(7))


def test_a_full_set_is_resumed_by_saying_so_and_a_larger_number_goes_on(
    tmp_path: Path, capsys: Captured
) -> None:
    common = ("--environment", "CartPole-v1", "--resume")
    folder = collect(tmp_path, *common, "--num_rollouts", "4")
    files = sorted(path.name for path in folder.iterdir())
    collect(tmp_path, *common, "--num_rollouts", "4")
    assert "all 4 episodes are in" in capsys.readouterr().out.replace("\n", " ")
    assert sorted(path.name for path in folder.iterdir()) == files
    collect(tmp_path, *common, "--num_rollouts", "6")
    assert numbers_of(folder) == list(range(6))
    assert list((folder / "claims").iterdir()) == []


def test_overwrite_begins_anew_and_removes_nothing_that_is_not_the_sets(tmp_path: Path) -> None:
    folder = collect(tmp_path, "--environment", "CartPole-v1", "--num_rollouts", "4")
    (folder / "notes.txt").write_text("mine")
    collect(tmp_path, "--environment", "Acrobot-v1", "--num_rollouts", "1", "--overwrite")
    assert numbers_of(folder) == [0]
    assert (folder / "notes.txt").read_text() == "mine"


def test_episodes_of_a_lost_worker_are_collected_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KILLED_ONCE, str(tmp_path / "killed"))
    killing = [word.replace("Noise", "Killing") for word in NOISE]
    common = ("--num_rollouts", "8", "--parallelism", "2", "--num_workers", "2")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    lossy = episodes_of(collect(tmp_path / "a", *killing, *common))
    assert (tmp_path / "killed").exists()
    calm = episodes_of(collect(tmp_path / "b", *killing, *common))
    assert lossy == calm
    assert len(lossy) == 8


def killed_and_resumed(folder: Path, kills: int, draw: random.Random) -> int:
    """Kill a collection at random moments, look at the set each time, then complete it.

    Returns:
        how many of the kills met a collection under way.
    """
    arguments = (*NOISE, *IN_RANK, "--num_rollouts", "200", "--shard_size", "1", "--resume")
    before: dict[str, str] = {}
    met = 0
    for _ in range(kills):
        was_under_way = collect_and_be_killed(folder, draw.uniform(0.05, 1.0), *arguments)
        if (folder / "set" / "manifest.json").exists():
            verdict = verify_folder(folder / "set")
            assert verdict.problems == ()
            after = {} if verdict.num_episodes == 0 else episodes_of(folder / "set")
            assert before.items() <= after.items()
            before = after
        if not was_under_way:
            break
        met += 1
    collect(folder, *arguments)
    assert numbers_of(folder / "set") == list(range(200))
    return met


def test_a_killed_collection_leaves_a_whole_set_that_resume_completes(tmp_path: Path) -> None:
    assert killed_and_resumed(tmp_path, 5, random.Random(1)) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_200_kills_leave_whole_sets_that_resume_completes(tmp_path: Path) -> None:
    draw, met = random.Random(2), 0
    for trial in itertools.count():
        if met >= 200:
            break
        folder = tmp_path / str(trial)
        folder.mkdir()
        met += killed_and_resumed(folder, 5, draw)


def test_the_background_is_the_median_and_darker_pixels_are_negative(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    arguments = (*NOISE, *IN_RANK, "--num_rollouts", "1")
    plain = open_dataset(collect(tmp_path / "a", *arguments)).episode(0)
    taken_off = open_dataset(collect(tmp_path / "b", *arguments, "--background", "median"))
    differences = taken_off.episode(0).observations
    assert taken_off.info.description.facts["background"].startswith("int16: frame minus")
    frames = plain.observations.astype(np.int64)
    ordered = np.sort(frames, axis=0)
    assert np.array_equal(differences, frames - ordered[(len(frames) - 1) // 2])
    assert differences.dtype == np.int16
    assert differences.min() < 0 < differences.max()


def test_actions_beyond_the_bounds_are_stored_as_the_environment_was_given_them(
    tmp_path: Path,
) -> None:
    arguments = ("--environment", "Pendulum-v1", "--policy", f"{PROBES}:Far", "--max_steps", "9")
    dataset = open_dataset(collect(tmp_path, *arguments, *IN_RANK, "--num_rollouts", "2"))
    assert dataset.info.schema.action.high == (2.0,)
    for episode in dataset.scan():
        assert episode.actions.tolist() == [[2.0]] * 9
    assert_replays(dataset)


@pytest.mark.parametrize("policy", ["AlwaysOne", "made_by_a_function"])
def test_a_policy_of_ones_own_sees_frames_and_acts(policy: str, tmp_path: Path) -> None:
    own = ("--policy", f"{PROBES}:{policy}")
    folder = collect(tmp_path, *NOISE, *IN_RANK, *own, "--num_rollouts", "2")
    for episode in open_dataset(folder).scan():
        assert episode.actions.tolist() == [1] * episode.length


def test_a_policy_of_ones_own_with_a_seed_plays_the_same_beside_others(tmp_path: Path) -> None:
    sets = []
    for parallelism in ("1", "3"):
        (tmp_path / parallelism).mkdir()
        arguments = (*NOISE, *IN_RANK, "--policy", f"{PROBES}:Seeded", "--num_rollouts", "5")
        sets.append(
            episodes_of(collect(tmp_path / parallelism, *arguments, "--parallelism", parallelism))
        )
    assert sets[0] == sets[1]


def test_the_manifest_says_how_it_was_collected(tmp_path: Path) -> None:
    folder = collect(tmp_path, "--environment", "CartPole-v1", "--num_rollouts", "2")
    part = json.loads((folder / "manifest-rollouts-0.json").read_text())["content"]
    provenance = part["provenance"]
    assert provenance["run_seed"] == 1
    assert "gymnasium" in provenance["versions"]
    values = part["shards"][0]["episodes"][0]["values"]
    assert (values["policy"], values["run_seed"]) == ("random", 1)
    assert run_here(tmp_path, "--config_options") == 0
