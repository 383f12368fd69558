"""What the user types, what comes back, and what lies in the run's folder afterwards."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped] # no stubs
    EventAccumulator,
)

import main
from commands import one_voice, run_options
from commands.missing_package import is_requirement
from commands.verbs import VERBS, build_parser
from configs.loading import load_config
from configs.options import all_options
from configs.other_words import FLAG_OF, KEY_OF
from tests.records import checkpoint_path, figures, read_status, run_path
from tests.runs import (
    CARTPOLE,
    MAIN,
    PONG,
    run_here,
    run_main,
    write_recipe,
)
from training.checkpoints.storage import load_payload

NAME = "demo"
TAGS = {
    "charts/episodic_return",
    "charts/episodic_length",
    "charts/SPS",
    "rollout/ep_rew_mean",
    "time/fps",
    "time/fraction_collect",
    "time/fraction_act",
    "time/fraction_learn",
    "time/fraction_sync",
    "losses/policy",
    "losses/value_extrinsic",
    "losses/value_intrinsic",
    "losses/entropy",
    "losses/approx_kl",
    "losses/kl",
    "losses/greedy_drop",
    "losses/clip_fraction",
    "losses/explained_variance",
    "losses/grad_norm",
    "losses/predictor",
    "intrinsic/mean",
    "intrinsic/max",
    "intrinsic/raw",
    "intrinsic/normalizer",
    "intrinsic/novelty_correlation",
    "observation/mean",
    "observation/std",
    "system/rss",
    "system/worker_restarts",
}

pytestmark = pytest.mark.timeout(300)

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run that ended; tests change nothing in it."""
    folder = tmp_path_factory.mktemp("trained")
    recipe = write_recipe(folder, CARTPOLE)
    arguments = (f"--config_path={recipe}", f"--log_name={NAME}", "--seed=7", "--set", "Gamma=0.9")
    assert run_here(folder, "--train", *arguments) == 0
    return folder


def refusal(arguments: Sequence[str], capsys: Captured) -> str:
    """Return the one line with which the parser refuses `arguments`."""
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("--trian", "--train"),
        ("--num_env_per_proces=3", "--num_env_per_process"),
        ("--load_model", "--load_model_path"),
        ("--save-model-path=x", "--save_model_path"),
        ("--evaluate", "--eval"),
        ("--gpu", "--gpu_id"),
        ("--num_envs=8", "--num_env_per_process"),
        ("--num-envs", "--num_env_per_process"),
        ("--n_envs", "--num_env_per_process"),
        ("--num_envs_per_worker=2", "--num_env_per_process"),
        ("--NumEnv=2", "--num_env_per_process"),
        ("--total-timesteps=100", "--max_env_steps"),
        ("--learning-rate=1e-3", "--set LearningRate=..."),
        ("--lr=1e-3", "--set LearningRate=..."),
        ("--env-id=Pong", "--set EnvID=..."),
        ("--exp-name=x", "--log_name"),
        ("--track", "--use_wandb"),
        ("--num-workers=3", "--num_workers"),
        ("--local-d=x", "--local-dir"),
        ("--local_dirr=x", "--local_dir"),
        ("--checkpoint-frq=2", "--checkpoint-freq"),
    ],
)
def test_an_unknown_flag_is_refused_with_the_nearest_one(
    typed: str, nearest: str, capsys: Captured
) -> None:
    line = refusal(["--train", typed], capsys)
    assert f"unknown argument {typed.partition('=')[0]}; did you mean {nearest}?" in line


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--set", "Gamma", "0.9"], "unknown argument 0.9; did you mean --set Gamma=0.9?"),
        (["--set", "Seed=2", "Gamma=0.9"], "did you mean --set Gamma=0.9?"),
        (["my/recipe.conf"], "did you mean --config_path=my/recipe.conf?"),
        (["demo"], "unknown argument demo ("),
    ],
)
def test_a_word_without_a_flag_is_refused_with_what_it_was_meant_for(
    words: list[str], meant: str, capsys: Captured
) -> None:
    assert meant in refusal(["--train", *words], capsys)


