"""A checkpoint whose digest is right and whose parts are not is refused with wanted and found."""

from pathlib import Path
from typing import Any

import pytest
import torch

from configs.errors import CheckpointError
from training.checkpoints.payload_form import check_facts, check_form, laid_out

PATH = Path("stranger.ckpt")


def payload() -> dict[str, Any]:
    return {
        "facts": {
            "log_name": "demo",
            "config": {"Gamma": "0.9"},
            "spec": "{}",
            "threads": 1,
            "versions": {"torch": "2"},
        },
        "updates": 1,
        "env_steps": 64,
        "best_score": float("-inf"),
        "episodes": "[]",
        "learner": {"weight": torch.zeros(1)},
        "optimizer": {},
        "ranks": [torch.zeros(1)],
    }


def test_a_whole_one_passes() -> None:
    check_form(payload(), PATH)
    assert check_facts(payload(), PATH)["log_name"] == "demo"


def test_all_that_is_missing_or_of_another_kind_is_told_at_once() -> None:
    changed = payload() | {"updates": "7", "learner": [1]}
    del changed["episodes"]
    with pytest.raises(CheckpointError) as caught:
        check_form(changed, PATH)
    assert str(caught.value).splitlines() == [
        "stranger.ckpt: not a checkpoint of a run:",
        "  updates: wanted a whole number, found text",
        "  episodes: wanted text, found nothing",
        "  learner: wanted a table, found a list",
    ]


@pytest.mark.parametrize(
    ("section", "value", "told"),
    [
        ("learner", {"weight": 1.0}, "learner.weight: wanted a tensor, found a number"),
        ("ranks", [None], "ranks.0: wanted a tensor, found NoneType"),
        ("facts", {}, "facts.config: wanted a table, found nothing"),
        (
            "facts",
            payload()["facts"] | {"config": {"Gamma": 1}},
            "facts.config.Gamma: wanted text, found a whole number",
        ),
    ],
)
def test_parts_of_parts_are_named_by_their_place(section: str, value: Any, told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        check_form(payload() | {section: value}, PATH)


@pytest.mark.parametrize("found", [{}, {"facts": 1}, {"facts": {}}, {"facts": {"log_name": 1}}, []])
def test_a_run_without_a_name_is_none(found: Any) -> None:
    with pytest.raises(CheckpointError, match=r"stranger.ckpt: not a checkpoint of a run"):
        check_facts(found, PATH)


def test_what_cannot_be_laid_out_is_refused_in_one_line() -> None:
    with pytest.raises(CheckpointError) as caught, laid_out("state", PATH):
        raise KeyError("weight")
    assert str(caught.value) == (
        "stranger.ckpt: its state cannot be laid out ('weight'); it belongs to another agent, or "
        "was changed"
    )


def test_a_lost_peer_is_nothing_that_a_file_is_blamed_for() -> None:
    with pytest.raises(RuntimeError, match="Connection reset"), laid_out("state", PATH):
        raise RuntimeError("Connection reset by peer")
