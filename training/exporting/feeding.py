"""What it takes to feed an exported policy and to play its actions, without Scout's source.

One object says it all, for programs (`play` in config.json) and for people (a table of the card).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from configs.schema import Config
from training.building.stacking import stack_size
from training.exporting.form import spec_to_json
from training.exporting.policy_graph import MEMORY, NEXT_MEMORY
from workers.environments.base import EnvironmentSpec
from workers.environments.description import Facts, describe_environment
from workers.environments.parts.actions import reach_of


def how_to_play(
    config: Config, spec: EnvironmentSpec, memory_size: int, *, encoder_remembers: bool = False
) -> Facts:
    """Return what is between a simulator and the policy's input, and from its output back.

    Args:
        config: the run's configuration.
        spec: the environment.
        memory_size: numbers that the policy remembers; 0 without a memory.
        encoder_remembers: whether some of them are those of a frozen encoder before it.

    Raises:
        ConfigurationError: an Atari game whose emulator is not installed.
    """
    facts = describe_environment(config.environment)
    names, values = facts.pop("action_names"), facts.pop("action_values", None)
    if len(spec.observation_shape) > 1:
        facts["observation"] |= {
            "stack_size": stack_size(config, spec),
            "stack_order": "oldest first, along the second axis of the input",
            "stack_at_start": "the episode's first frame, repeated",
        }
    actions = _choices(spec, names, values) if spec.discrete else _continuous(config, spec)
    precision = {"graphs": "float32", "in_training_and_evaluation": config.run.precision}
    kinds = [config.custom_model_name or config.ppo.memory]
    if encoder_remembers:
        kinds = ["encoder", *(kind for kind in kinds if kind != "none")]
    memory = {"memory": _memory(" and ".join(kinds), memory_size)} if memory_size else {}
    return {**facts, **memory, "actions": actions, "precision": precision}


def in_words(play: Mapping[str, Any]) -> str:
    """Return the same as Markdown: a table, and how the usual wrappers differ."""
    rows = [f"| {name} | {text} |" for name, text in _rows(play) if not name.startswith("diff")]
    lines = [
        "## How to feed it\n",
        "What lies between the simulator and the policy; `play` in `config.json` says the same to "
        "a program.\n",
        "| what | how |",
        "|---|---|",
        *rows,
    ]
    if play["differences"]:
        lines += ["\nWhere gymnasium's wrappers do something else:\n"]
        lines += [f"- {text}" for text in play["differences"]]
    return "\n".join(lines)


def _memory(kind: str, size: int) -> Facts:
    return {
        "kind": kind,
        "size": size,
        "at_start": "zeros, at the first observation of every episode",
        "from_step_to_step": f"{MEMORY} is what {NEXT_MEMORY} was at the step before",
    }


def _choices(spec: EnvironmentSpec, names: list[str] | None, values: list[int] | None) -> Facts:
    if values is None and spec.action_start:
        values = [spec.action_start + choice for choice in range(spec.num_actions)]
    numbers = {} if values is None else {"numbers_in_the_simulator": values}
    return {
        "kind": "one of the choices, counted from 0",
        "count": spec.num_actions,
        "names": names,
        **numbers,
        "greedy": "the index of the largest logit, the first of equals",
        "sampled": "an index drawn with the probabilities exp(logits)",
    }


def _continuous(config: Config, spec: EnvironmentSpec) -> Facts:
    bounds = spec_to_json(spec)
    offset, scale = reach_of(spec)
    return {
        "kind": "numbers, one for each dimension",
        "count": spec.num_actions,
        "offset": list(offset),
        "scale": list(scale),
        "low": bounds["action_low"],
        "high": bounds["action_high"],
        "greedy": "clip(offset + scale * mean, low, high)",
        "sampled": f"clip(offset + scale * {_sample(config)}, low, high), noise a standard normal "
        "number for each dimension",
    }


def _sample(config: Config) -> str:
    """Return how an output is drawn, in words; TD3 does so to explore."""
    if config.run.agent == "TD3":
        return f"clip(mean + {config.td3.exploration_noise:g} * noise, -1, 1)"
    return "(mean + exp(log_std) * noise)"


def _rows(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value with its way from the top, in words."""
    for key, value in content.items():
        name = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, dict) and value:
            yield from _rows(value, f"{name}: ")
        else:
            yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if value is None or value == {}:
        return "none"
    return str(value).replace("|", "\\|")
