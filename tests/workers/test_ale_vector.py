"""Games on ale-py's own threads against our own Atari environment, one after the other."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ale_py
import numpy as np
import pytest
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from tests.records import checkpoint_path
from tests.runs import PONG, run_here, write_recipe
from tests.workers.test_pool import assert_refused, step_all
from training.checkpoints.storage import load_payload
from workers.ale_vector import AleVectorPool
from workers.environments.atari.atari import AtariEnvironment
from workers.shared.protocol import EpisodeSummary, StepBatch, WorkerError

SEED = 70
BREAKOUT = "BreakoutNoFrameskip-v4"


def game(**options: Any) -> EnvironmentSection:
    """Breakout, whose games of random play end soon; without sticky actions."""
    settings = {"env_id": BREAKOUT, "sticky_actions": False, "max_episode_steps": "auto", **options}
    return EnvironmentSection(**settings)


def make_pool(section: EnvironmentSection, num_environments: int, **options: Any) -> AleVectorPool:
    settings = {"num_threads": 2, "base_seed": SEED, **options}
    return AleVectorPool(section, num_environments=num_environments, **settings)


def random_actions(num_environments: int, steps: int) -> NDArray[np.int64]:
    return np.random.default_rng(5).integers(0, 4, (steps, num_environments))


class Reference:
    """The same games as environments of our own, and the batches that a pool makes of them."""

    def __init__(self, section: EnvironmentSection, num_environments: int) -> None:
        self.games = [AtariEnvironment(section) for _ in range(num_environments)]
        self.scores = [0.0] * num_environments
        self.lengths = [0] * num_environments

    def reset(self) -> NDArray[np.uint8]:
        return np.stack([each.reset(seed=SEED + i)[0] for i, each in enumerate(self.games)])

    def step(self, actions: NDArray[np.int64]) -> StepBatch:
        rows, episodes = [], []
        for index, each in enumerate(self.games):
            final, reward, terminated, truncated, info = each.step(actions[index])
            self.scores[index] += reward
            self.lengths[index] += 1
            observation = final
            if terminated or truncated:
                if info.get("game_over", True):
                    episodes.append(self._finish(index))
                observation, _ = each.reset()
            rows.append((observation, final, np.float32(reward), terminated, truncated))
        observations, finals, rewards, terminations, truncations = map(
            np.array, zip(*rows, strict=True)
        )
        return StepBatch(observations, finals, rewards, terminations, truncations, episodes)

    def _finish(self, index: int) -> EpisodeSummary:
        score, length = self.scores[index], self.lengths[index]
        self.scores[index], self.lengths[index] = 0.0, 0
        return EpisodeSummary(index, score, length, (), {}, lost=False)


def play_both(
    section: EnvironmentSection, num_environments: int, steps: int, **options: Any
) -> Iterator[tuple[NDArray[np.uint8], StepBatch, StepBatch]]:
    """Give what was seen before each step, the pool's batch and the reference's."""
    reference = Reference(section, num_environments)
    with make_pool(section, num_environments, **options) as pool:
        assert pool.spec == replace(
            reference.games[0].environment_spec, can_snapshot=False, state_names=()
        )
        seen = pool.reset()
        assert np.array_equal(seen, reference.reset())
        for actions in random_actions(num_environments, steps):
            found, wanted = step_all(pool, actions), reference.step(actions)
            for name in ("rewards", "terminated", "truncated"):
                ours, theirs = getattr(found, name), getattr(wanted, name)
                assert ours.dtype == theirs.dtype, name
                assert np.array_equal(ours, theirs), name
            assert found.episodes == wanted.episodes
            yield seen, found, wanted
            seen = found.observations


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"frame_skip": 1},
        {"frame_skip": 3, "frame_height": 64, "frame_width": 96},
        {"env_id": "AirRaidNoFrameskip-v4"},  # whose grey is not the usual weighing of its colours
    ],
)
def test_equal_actions_give_equal_frames_rewards_and_ends(options: dict[str, Any]) -> None:
    for _, found, wanted in play_both(game(**options), 2, 120):
        assert np.array_equal(found.observations, wanted.observations)


@pytest.mark.parametrize("num_groups", [1, 2])
def test_an_episode_ends_at_the_cap_as_a_truncation_with_its_true_last_frame(
    num_groups: int,
) -> None:
    ends = 0
    section = game(max_episode_steps=25)
    for _, found, wanted in play_both(section, 3, 60, num_groups=num_groups):
        assert np.array_equal(found.observations, wanted.observations)
        cut = found.truncated
        assert np.array_equal(found.final_observations[cut], wanted.final_observations[cut])
        ends += cut.sum()
    assert ends == 6


def test_games_of_different_length_are_cut_apart_from_each_other() -> None:
    """Row by row, as they were stepped: none stands for a reset (cleanrl 562, rl_games 362)."""
    lengths = set()
    for _, found, wanted in play_both(game(max_episode_steps=170), 2, 500):
        assert np.array_equal(found.observations, wanted.observations)
        lengths |= {(episode.environment, episode.length) for episode in found.episodes}
    assert {length < 170 for _, length in lengths} == {True, False}


def test_the_last_frame_of_a_game_that_is_over_is_of_the_step_before_or_up_to_the_end() -> None:
    ends = 0
    for seen, found, _ in play_both(game(), 2, 400):
        over = found.terminated
        ends += over.sum()
        assert (found.final_observations[over] >= seen[over]).all()
    assert ends >= 2


def test_a_lost_life_ends_an_episode_and_the_game_goes_on() -> None:
    lives_lost = games = 0
    for _, found, wanted in play_both(game(life_done=True), 2, 300):
        games += len(found.episodes)
        ended = {episode.environment for episode in found.episodes}
        for row in range(2):
            if found.terminated[row] and row not in ended:
                lives_lost += 1
                assert np.array_equal(found.observations[row], found.final_observations[row])
                assert np.array_equal(found.observations[row], wanted.final_observations[row])
            else:
                assert np.array_equal(found.observations[row], wanted.observations[row])
    assert games >= 2
    assert lives_lost >= 4 * games


def played(pool: AleVectorPool, steps: int = 40) -> NDArray[np.uint8]:
    """Play the same random actions in every game, row by row; return all frames [T, N, ...]."""
    actions = random_actions(1, steps).repeat(pool.num_environments, axis=1)
    with pool:
        return np.stack([pool.reset(), *(step_all(pool, row).observations for row in actions)])


def test_sticky_actions_come_from_a_stream_of_each_games_own() -> None:
    sticky = game(sticky_actions=True)
    whole = played(make_pool(sticky, 4, num_groups=2))
    halves = [played(make_pool(sticky, 2, first_index=first)) for first in (0, 2)]
    assert np.array_equal(whole, np.concatenate(halves, axis=1))
    assert len({whole[:, row].tobytes() for row in range(4)}) == 4
    calm = played(make_pool(game(), 2))
    assert np.array_equal(calm[:, 0], calm[:, 1])
    assert not np.array_equal(calm[:, 0], whole[:, 0])
    assert not np.array_equal(whole[:, :2], played(make_pool(sticky, 2, base_seed=SEED + 9)))


def test_the_largest_seed_is_one_that_the_emulator_takes() -> None:
    with make_pool(game(), 2, base_seed=2**31 - 1, first_index=2**20) as pool:
        assert pool.reset().shape == (2, 1, 84, 84)


def test_a_later_reset_forgets_the_running_scores() -> None:
    with make_pool(game(max_episode_steps=10), 2) as pool:
        first = pool.reset()
        for actions in random_actions(2, 7):
            step_all(pool, actions)
        assert np.array_equal(pool.reset(), first)
        batches = [step_all(pool, actions) for actions in random_actions(2, 10)]
    assert [len(batch.episodes) for batch in batches] == [0] * 9 + [2]
    assert {episode.length for episode in batches[-1].episodes} == {10}


def test_a_batch_outlives_the_next_step() -> None:
    with make_pool(game(), 2) as pool:
        pool.reset()
        first, second, third = random_actions(2, 3)
        batch = step_all(pool, first)
        kept = batch.observations.copy()
        step_all(pool, second)
        step_all(pool, third)
        assert np.array_equal(batch.observations, kept)


def test_calls_out_of_order_are_refused_and_say_what_must_come_first() -> None:
    actions = np.zeros(2, np.int64)
    with make_pool(game(), 4, num_groups=2) as pool:
        send: Callable[[], object] = lambda: pool.send(0, actions)  # noqa: E731
        recv: Callable[[], object] = lambda: pool.recv(0)  # noqa: E731
        assert_refused(r"reset\(\) must come first", send, recv, pool.snapshot)
        pool.reset()
        assert_refused(r"group 0: send\(\) must come first", recv)
        send()
        assert_refused(r"group 0: recv\(\) must come first", send, pool.reset, pool.snapshot)
        recv()
    assert_refused("the pool is closed", send, recv, pool.reset, pool.snapshot)


def test_actions_that_a_thread_would_choke_on_are_refused() -> None:
    with make_pool(game(), 2) as pool:
        pool.reset()
        for wrong in (np.zeros(3, np.int64), np.zeros(2, np.int32), np.zeros((2, 1), np.int64)):
            with pytest.raises(ValueError, match=r"actions must be int64 \[2\]"):
                pool.send(0, wrong)
        for action in (-1, 4):
            with pytest.raises(ValueError, match=r"actions must lie in \[0, 4\)"):
                pool.send(0, np.array([0, action]))
        pool.send(0, np.array([0, 3]))
        assert pool.recv(0).rewards.tolist() == [0.0, 0.0]


def test_a_game_gives_no_snapshot_and_takes_none() -> None:
    with make_pool(game(), 2) as pool:
        pool.reset()
        assert not pool.spec.can_snapshot
        assert pool.snapshot() == [None, None]
        with pytest.raises(WorkerError, match="cannot continue 2 games from snapshots"):
            pool.restore([b"", b""])


def test_the_threads_end_with_the_pool_also_within_a_step() -> None:
    def num_threads() -> int:
        return len(os.listdir("/proc/self/task"))

    before = num_threads()
    with make_pool(game(), 3, num_threads=8, num_groups=2) as pool:
        cores = len(os.sched_getaffinity(0))
        assert pool.num_processes == 2  # no more than the larger group has games
        assert before < num_threads() <= before + 2 * min(2, cores)
        pool.reset()
        pool.send(0, np.zeros(2, np.int64))
    assert num_threads() == before
    pool.close()


@pytest.mark.parametrize("version", ["0.12.0", "0.11.2"])
def test_an_ale_py_that_would_wait_forever_is_refused(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ale_py, "__version__", version)
    with pytest.raises(ConfigurationError, match=rf"needs ale-py 0\.12\.1 or newer, not {version}"):
        make_pool(game(), 1)


def test_an_unknown_game_is_named() -> None:
    with pytest.raises(ConfigurationError, match="EnvID = Brekout-v4 is no Atari game"):
        make_pool(game(env_id="Brekout-v4"), 1)


@pytest.mark.parametrize(("first", "second"), [("ale_vector",) * 2, ("processes", "ale_vector")])
def test_a_run_on_its_threads_learns_and_goes_on_with_new_episodes(
    first: str, second: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, PONG, TotalEnvSteps=64)
    command = ("--train", "--log_name=demo", f"--config_path={recipe}")
    assert run_here(tmp_path, *command, f"--set=WorkerBackend={first}", "--max_env_steps=32") == 0
    assert run_here(tmp_path, *command, f"--set=WorkerBackend={second}", "--resume") == 0
    told = capsys.readouterr().out
    assert "not exact: not every environment could be continued" in told
    assert "2 emulator thread(s) per rank" in told or "1 emulator thread(s) per rank" in told
    assert "WorkerBackend = ale_vector: no rooms are counted" in told
    assert load_payload(checkpoint_path(tmp_path, "demo"))["env_steps"] == 64
