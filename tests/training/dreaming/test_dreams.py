"""Dreams behind the pool's interface: what the model says, own streams, exact snapshots."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.dynamics.dynamics import Dynamics
from configs.errors import CheckpointError, ConfigurationError
from configs.schema import Config, EnvironmentSection
from tests.agents.dynamics.walks import D, make, task
from tests.runs import run_here
from tests.training.offline.made import VECTORS, train, vectors, write
from training.checkpoints.dynamics import load_dynamics
from training.checkpoints.storage import Saver, load_payload
from training.collecting import collection
from training.dreaming.dream import Dream
from training.dreaming.environment import DreamEnvironment
from training.dreaming.opening import dream_spec, open_pool
from training.recording.describing import describe
from workers.environments.base import EnvironmentSpec
from workers.in_process import InProcessPool
from workers.opening import Sizes

N, SEED, LIMIT = 5, 40, 6
SPEC = EnvironmentSpec(
    *("runs/mdn", (D,), "float32", False, 2),
    action_low=(-0.5, -0.5),
    action_high=(0.5, 0.5),
    action_offset=(0.0, 0.0),
    action_scale=(0.5, 0.5),
    can_snapshot=True,
    max_episode_steps=LIMIT,
)
KINDS = ("mdn_rnn", "causal_transformer")


def model_of(kind: str, end: float = -50.0) -> Dynamics:
    """A model with three starts, whose windows are shorter than its dreams.

    Its log-odds of an end are about `end`.
    """
    model = make(kind, replace(task(4), num_starts=3)).requires_grad_(False)
    model.starts.copy_(torch.arange(3.0 * D).view(3, D))
    model.head.layer.bias[-1] = end
    return model


def pool_of(
    model: Dynamics, *, temperature: float = 1.0, count: int = N, groups: int = 1
) -> InProcessPool:
    dream = Dream(model, temperature)
    return InProcessPool(
        lambda: DreamEnvironment(dream, SPEC, "abc"),
        num_environments=count,
        num_groups=groups,
        base_seed=SEED,
    )


def acted(step: int, count: int = N) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    generator = np.random.default_rng(step)
    return generator.normal(size=(count, 2)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_a_dream_is_the_model_stepped_and_drawn_by_hand(kind: str, temperature: float) -> None:
    model = model_of(kind)
    with pool_of(model, temperature=temperature) as pool:
        seen = pool.reset().copy()
        batches = []
        for step in range(LIMIT - 1):
            pool.send(0, acted(step))
            batch = pool.recv(0)
            batches.append((batch.observations.copy(), batch.rewards.copy()))
            assert (batch.terminated | batch.truncated).tolist() == [False] * N
    for row in range(N):
        stream = torch.Generator().manual_seed(SEED + row)
        latent = model.starts[torch.randint(3, (1,), generator=stream)]
        np.testing.assert_array_equal(seen[row], latent[0])
        state = model.initial_state(1)
        for step, (observations, rewards) in enumerate(batches):
            action = np.clip(0.5 * acted(step)[row], -0.5, 0.5)
            prediction, state = model.step(latent, torch.from_numpy(action)[None], state)
            latent = model.sample(prediction, stream, temperature)
            np.testing.assert_allclose(observations[row], latent[0], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(rewards[row], prediction.rewards[0], rtol=1e-4, atol=1e-5)


def test_it_ends_where_the_model_says_so_and_is_cut_at_the_limit() -> None:
    model = model_of("mdn_rnn")
    with pool_of(model) as pool:
        pool.reset()
        for step in range(LIMIT):
            pool.send(0, acted(step))
            batch = pool.recv(0)
        assert batch.truncated.all()
        assert not batch.terminated.any()
        assert [episode.length for episode in batch.episodes] == [LIMIT] * N
        starts = {tuple(row) for row in model.starts.tolist()}
        assert {tuple(row) for row in batch.observations.tolist()} <= starts
        assert not {tuple(row) for row in batch.final_observations.tolist()} & starts
    with pool_of(model_of("mdn_rnn", end=50.0)) as pool:
        pool.reset()
        pool.send(0, acted(0))
        assert pool.recv(0).terminated.all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_snapshot_goes_on_to_the_last_bit(kind: str) -> None:
    model = model_of(kind)

    def lived(pool: InProcessPool, steps: range) -> list[bytes]:
        seen = []
        for step in steps:
            pool.send(0, acted(step))
            batch = pool.recv(0)
            seen.append(batch.observations.tobytes() + batch.rewards.tobytes())
        return seen

    with pool_of(model) as pool:
        pool.reset()
        lived(pool, range(3))
        kept = pool.snapshot()
        wanted = lived(pool, range(3, 15))
    with pool_of(model) as other:
        other.reset()
        other.restore([each for each in kept if each is not None])
        assert lived(other, range(3, 15)) == wanted


def test_streams_do_not_depend_on_groups_or_on_how_many_dream() -> None:
    model = model_of("mdn_rnn")

    def first_steps(count: int, groups: int) -> list[list[float]]:
        with pool_of(model, count=count, groups=groups) as pool:
            pool.reset()
            for group in range(groups):
                pool.send(group, acted(0)[pool.group(group)])
            return [row for g in range(groups) for row in pool.recv(g).observations.tolist()]

    whole = np.array(first_steps(N, 1))
    np.testing.assert_allclose(first_steps(N, 2), whole, rtol=1e-5)
    np.testing.assert_allclose(first_steps(2, 1), whole[:2], rtol=1e-5)
    assert not np.allclose(whole[0], whole[1])


def test_a_planned_seed_begins_the_same_dream() -> None:
    with pool_of(model_of("mdn_rnn")) as pool:
        pool.plan_resets(np.full(N, 77))
        first = pool.reset().copy()
        assert (first == first[0]).all()


def test_another_model_refuses_a_snapshot() -> None:
    dream = Dream(model_of("mdn_rnn"), 1.0)
    one = DreamEnvironment(dream, SPEC, "abc")
    one.reset(seed=0)
    with pytest.raises(CheckpointError, match="the run dreamt in model abc, and"):
        DreamEnvironment(dream, SPEC, "def").restore(one.snapshot())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of choices that begin at 1."""
    folder = tmp_path_factory.mktemp("trained")
    write(folder / "D", [vectors(seed) for seed in range(20)], VECTORS)
    arguments = ("--sequence_length=4", "--batch_size=8", "--train_steps=10")
    assert train(folder, *arguments, verb="--train_dynamics") == 0
    return folder / "E"