@pytest.mark.parametrize("given", ["--local-rank=0", "--local_rank=3"])
def test_the_flag_of_torchs_older_launcher_is_known_as_that(given: str, capsys: Captured) -> None:
    line = refusal(["--train", given], capsys)
    flag = given.partition("=")[0]
    assert f"main.py: {flag} comes from python -m torch.distributed.launch; start it by" in line


@pytest.mark.parametrize("flags", [["--train", "--config_options"], ["-h"], ["--eval", "-h"]])
def test_output_into_a_full_disk_is_one_message_and_a_storage_error(flags: list[str]) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, MAIN, *flags],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 7
    assert re.fullmatch("error: the output cannot be written: No space left .*\n", ended.stderr)


def test_a_refusal_into_a_full_disk_keeps_its_code() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, str(MAIN), "--train", "--xyzzy"]
        assert subprocess.run(command, stderr=full, check=False).returncode == 2


@pytest.mark.parametrize("count", ["0", "-3", "few", "1.5"])
def test_a_count_that_is_none_is_refused_in_words(count: str, capsys: Captured) -> None:
    line = refusal(["--eval", f"--episodes={count}"], capsys)
    assert f"--episodes: {count!r} is no whole number of 1 or more" in line


def test_a_tilde_that_the_shell_has_left_is_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    flags = ("--config_path", "--load_model_path", "--out")
    typed = [f"{flag}=~/a b.ckpt" for flag in flags]
    args = build_parser().parse_args([*typed, "--report", "~/run", "plain"])
    assert {getattr(args, flag[2:]) for flag in flags} == {tmp_path / "a b.ckpt"}
    args = build_parser().parse_args(["--train", "--save_model_path=~/a.ckpt"])
    assert args.save_model_path == tmp_path / "a.ckpt"
    args = build_parser().parse_args(["--report", "~/run", "plain"])
    assert args.report == [str(tmp_path / "run"), "plain"]
    assert build_parser().parse_args(["--out=~nobody-here/x"]).out == Path("~nobody-here/x")


@pytest.mark.parametrize(
    ("verb", "flag"),
    [
        ("--collect", "--out_dir"),
        ("--encode", "--out_dir"),
        ("--train_encoder", "--model_dir"),
        ("--train_dynamics", "--model_dir"),
        ("--train", "--local_dir"),
    ],
)
def test_a_file_in_the_place_of_a_folder_is_refused_before_anything_is_loaded(
    verb: str, flag: str, tmp_path: Path, capsys: Captured
) -> None:
    taken = tmp_path / "notes.txt"
    taken.write_text("mine")
    for typed in (taken, taken / "inside"):
        line = refusal([verb, f"{flag}={typed}"], capsys)
        assert f"{flag}" in line
        assert f"{taken} is no folder, but a file" in line
    assert taken.read_text() == "mine"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "--batch_size=64",
            "--batch_size is a flag of another mode, training on a dataset (--train_encoder, "
            "--train_dynamics); "
            "did you mean --set MiniBatch=... (how many, not how large)?",
        ),
        ("--learning_rate=1e-3", "did you mean --set LearningRate=...?"),
    ],
)
def test_a_flag_of_another_mode_is_refused_and_not_passed_over(
    typed: str, said: str, capsys: Captured
) -> None:
    assert said in refusal(["--train", typed], capsys)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["--train_encoder", "--max_steps=20"], "did you mean --train_steps?"),
        (["--train_encoder", "--total_timesteps=20"], "did you mean --train_steps?"),
        (["--train_dynamics", "--lr=1e-3"], "did you mean --learning_rate?"),
        (["--train_encoder", "--save_freq=20"], "did you mean --save_every_n_steps?"),
        (["--collect", "--max_env_steps=20"], "did you mean --max_steps?"),
        (["--collect", "--env=CartPole-v1"], "did you mean --environment?"),
        (["--train", "--max_steps=20"], "did you mean --max_env_steps?"),
        (
            ["--train", "--capture_video"],
            "did you mean --video (of another mode, evaluation (--eval))?",
        ),
    ],
)
def test_what_is_meant_is_a_flag_of_the_mode_that_is_typed(
    arguments: list[str], meant: str, capsys: Captured
) -> None:
    assert meant in refusal(arguments, capsys)


