"""A checkpoint's policy for others: weights, configuration, a card, and graphs to run elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from agents.custom_policy import CustomPolicy
from agents.networks.recurrent_actor_critic import memory_size
from configs.errors import ConfigurationError
from configs.loading import LoadedConfig
from configs.typed import typed
from training.building.encoders import frames_policy
from training.building.stacking import stack_size
from training.checkpoints.policy_encoder import FACT
from training.checkpoints.protocol import changes_text
from training.exporting.feeding import how_to_play
from training.exporting.model_card import Facts, evaluations, model_card
from training.exporting.policy_graph import (
    BATCH,
    INPUT,
    input_shape,
    missing_for_onnx,
    onnx_bytes,
    output_names,
    program_bytes,
    trace,
)
from training.exporting.reading import CARD, CONFIG, CPU, ONNX, PROGRAM, WEIGHTS, config_text
from training.folders.files import replace_file
from training.folders.run_folder import validate_log_name
from training.folders.versions import collect_versions
from training.live.console import final_message
from training.options import RunOptions
from training.playing.loaded_agent import LoadedPPO, load_agent, ppo_of, run_name
from training.ranks.distributed import read_place

EXPORTS = Path("exports")
REMEDY = "pip install -r requirements-export.txt -c requirements.lock"


def export_policy(options: RunOptions, loaded: LoadedConfig) -> int:
    """Write the policy of a checkpoint to a folder; print what lies there.

    Raises:
        ConfigurationError: where there is more than one process, or another protocol than
            training's is asked for.
        CheckpointError: where the checkpoint cannot be read or contradicts the configuration.
        StorageError: a file cannot be written.
    """
    if read_place().world_size != 1:
        raise ConfigurationError(
            f"--export needs exactly one process; use {typed('--nproc_per_node', 1)}"
        )
    validate_log_name(options.log_name)
    assert options.load_model_path is not None  # main.py asks for it
    agent = ppo_of(load_agent(options.load_model_path, loaded, CPU, greedy=False), "an export")
    folder = options.out or EXPORTS / run_name(options, agent)
    if agent.protocol_changes:
        raise ConfigurationError(
            f"an export describes the protocol of training, but the command line sets "
            f"{changes_text(agent.protocol_changes)}; leave that out: to play by it is a matter of "
            "--eval, whose report the export's card names"
        )
    facts = _gather_facts(options, agent)
    reports = evaluations(facts, options.logs)
    graphs = _graphs(agent)
    files = _weights(agent, facts, reports) | graphs
    files[CARD] = model_card(facts, reports, folder, list(graphs)).encode()
    for name, content in files.items():  # all are made by now: an interrupt leaves no half export
        replace_file(folder / name, content)
    if ONNX not in graphs:  # no older one stays beside
        (folder / ONNX).unlink(missing_ok=True)
    final_message("\n".join(f"exported    {folder / name}" for name in sorted(_found(folder))))
    if ONNX not in graphs:
        missing = ", ".join(missing_for_onnx())
        final_message(f"left out    {ONNX}: it needs {missing}, see {REMEDY}")
    return 0


def _gather_facts(options: RunOptions, agent: LoadedPPO) -> Facts:
    size, remembered = (
        stack_size(agent.config, agent.player.spec),
        memory_size(agent.learner.policy),
    )
    own_run = str(agent.payload["facts"]["log_name"])
    return Facts(
        checkpoint=agent.path,
        digest=agent.digest,
        own_run=own_run,
        log_names=(run_name(options, agent), own_run),
        config=agent.config,
        spec=agent.player.spec,
        input_shape=input_shape(agent.player.spec, size),
        memory_size=remembered,
        play=how_to_play(agent.config, agent.player.spec, remembered),
        env_steps=agent.payload["env_steps"],
        updates=agent.payload["updates"],
        trained_with=agent.payload["facts"]["versions"],
        exported_with=collect_versions(),
    )


def _weights(agent: LoadedPPO, facts: Facts, reports: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return the weights and what is known of them, by file name."""
    weights = {name: tensor.contiguous() for name, tensor in _policy_of(agent).state_dict().items()}
    encoder = agent.payload["facts"].get(FACT)
    known = {} if encoder is None else {FACT: encoder}
    text = config_text(
        agent.payload["facts"]["config"],
        facts.spec,
        env_steps=facts.env_steps,
        updates=facts.updates,
        input={
            "name": INPUT,
            "dtype": facts.spec.observation_dtype,
            "shape": [BATCH, *facts.input_shape],
        },
        outputs=output_names(facts.spec, facts.memory_size),
        play=facts.play,
        evaluations=[_without_paths(report) for report in reports],
        versions=facts.exported_with,
        **known,
    )
    return {
        WEIGHTS: safetensors.torch.save(weights, {"format": "pt"}),
        CONFIG: text.encode(),
    }


def _policy_of(agent: LoadedPPO) -> nn.Module:
    return frames_policy(agent.learner, stack_size(agent.config, agent.player.spec))


def _without_paths(report: dict[str, Any]) -> dict[str, Any]:
    """Return an evaluation for others: where the checkpoint lay here is nothing to them."""
    return {key: value for key, value in report.items() if key != "checkpoint"}


def _graphs(agent: LoadedPPO) -> dict[str, bytes]:
    """Return the graphs that can be made here, by file name."""
    spec = agent.player.spec
    size = memory_size(agent.learner.policy)
    with _told_of_the_users_model(agent.learner.policy):
        program = trace(_policy_of(agent), spec, stack_size(agent.config, spec), size)
    graphs = {PROGRAM: program_bytes(program)}
    return graphs if missing_for_onnx() else graphs | {ONNX: onnx_bytes(program, spec, size)}


@contextmanager
def _told_of_the_users_model(policy: nn.Module) -> Iterator[None]:
    """Say in one line what torch.export cannot make of a model of the user's."""
    try:
        yield
    except Exception as error:
        if not isinstance(policy, CustomPolicy):
            raise
        cause = error.__cause__ or error  # a policy tells of what forward raises
        why = str(cause).strip().partition("\n")[0] or type(cause).__name__
        raise ConfigurationError(
            f"{policy.source}: torch.export makes no graph of forward ({why}): what it does may "
            "not hang on the values of tensors, nor on how many observations there are"
        ) from error


def _found(folder: Path) -> list[str]:
    names = (WEIGHTS, CONFIG, CARD, PROGRAM, ONNX)
    return [name for name in names if (folder / name).exists()]
