"""Training a model of sequences, from the command line to what its checkpoint is refused for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.errors import CheckpointError
from tests.records import differences
from tests.runs import run_here, run_main, started
from tests.training.offline.made import (
    DESCRIPTION,
    VECTORS,
    command,
    rows_of,
    square,
    state_of,
    stop_after,
    train,
    vectors,
    write,
)
from training.checkpoints.dynamics import check_pair, load_dynamics
from training.checkpoints.encoder import load_encoder
from training.checkpoints.storage import load_payload
from trajectories.reader import open_dataset

Captured = pytest.CaptureFixture[str]
VERB = "--train_dynamics"
SMALL = (
    *("--sequence_length=6", "--batch_size=4", "--set=DynamicsValidateEveryNSteps=3"),
    *("--set=DynamicsLogEveryNSteps=1", "--set=DynamicsValidationWindows=8"),
)
LATENTS = replace(VECTORS, latent="gaussian")
ENCODED = replace(DESCRIPTION, facts={"encoder": {"digest": "abc", "model": "vae"}})
RANKS = 2


@pytest.fixture(scope="module")
def latents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoded dataset, whose latents have deviations."""
    episodes = [vectors(seed) for seed in range(20)]
    deviations = [np.full_like(e.observations, 0.1) for e in episodes]
    encoded = [replace(e, latent_std=d) for e, d in zip(episodes, deviations, strict=True)]
    return write(tmp_path_factory.mktemp("latents") / "Z", encoded, LATENTS, ENCODED)