WORDS_OF_OTHERS = [
    *(flag for flag in build_parser()._option_string_actions if flag.startswith("--")),
    *(f"--{word}" for word in (*KEY_OF, *FLAG_OF)),
]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "config_options"])
def test_no_mode_names_a_flag_that_it_would_refuse(verb: str, capsys: Captured) -> None:
    own = build_parser([verb])
    for word in WORDS_OF_OTHERS:
        if own.knows(word) or word[2:] in VERBS:
            continue
        line = refusal([f"--{verb}", f"{word}=3"], capsys)
        named = re.search(r"did you mean (--\w+)(?! \(of another mode)(?!\w)", line)
        assert named is None or own.knows(named[1]) or named[1][2:] in VERBS, line


def test_an_unknown_flag_that_resembles_none_is_refused_all_the_same(capsys: Captured) -> None:
    assert "unknown argument --xyzzy (" in refusal(["--train", "--xyzzy"], capsys)


ONE_VERB = (
    "exactly one of --train, --eval, --rollout, --export, --report, --collect, --data, "
    "--train_encoder, --encode, --train_dynamics, --probe, --visualise and --play"
)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], ONE_VERB),
        (["--train", "--eval"], ONE_VERB),
        (["--eval", "--export"], ONE_VERB),
        (["--encode"], "--encode needs --dataset"),
        (["--encode", "--dataset=D"], "--encode needs --model"),
        (
            ["--encode", "--dataset=D", "--model=E", "--out_dir=Z", "--outer_shard_index=1"],
            "--outer_shard_index 1: it is a number from 0 below --num_outer_shards",
        ),
        (["--encode", "--dataset=D", "--model", "E", "F"], "--encode takes one --model"),
        (["--probe", "--dataset=D"], "--probe needs --model"),
        (["--probe", "--model=E"], "--probe needs --dataset"),
        (["--visualise", "--fresh"], "--visualise needs --model"),
        (["--visualise", "--model=E"], "--visualise needs --fresh"),
        (["--visualise", "--model", "E", "F", "--fresh"], "--visualise takes one --model"),
        (["--train_encoder"], "--train_encoder needs --dataset"),
        (["--train_encoder", "--dataset=D"], "--train_encoder needs --model_dir"),
        (["--train_encoder", "--train_steps=0"], "--train_steps: '0' is no whole number of 1"),
        (["--train", "--out=x"], "--out is a flag of another mode, where it is written"),
        (["--report", "x", "--resume"], "--resume is a flag of another mode"),
        (["--eval", "--num_rollouts", "3", "--foo"], "(--collect); unknown argument --foo;"),
        (["--eval"], "--eval needs --load_model_path"),
        (["--export"], "--export needs --load_model_path"),
        (["--train", "--resume", "--overwrite"], "give one of them"),
        (["--train", "--num_env_per_process=0"], "--num_env_per_process"),
        (["--eval", "--load_model_path=x", "--episodes=no"], "--episodes"),
    ],
)
def test_flags_that_contradict_each_other_or_themselves_are_refused(
    arguments: list[str], reason: str, capsys: Captured
) -> None:
    assert reason in refusal(arguments, capsys)


def test_other_processes_of_a_node_do_not_repeat_a_refusal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(one_voice, "PATIENCE", 0.0)
    with pytest.raises(SystemExit) as caught:
        main.main(["--train", "--trian"])
    assert caught.value.code == 2
    assert main.main(["--train", f"--config_path={tmp_path / 'missing.conf'}"]) == 2
    assert capsys.readouterr().err == ""