def opened(path: Path, **changes: object) -> EnvironmentSpec:
    section = EnvironmentSection.model_validate(
        {"env_type": "dream", "env_id": str(path), **changes}
    )
    sizes = Sizes(2, 1, SEED, 0, None, 1)
    with open_pool(Config(environment=section), sizes) as pool:
        pool.reset()
        pool.send(0, np.array([0, 2]))
        assert pool.recv(0).observations.shape == (2, 4)
        return pool.spec


def test_a_pool_of_dreams_is_opened_by_the_folder_of_a_model(trained: Path) -> None:
    spec = opened(trained)
    assert (spec.discrete, spec.num_actions, spec.action_start) == (True, 3, 1)
    assert spec.can_snapshot
    assert spec.max_episode_steps == 1_000  # the dataset does not say
    assert opened(trained, max_episode_steps=7).max_episode_steps == 7


def test_a_dream_is_as_long_as_the_episodes_of_its_dataset_could_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dreamt(name: str, *arguments: str) -> int | None:
        collected = ("--collect", "--environment", "CartPole-v1", "--num_rollouts", "20")
        assert run_here(tmp_path, *collected, f"--out_dir={name}", *arguments) == 0
        model = f"{name}_model"
        small = ("--sequence_length=4", "--batch_size=8", "--train_steps=2")
        places = {"dataset": name, "model_dir": model}
        assert train(tmp_path, *small, **places, verb="--train_dynamics") == 0
        section = EnvironmentSection.model_validate({"env_type": "dream", "env_id": "x"})
        return dream_spec(section, load_dynamics(tmp_path / model)).max_episode_steps

    assert dreamt("whole") == 500  # CartPole's own limit
    assert dreamt("cut", "--max_steps=30") == 30
    with monkeypatch.context() as before:
        before.setattr(collection, "describe", lambda a, b, c, _: describe(a, b, c, None))
        assert dreamt("old_cut", "--max_steps=30") == 30
        assert dreamt("old") == 1_000  # which does not say


def test_what_cannot_be_dreamt_in_is_refused_in_words(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing"):
        opened(tmp_path / "nothing")
    payload = load_payload(trained / "model.ckpt")
    facts = payload["facts"]

    def saved(module: str, dataset: str) -> Path:
        payload["facts"] = {**facts, "module": module, "dataset": dataset}
        Saver(tmp_path / "model.ckpt").save(payload, is_best=False)
        return tmp_path / "model.ckpt"

    with pytest.raises(ConfigurationError, match="MultiBinary"):
        opened(saved(facts["module"], facts["dataset"].replace('"discrete"', '"multi_binary"')))
    with pytest.raises(CheckpointError, match="does not tell what it learnt from"):
        opened(saved(facts["module"], facts["dataset"].replace('"action"', '"actions"')))
    count = len(load_dynamics(trained).dynamics.starts)
    without = facts["module"].replace(f'"num_starts": {count}', '"num_starts": 0')
    payload["module"] = {**payload["module"], "starts": torch.zeros(0, 4)}
    with pytest.raises(CheckpointError, match="keeps no first latents"):
        opened(saved(without, facts["dataset"]))
