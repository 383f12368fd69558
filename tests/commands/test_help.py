"""-h: all flags by verb, or with a verb typed beside it the flags of that one."""

import re

import pytest

import main
from commands.verbs import VERBS, build_parser

COMMON = {
    *("--help", "--config_path", "--set", "--log_name", "--load_model_path", "--seed"),
    *("--num_env_per_process", "--num_workers", "--gpu_id", "--gpu_index"),
}
OWN = {
    "train": {
        *("--train", "--save_model_path", "--resume", "--overwrite", "--max_env_steps"),
        *("--use_wandb", "--scalene_profiling", "--profile_updates", "--pytorch_profiling"),
        *("--file", "--experiment", "--local_dir", "--local-dir", "--local_mode", "--local-mode"),
        *("--checkpoint_freq", "--checkpoint-freq", "--checkpoint_at_end", "--checkpoint-at-end"),
        *("--cma_population_size", "--cma_trials_per_member", "--cma_steps"),
        *("--rollout_max_steps", "--vision_model", "--memory_model"),
    },
    "eval": {
        *("--eval", "--episodes", "--greedy", "--video", "--save_rollouts", "--save_info"),
        *("--save-info", "--local_dir", "--local-dir", "--baselines"),
    },
    "rollout": {
        *("--rollout", "--episodes", "--greedy", "--save_info", "--save-info", "--monitor"),
        *("--out", "--resume", "--overwrite"),
    },
    "export": {"--export", "--out", "--local_dir", "--local-dir"},
    "report": {"--report", "--out"},
    "train_encoder": {
        *("--train_encoder", "--dataset", "--split", "--model", "--resume", "--overwrite"),
        "--rollouts_dataset",
        *("--model_dir", "--environment", "--train_steps", "--representation_size"),
        *("--batch_size", "--obs_sampled_per_rollout", "--save_every_n_steps", "--learning_rate"),
        "--use_wandb",
    },
    "train_dynamics": {
        *("--train_dynamics", "--dataset", "--rollouts_dataset", "--split", "--model"),
        *("--resume", "--overwrite", "--model_dir", "--environment", "--train_steps"),
        *("--batch_size", "--save_every_n_steps", "--learning_rate", "--sequence_length"),
        *("--sample_observations", "--difference_targets", "--use_wandb"),
    },
    "encode": {
        *("--encode", "--dataset", "--split", "--model", "--out_dir", "--out_name"),
        "--rollouts_dataset",
        *("--num_outer_shards", "--outer_shard_index", "--num_sub_shards"),
    },
    "probe": {
        *("--probe", "--dataset", "--rollouts_dataset", "--split", "--model", "--out"),
        "--supervised_steps",
    },
    "visualise": {
        *("--visualise", "--model", "--environment", "--policy", "--episodes", "--out", "--fresh"),
    },
    "play": {
        *("--play", "--vision_model", "--memory_model", "--environment", "--policy", "--out"),
        "--restart_every",
    },
    "collect": {
        *("--collect", "--resume", "--overwrite", "--num_rollouts", "--out_dir", "--out_name"),
        *("--environment", "--policy", "--parallelism", "--max_steps", "--observation_size"),
        *("--background", "--shard_size", "--instance", "--num_instances"),
    },
    "data": {"--data", "--to"},
    "config_options": {"--config_options"},
}

Captured = pytest.CaptureFixture[str]


def helped(capsys: Captured, *arguments: str) -> str:
    """Return what -h prints beside `arguments`."""
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def flags_in(text: str) -> set[str]:
    """Return the flags that a help describes; its usage and its examples name others, too."""
    described = text.partition("\nexamples:")[0].partition("\noptions:")[2]
    lines = re.findall(r"^  (-.*?)(?:  |$)", described, re.MULTILINE)
    return {flag for line in lines for flag in re.findall(r"--[\w-]+", line)}


@pytest.mark.parametrize("verb", OWN)
@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_a_verb_shows_its_own_flags_and_the_common_ones(
    verb: str, asked: str, capsys: Captured
) -> None:
    text = helped(capsys, f"--{verb}", asked)
    assert flags_in(text) == OWN[verb] | COMMON
    shown = text.partition("\nexamples:\n")[2]
    assert shown.startswith(f"{VERBS[verb].EXAMPLE}\n\nexit codes: 0 done; 1 a fault")
    assert text == helped(capsys, asked, f"--{verb}")


def test_names_of_runs_and_other_flags_may_stand_before_it(capsys: Captured) -> None:
    wanted = helped(capsys, "--report", "-h")
    assert helped(capsys, "--report", "demo", "demo_no_bonus", "-h") == wanted
    assert helped(capsys, "--out=x.html", "--report", "--help", "demo") == wanted
    assert helped(capsys, "--train", "--episodes", "3", "-h") == helped(capsys, "--train", "-h")


def test_two_verbs_show_the_flags_of_both(capsys: Captured) -> None:
    assert flags_in(helped(capsys, "--eval", "--train", "-h")) == (
        OWN["train"] | OWN["eval"] | COMMON
    )


def test_without_a_verb_all_flags_are_shown_by_verb(capsys: Captured) -> None:
    text = helped(capsys, "-h")
    assert flags_in(text) == COMMON.union(*OWN.values())
    groups = {
        title: flags_in(f"\noptions:\n{rows}")
        for title, rows in re.findall(r"^([a-z].*):\n((?:  .*\n)+)", text, re.MULTILINE)
    }
    assert groups["run mode (exactly one)"] == {f"--{verb}" for verb in VERBS}
    assert groups["all modes"] == COMMON - {"--help"}
    beside_the_verb = {
        verb: set().union(*(flags for title, flags in groups.items() if _names(title, verb)))
        for verb in VERBS
    }
    assert beside_the_verb == {verb: flags - {f"--{verb}"} for verb, flags in OWN.items()}
    assert all(verb.EXAMPLE in text for verb in VERBS.values())


def _names(title: str, verb: str) -> bool:
    """Whether a group's title names a verb, and no longer one."""
    return re.search(rf"--{verb}\b", title) is not None


def test_a_list_without_names_is_still_an_error(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["--report"])
    assert caught.value.code == 2
    assert "argument --report: expected at least one argument" in capsys.readouterr().err


def test_every_verb_alone_makes_a_parser() -> None:
    for name in VERBS:
        assert build_parser([name]).knows(f"--{name}")
