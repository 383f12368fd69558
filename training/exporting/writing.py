"""A checkpoint's policy for others: weights, configuration, a card, and graphs to run elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from agents.custom_policy import CustomPolicy
from agents.networks.recurrent_actor_critic import memory_size
from agents.recurrent.encoded_policy import RememberingEncodedPolicy
from configs.errors import ConfigurationError
from configs.loading import LoadedConfig
from configs.typed import typed
from training.building.encoders import frames_actor, frames_policy
from training.building.stacking import stack_size
from training.checkpoints.policy_encoder import FACT as ENCODER
from training.checkpoints.policy_transition import FACT as TRANSITION
from training.checkpoints.protocol import changes_text
from training.exporting.feeding import how_to_play
from training.exporting.form import CARD, CONFIG, CPU, ONNX, PROGRAM, WEIGHTS, config_text
from training.exporting.model_card import Facts, evaluations, model_card
from training.exporting.policy_graph import (
    BATCH,
    INPUT,
    input_names,
    input_shape,
    missing_for_onnx,
    onnx_bytes,
    output_names,
    program_bytes,
    trace,
)
from training.folders.files import replace_file
from training.folders.run_folder import validate_log_name
from training.folders.versions import collect_versions
from training.live.console import final_message
from training.options import RunOptions
from training.playing.loaded_agent import LoadedAgent, LoadedPPO, LoadedTD3, load_agent, run_name
from training.ranks.distributed import read_place

EXPORTS = Path("exports")
Exportable = LoadedPPO | LoadedTD3
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
    agent = _exportable(load_agent(options.load_model_path, loaded, CPU, greedy=False))
    folder = options.out or EXPORTS / run_name(options, agent)
    if agent.protocol_changes:
        raise ConfigurationError(
            f"an export describes the protocol of training, but the command line sets "
            f"{changes_text(agent.protocol_changes)}; leave that out: to play by it is a matter of "
            "--eval, whose report the export's card names"
        )
    policy = _policy_of(agent)
    facts = _gather_facts(options, agent, policy)
    reports = evaluations(facts, options.logs)
    graphs = _graphs(agent, policy, facts)
    files = _weights(agent, policy, facts, reports) | graphs
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


def _exportable(agent: LoadedAgent) -> Exportable:
    if isinstance(agent, LoadedPPO | LoadedTD3):
        return agent
    raise ConfigurationError(
        f"{agent.path}: its Agent = {agent.config.run.agent}, and an export is there for PPO and "
        "TD3 alone"
    )


def _gather_facts(options: RunOptions, agent: Exportable, policy: nn.Module) -> Facts:
    spec, remembered = agent.player.spec, memory_size(policy)
    by_encoder = isinstance(policy, RememberingEncodedPolicy)
    own_run = str(agent.payload["facts"]["log_name"])
    return Facts(
        checkpoint=agent.path,
        digest=agent.digest,
        own_run=own_run,
        log_names=(run_name(options, agent), own_run),
        config=agent.config,
        spec=spec,
        input_shape=input_shape(spec, stack_size(agent.config, spec)),
        memory_size=remembered,
        outputs=output_names(spec, remembered, certain=isinstance(agent, LoadedTD3)),
        play=how_to_play(agent.config, spec, remembered, encoder_remembers=by_encoder),
        env_steps=agent.payload["env_steps"],
        updates=agent.payload["updates"],
        trained_with=agent.payload["facts"]["versions"],
        exported_with=collect_versions(),
    )


def _weights(
    agent: Exportable, policy: nn.Module, facts: Facts, reports: list[dict[str, Any]]
) -> dict[str, bytes]:
    """Return the weights and what is known of them, by file name."""
    state = agent.learner.played_weights() if isinstance(agent, LoadedTD3) else policy.state_dict()
    weights = {name: tensor.contiguous() for name, tensor in state.items()}
    told = agent.payload["facts"]
    known = {name: told[name] for name in (ENCODER, TRANSITION) if name in told}
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
        outputs=facts.outputs,
        play=facts.play,
        evaluations=[_without_paths(report) for report in reports],
        versions=facts.exported_with,
        **known,
    )
    return {
        WEIGHTS: safetensors.torch.save(weights, {"format": "pt"}),
        CONFIG: text.encode(),
    }


def _policy_of(agent: Exportable) -> nn.Module:
    """Return what decides as one module of what the environment shows."""
    frames = stack_size(agent.config, agent.player.spec)
    if isinstance(agent, LoadedTD3):
        return frames_actor(agent.learner, frames)
    return frames_policy(agent.learner, frames)


def _without_paths(report: dict[str, Any]) -> dict[str, Any]:
    """Return an evaluation for others: where the checkpoint lay here is nothing to them."""
    return {key: value for key, value in report.items() if key != "checkpoint"}


def _graphs(agent: Exportable, policy: nn.Module, facts: Facts) -> dict[str, bytes]:
    """Return the graphs that can be made here, by file name."""
    frames = stack_size(agent.config, facts.spec)
    with _told_of_the_users_model(policy):
        program = trace(policy, facts.spec, frames, facts.memory_size)
    graphs = {PROGRAM: program_bytes(program)}
    if missing_for_onnx():
        return graphs
    return graphs | {ONNX: onnx_bytes(program, input_names(facts.memory_size), facts.outputs)}


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
