"""Controllers that look through an encoder and remember by a model of sequences."""

import shutil
from pathlib import Path

import pytest

from tests.records import checkpoint_path, figures
from tests.runs import run_here, run_ranks
from tests.training.evolution.made import FRAMES, NAME, SPRITES, assert_equal, command, evolve
from training.checkpoints.storage import load_payload
from trajectories.reader import open_dataset

pytestmark = pytest.mark.timeout(300)
Captured = pytest.CaptureFixture[str]
MEMORIES = ("mdn_rnn", "causal_transformer")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, and with models of sequences of its latents, trained a little."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "recipe.conf").write_text(FRAMES + "\n[Run]\nLearnerThreads = 1\n")
    common = "--config_path=recipe.conf"
    collect = ("--num_rollouts=8", "--out_dir=data", "--policy=random")
    assert run_here(folder, "--collect", common, *collect) == 0
    learnt = ("--train_steps=2", "--batch_size=4")
    vae = ("--model=vae", "--dataset=data", "--model_dir=vae", "--representation_size=5")
    assert run_here(folder, "--train_encoder", common, *vae, *learnt) == 0
    assert run_here(folder, "--encode", "--model=vae", "--dataset=data", "--out_dir=z") == 0
    for kind in MEMORIES:
        told = (f"--model={kind}", "--dataset=z", f"--model_dir={kind}", "--sequence_length=4")
        assert run_here(folder, "--train_dynamics", common, *told, *learnt) == 0
    return folder


def seen_through(models: Path, memory: str | None) -> tuple[str, ...]:
    remembered = () if memory is None else (f"--memory_model={models / memory}",)
    return (f"--vision_model={models / 'vae'}", *remembered)


@pytest.fixture(
    scope="module",
    params=[None, "mdn_rnn", pytest.param("causal_transformer", marks=pytest.mark.slow)],
)
def calm(
    request: pytest.FixtureRequest, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[str, ...]]:
    """A folder with an evolution that nothing disturbed, and what was typed for it."""
    folder = tmp_path_factory.mktemp("calm")
    arguments = seen_through(models, request.param)
    assert evolve(folder, *arguments, text=SPRITES) == 0
    return folder, arguments


def test_environments_change_nothing(calm: tuple[Path, tuple[str, ...]], tmp_path: Path) -> None:
    folder, arguments = calm
    assert evolve(tmp_path, *arguments, "--num_env_per_process=3", text=SPRITES) == 0
    assert_equal(folder, tmp_path)


@pytest.mark.slow
def test_ranks_change_nothing(calm: tuple[Path, tuple[str, ...]], tmp_path: Path) -> None:
    folder, arguments = calm
    run_ranks(tmp_path, *command(tmp_path, *arguments, text=SPRITES), ranks=2)
    assert_equal(folder, tmp_path)


def test_a_checkpoint_needs_no_folder_of_a_model(
    calm: tuple[Path, tuple[str, ...]], models: Path, tmp_path: Path
) -> None:
    folder, arguments = calm
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(models, elsewhere)
    moved = tuple(argument.replace(str(models), str(elsewhere)) for argument in arguments)
    assert evolve(tmp_path, *moved, "--cma_steps=1", text=SPRITES) == 0
    shutil.rmtree(elsewhere)
    assert evolve(tmp_path, "--resume", text=SPRITES) == 0
    assert figures(tmp_path, NAME) == figures(folder, NAME)
    play = ("--eval", "--config_path=recipe.conf", "--episodes=3", "--video", "--baselines")
    checkpoint = f"--load_model_path={checkpoint_path(tmp_path, NAME)}"
    assert run_here(tmp_path, *play, checkpoint) == 0
    assert list(tmp_path.glob(f"logs/runs/{NAME}/evaluation/*_deterministic_*.mp4"))


def test_a_controller_collects_as_it_plays(
    calm: tuple[Path, tuple[str, ...]], tmp_path: Path
) -> None:
    folder, _ = calm
    common = ("--config_path=recipe.conf", f"--policy={checkpoint_path(folder, NAME)}")
    for name, parallelism in (("one", 1), ("three", 3)):
        into = ("--num_rollouts=4", f"--out_dir={tmp_path / name}", f"--parallelism={parallelism}")
        assert run_here(folder, "--collect", *common, *into) == 0
    one, three = (
        {episode.values["id"]: episode.actions.tobytes() for episode in open_dataset(folder).scan()}
        for folder in (tmp_path / "one", tmp_path / "three")
    )
    assert len(one) == 4
    assert one == three


def test_refusals(models: Path, tmp_path: Path, capsys: Captured) -> None:
    for arguments, told in (
        ((), "add --vision_model=DIR"),
        (("--vision_model=nowhere",), "nowhere"),
        ((f"--vision_model={models / 'mdn_rnn'}",), "no encoder"),
        ((*seen_through(models, None), f"--memory_model={models / 'vae'}"), "no dynamics"),
        ((*seen_through(models, None), "--set=PreProcWidth=48"), "width: trained on 64"),
    ):
        assert evolve(tmp_path, *arguments, text=SPRITES) in (2, 3)
        assert told in " ".join(capsys.readouterr().err.split())


def test_a_memory_of_latents_needs_their_encoder(
    models: Path, tmp_path: Path, capsys: Captured
) -> None:
    text = SPRITES.replace("Sprites-v0", "SpritesState-v0")
    assert evolve(tmp_path, f"--memory_model={models / 'mdn_rnn'}", text=text) == 3
    assert "learnt the latents of an encoder" in capsys.readouterr().err


def test_a_checkpoint_tells_what_it_looks_through(calm: tuple[Path, tuple[str, ...]]) -> None:
    folder, arguments = calm
    facts = load_payload(checkpoint_path(folder, NAME))["facts"]
    assert '"kind": "vae"' in facts["encoder"]
    assert ("memory" in facts) == (len(arguments) == 2)


def test_an_export_is_refused_in_words(
    calm: tuple[Path, tuple[str, ...]], capsys: Captured
) -> None:
    folder, _ = calm
    checkpoint = f"--load_model_path={checkpoint_path(folder, NAME)}"
    assert run_here(folder, "--export", "--config_path=recipe.conf", checkpoint) == 2
    assert (
        "its Agent = CMA-ES, and an export is there for PPO and TD3 alone"
        in capsys.readouterr().err
    )