@pytest.mark.parametrize("model", ["mdn_rnn", "causal_transformer"])
def test_a_stop_is_saved_and_gone_on_with_to_the_last_bit(
    model: str, latents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (f"--model={model}", "--train_steps=6", "--sample_observations", *SMALL)
    data = str(latents)
    assert train(tmp_path, *arguments, dataset=data, model_dir="calm", verb=VERB) == 0
    with monkeypatch.context() as patched:
        stop_after(4, patched)
        assert train(tmp_path, *arguments, dataset=data, verb=VERB) == 75
    assert load_payload(tmp_path / "E" / "model.ckpt")["updates"] == 4
    assert train(tmp_path, *arguments, "--resume", dataset=data, verb=VERB) == 0
    calm, stopped = (tmp_path / name / "model.ckpt" for name in ("calm", "E"))
    assert differences(state_of(calm), state_of(stopped)) == []
    assert rows_of(tmp_path / "calm") == rows_of(tmp_path / "E")


@pytest.fixture(scope="module")
def trained(latents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that has learnt something."""
    folder = tmp_path_factory.mktemp("trained")
    places = (f"--rollouts_dataset={latents}", "--model_dir=E", "--set=LearnerThreads=1")
    arguments = ("--train_steps=60", "--difference_targets", *SMALL, "--batch_size=16")
    assert run_here(folder, VERB, *places, *arguments) == 0
    return folder / "E"


def test_figures_stand_beside_those_of_predictions_that_know_nothing(trained: Path) -> None:
    last = rows_of(trained)[-1]
    assert last["dynamics/nll"] < last["dynamics/nll_persistence"]
    assert last["dynamics/nll"] < last["dynamics/nll_gaussian"]
    assert {"dynamics/open_loop_5", "dynamics/persistence_5"} <= set(last)
    assert "dynamics/open_loop_15" not in last  # further than a window reaches


def test_the_last_word_tells_whether_it_foresees_anything(
    latents: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert train(tmp_path, "--train_steps=3", *SMALL, dataset=str(latents), verb=VERB) == 0
    said = capsys.readouterr().out
    assert "foresees held-out latents: NLL " in said
    assert "after 5 unseen step(s) " in said


def test_a_checkpoint_keeps_first_latents_and_whose_they_are(trained: Path, latents: Path) -> None:
    found = load_dynamics(trained)
    split = open_dataset(latents).split("train")
    firsts = np.stack([split.episode(i).observations[0] for i in range(len(split))])
    assert torch.equal(found.dynamics.starts, torch.from_numpy(firsts))
    assert (found.encoder_digest, found.environment_id) == ("abc", "Square-v0")
    assert found.dynamics.task.difference_targets
    assert not any(parameter.requires_grad for parameter in found.dynamics.parameters())


def test_an_encoder_and_a_model_of_sequences_are_not_taken_for_each_other(
    trained: Path, tmp_path: Path, capsys: Captured
) -> None:
    write(tmp_path / "D", [square(seed) for seed in range(8)])
    vae = ("--model=vae", "--batch_size=4", "--train_steps=1", "--representation_size=4")
    assert train(tmp_path, *vae, model_dir="vae") == 0
    with pytest.raises(CheckpointError, match=r"'encoder', no dynamics.*--train_dynamics"):
        load_dynamics(tmp_path / "vae")
    with pytest.raises(CheckpointError, match="of kind 'dynamics', no encoder"):
        load_encoder(trained)
    with pytest.raises(CheckpointError, match="learnt the latents of encoder abc, and"):
        check_pair(load_encoder(tmp_path / "vae"), load_dynamics(trained))
    capsys.readouterr()
    assert train(tmp_path, *SMALL, model_dir="vae", verb=VERB) == 2
    assert "the dataset holds none; encode it first" in capsys.readouterr().err
    arguments = (*SMALL, "--resume", "--set=IntrinsicReward=none")
    data = str(trained.parent / "missing")
    assert train(tmp_path, *arguments, dataset=data, model_dir="vae", verb=VERB) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_another_kind_of_model_is_never_gone_on_with(
    latents: Path, tmp_path: Path, capsys: Captured
) -> None:
    data, other = str(latents), ("--model=transition", "--batch_size=4", "--train_steps=1")
    assert train(tmp_path, *other, dataset=data) == 0
    assert train(tmp_path, *SMALL, "--resume", dataset=data, verb=VERB) == 3
    assert "model: wanted dynamics, found encoder" in capsys.readouterr().err


def test_what_does_not_fit_is_refused_in_words(
    latents: Path, tmp_path: Path, capsys: Captured
) -> None:
    def said(*arguments: str) -> str:
        assert train(tmp_path, *arguments, dataset=str(latents), verb=VERB) == 2
        return capsys.readouterr().err

    assert "did you mean mdn_rnn?" in said("--model=mdn")
    assert "SequenceLength" in said("--sequence_length=1")
    write(tmp_path / "V", [vectors(seed) for seed in range(8)], VECTORS)
    arguments = ("--sample_observations", *SMALL)
    assert train(tmp_path, *arguments, dataset="V", verb=VERB) == 2
    assert "holds no deviations" in capsys.readouterr().err


def test_episodes_without_a_step_and_short_ones_are_trained_on(tmp_path: Path) -> None:
    episodes = [vectors(seed, steps) for seed, steps in enumerate((0, 0, 3, 7))]
    with pytest.MonkeyPatch.context() as patch:  # older writers took those of no step
        patch.setattr("trajectories.writer.check_episode", lambda *_: None)
        write(tmp_path / "D", episodes, VECTORS, replace(DESCRIPTION, splits={"train": 1.0}))
    short = ("--sequence_length=6", "--batch_size=3", "--train_steps=2")
    assert train(tmp_path, *short, verb=VERB) == 0  # windows: none, none, one, two
    assert torch.isfinite(
        torch.tensor([row["losses/total"] for row in rows_of(tmp_path / "E")])
    ).all()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_ranks_learn_what_one_does_and_go_on_to_the_last_bit(
    latents: Path, tmp_path: Path
) -> None:
    typed = ("--train_steps=6", *SMALL, f"--dataset={latents}")
    alone = run_main(tmp_path, *command(tmp_path, *typed, model_dir="one", verb=VERB))
    calm = run_main(tmp_path, *command(tmp_path, *typed, model_dir="calm", verb=VERB), ranks=RANKS)
    assert (alone.code, calm.code) == (0, 0), calm.output
    for single, both in zip(rows_of(tmp_path / "one"), rows_of(tmp_path / "calm"), strict=True):
        assert both == pytest.approx(single, rel=1e-3, abs=1e-4)
    first = (*typed, "--save_every_n_steps=2")
    with started(tmp_path, *command(tmp_path, *first, verb=VERB), ranks=RANKS) as run:
        run.wait_until((tmp_path / "E" / "model.ckpt").exists)
        run.process.terminate()
        run.wait()
    again = run_main(tmp_path, *command(tmp_path, *typed, "--resume", verb=VERB), ranks=RANKS)
    assert again.code == 0, again.output
    one, other = (state_of(tmp_path / name / "model.ckpt") for name in ("calm", "E"))
    assert differences(one, other) == []
    assert rows_of(tmp_path / "calm") == rows_of(tmp_path / "E")