def test_help_lists_every_flag_and_exit_code(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["-h"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    flags = """--train --eval --config_path --log_name --save_model_path --load_model_path
        --num_env_per_process --gpu_id --config_options --pytorch_profiling --scalene_profiling
        --seed --num_workers --set --resume --overwrite --episodes --greedy --video
        --profile_updates --max_env_steps --use_wandb --report --export --out"""
    for flag in flags.split():
        assert re.search(rf"{flag}\b", text), flag
    assert "75 stopped on request" in " ".join(text.split())


@pytest.mark.parametrize("arguments", [["--config_options"], ["--train", "--config_options"]])
def test_config_options_prints_every_key_and_does_nothing_else(
    arguments: list[str], capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.main(arguments) == 0
    text = capsys.readouterr().out
    assert all(option.key in text for option in all_options().values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("configs/demo_config.conf", "demo"),
        ("configs/Pong/config_ppo00.conf", "Pong_ppo00"),
        ("./configs/MontezumaRevenge/config_rnd00.conf", "MontezumaRevenge_rnd00"),
        ("mine.conf", "mine"),
        ("my runs/größe (2).conf", "my_runs_gr__e__2_"),
    ],
)
def test_a_run_is_named_after_its_recipe(path: str, name: str) -> None:
    assert run_options.default_log_name(Path(path)) == name


def test_all_that_is_wrong_with_a_recipe_is_said_at_once(capsys: Captured, tmp_path: Path) -> None:
    text = CARTPOLE.replace("NumStep", "NumStpe").replace("Epoch = 2", "Epoch = -2")
    recipe = write_recipe(tmp_path, text)
    arguments = (f"--config_path={recipe}", "--set", "Gamme=1", "--set", "Gamma=2")
    assert run_here(tmp_path, "--train", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "NumStep" in captured.err.split("NumStpe", 1)[1]
    assert "Epoch" in captured.err
    assert "Gamme" in captured.err
    assert re.search(r"Gamma.*2", captured.err)
    assert "Traceback" not in captured.err


def test_one_message_comes_from_all_processes_of_a_node(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, Epoch="many")
    ended = run_main(tmp_path, "--train", f"--config_path={recipe}", ranks=2)
    assert ended.code == 1  # torchrun's own
    assert len(re.findall(r"^error: .*Epoch", ended.output, re.MULTILINE)) == 1
    assert re.search(r"exitcode +: 2\b", ended.output)
    assert f'File "{MAIN}"' not in ended.output  # no traceback of ours


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "x" * 200, "a b"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(
    name: str, capsys: Captured, tmp_path: Path
) -> None:
    folder = tmp_path / "inner"
    recipe = write_recipe(folder, CARTPOLE)
    assert run_here(folder, "--train", f"--config_path={recipe}", f"--log_name={name}") == 2
    assert f"--log_name {name!r} cannot name a run" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == [folder, recipe]


def test_evaluation_by_several_processes_is_refused_with_the_reason(
    trained: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    arguments = (f"--config_path={trained / 'recipe.conf'}", "--load_model_path=x.ckpt")
    assert run_here(trained, "--eval", *arguments) == 2
    message = capsys.readouterr().err
    assert "--eval needs exactly one process, but there are 2" in message
    assert "--nproc_per_node=1" in message


def test_half_a_set_of_torchruns_variables_is_refused(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run_here(tmp_path, "--train", f"--config_path={recipe}") == 2
    assert "WORLD_SIZE=2 is set without RANK" in capsys.readouterr().err
    monkeypatch.setenv("RANK", "first")
    assert run_here(tmp_path, "--train", f"--config_path={recipe}") == 2
    assert "must be numbers" in capsys.readouterr().err


def test_restarts_that_could_not_join_again_are_refused_with_the_variable_to_set(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    assert run_here(tmp_path, "--train", f"--config_path={recipe}") == 2
    assert "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, capsys: Captured) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--gpu_id=1") == 2
    assert "--gpu_id=1: this machine has 0 usable GPU(s)" in capsys.readouterr().err


def test_a_gpu_for_several_processes_is_refused(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--gpu_id=0") == 2
    assert "--gpu_id needs exactly one process" in capsys.readouterr().err


def test_load_model_without_a_checkpoint_is_refused(tmp_path: Path, capsys: Captured) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    arguments = (f"--config_path={recipe}", "--set", "loadModel=True")
    assert run_here(tmp_path, "--train", *arguments) == 2
    assert "add --load_model_path=FILE" in capsys.readouterr().err


def test_a_checkpoint_that_load_model_forbids_is_refused(trained: Path, capsys: Captured) -> None:
    arguments = (f"--config_path={trained / 'recipe.conf'}", "--log_name=next")
    contradiction = ("--load_model_path=checkpoints/demo.ckpt", "--set", "loadModel=False")
    assert run_here(trained, "--train", *arguments, *contradiction) == 2
    assert "contradicts loadModel = False" in capsys.readouterr().err
    assert not run_path(trained, "next").exists()


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed")
def test_tracking_without_its_package_says_what_to_install(
    tmp_path: Path, capsys: Captured
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    arguments = (f"--config_path={recipe}", f"--log_name={NAME}", "--use_wandb")
    assert run_here(tmp_path, "--train", *arguments) == 2
    assert "pip install wandb" in capsys.readouterr().err
    assert read_status(tmp_path, NAME)["code"] == 2


def test_a_run_leaves_rows_with_both_axes(trained: Path) -> None:
    rows = figures(trained, NAME)
    assert [row["env_steps"] for row in rows] == [32 * n for n in range(1, 9)]
    assert all(row["frames"] == row["env_steps"] for row in rows)
    assert [row["charts/updates"] for row in rows] == list(range(1, 9))


def test_an_atari_env_step_is_four_frames(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, PONG, TotalEnvSteps=16)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", f"--log_name={NAME}") == 0
    (row,) = figures(tmp_path, NAME)
    assert (row["env_steps"], row["frames"]) == (16, 64)


def test_a_run_leaves_its_curves_for_tensorboard(trained: Path) -> None:
    folder = trained / "logs" / "tb_logs" / NAME
    by_env_steps, by_frames = (
        EventAccumulator(str(folder)),
        EventAccumulator(str(folder / "frames")),
    )
    for curves in (by_env_steps, by_frames):
        curves.Reload()
    tags = set(by_env_steps.Tags()["scalars"])
    assert tags >= TAGS
    assert "charts_by_frames/episodic_return" in by_frames.Tags()["scalars"]
    points = by_env_steps.Scalars("losses/policy")
    assert [point.step for point in points] == [32 * n for n in range(1, 9)]
    rows = figures(trained, NAME)
    wanted = [row["losses/policy"] for row in rows]
    assert [point.value for point in points] == pytest.approx(wanted)


def test_a_run_leaves_the_configuration_it_ran_with(trained: Path) -> None:
    saved = load_config(run_path(trained, NAME) / "config.conf").config
    overrides = ["Seed=7", "Gamma=0.9", "Precision=float32"]  # what auto came to
    assert saved == load_config(trained / "recipe.conf", overrides).config
    assert saved.ppo.gamma == 0.9
    assert saved.run.seed == 7


def test_a_run_leaves_its_last_word_and_its_checkpoint(trained: Path) -> None:
    status = read_status(trained, NAME)
    assert (status["code"], status["reason"], status["env_steps"]) == (0, "done", 256)
    assert load_payload(trained / status["checkpoint"])["env_steps"] == 256


def test_an_existing_run_is_replaced_only_where_that_is_asked_for(
    tmp_path: Path, capsys: Captured
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=64)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    assert run_here(tmp_path, *command) == 0
    before = _contents(tmp_path)
    assert run_here(tmp_path, *command) == 2
    message = capsys.readouterr().err
    assert "--resume" in message
    assert "--overwrite" in message
    assert run_here(tmp_path, *command, "--save_model_path=other.ckpt") == 2
    assert "--log_name=demo-2" in capsys.readouterr().err
    mistyped = "--set=EnvID=CartPool-v1"
    assert run_here(tmp_path, *command, "--overwrite", mistyped) in (2, 4)
    assert _contents(tmp_path) == before
    assert run_here(tmp_path, *command, "--overwrite", "--seed=5") == 0
    assert _contents(tmp_path) != before
    assert len(figures(tmp_path, NAME)) == 2
    assert load_config(run_path(tmp_path, NAME) / "config.conf").config.run.seed == 5


@pytest.mark.parametrize("name", ["missing.ckpt", "other.ckpt"])
def test_a_run_is_not_replaced_by_one_that_cannot_start(
    tmp_path: Path, name: str, capsys: Captured
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=64)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    assert run_here(tmp_path, *command) == 0
    (tmp_path / "other.ckpt").write_bytes(b"something else")
    before = _contents(tmp_path)
    assert run_here(tmp_path, *command, "--overwrite", f"--load_model_path={name}") == 3
    assert name in capsys.readouterr().err
    assert _contents(tmp_path) == before


@pytest.mark.slow
def test_a_profiling_run_takes_a_free_name_and_leaves_traces(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=64)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    assert run_here(tmp_path, *command) == 0
    before = _contents(tmp_path)
    assert run_here(tmp_path, *command, "--pytorch_profiling", "--max_env_steps=100_000") == 0
    after = _contents(tmp_path)
    assert before.items() <= after.items()
    assert len(figures(tmp_path, f"{NAME}-2")) == 4
    assert checkpoint_path(tmp_path, f"{NAME}-2").exists()
    traces = tmp_path / "logs" / "torch_profiler_logs" / f"{NAME}-2"
    assert list(traces.glob("*.pt.trace.json*"))
    assert "own ms" in (traces / "top_operators_rank0.txt").read_text()


def test_torchruns_variables_alone_start_a_process_as_profilers_need_it(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=1_000_000)
    variables = {
        "LOCAL_RANK": "0",
        "RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29501",
    }
    arguments = (f"--config_path={recipe}", f"--log_name={NAME}", "--save_model_path=out/x.ckpt")
    ended = run_main(
        tmp_path, "--train", *arguments, "--scalene_profiling", "3", environment=variables
    )
    assert ended.code == 0, ended.output
    assert ended.last_line == "done: 96 env steps; saved to out/x.ckpt"
    assert load_payload(tmp_path / "out" / "x.ckpt")["updates"] == 3


def test_a_profiler_that_runs_main_py_writes_its_profile(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    command = [sys.executable, "-m", "cProfile", "-o", str(profile), str(MAIN), "--train"]
    command = [*command, "--config_options"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, timeout=60)
    assert profile.stat().st_size > 0


def _contents(folder: Path) -> dict[str, bytes]:
    """Return all files below `folder`, but for the lock and the folder's list of starts."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if path.name != "run.lock"}


@pytest.mark.parametrize(
    "verb", [["--train"], ["--eval", "--load_model_path=a"], ["--report", "a"]]
)
def test_a_python_without_the_packages_is_one_sentence(verb: list[str], tmp_path: Path) -> None:
    # -S leaves out site-packages, as the system's own Python does.
    ended = subprocess.run(
        [sys.executable, "-S", MAIN, *verb],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert re.fullmatch(
        r"error: \w+ is not installed in this Python \(.*\): activate .*make install.*\n",
        ended.stderr,
    )


def test_a_module_of_somebody_elses_is_no_requirement() -> None:
    assert is_requirement("torch.nn")
    assert is_requirement("cv2")
    assert not is_requirement("my_package")
    assert not is_requirement("torchy")
