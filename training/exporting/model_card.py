"""The README of an exported policy: what it is, what it scored, how to play it back."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.reading import printable
from configs.schema import Config
from training.checkpoints.protocol import changes_text
from training.exporting.feeding import in_words
from training.exporting.policy_graph import BATCH, INPUT, MEMORY, NEXT_MEMORY
from training.folders.files import read_json
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import reach_of

MEANINGS = {
    "logits": "logarithms of the actions' probabilities",
    "mean": "means of the policy's own output",
    "log_std": "logarithms of its standard deviations",
    "action": "the likeliest action, in the environment's units, within its bounds",
    "value_extrinsic": "expected return of the environment's reward",
    "value_intrinsic": "expected return of the bonus; zeros for plain PPO",
    MEMORY: f"what is remembered of the episode: zeros at its start, then the last `{NEXT_MEMORY}`",
    NEXT_MEMORY: "what is remembered from now on",
}
SEEDS = """\
`evaluations` in `config.json` holds the score of every game, and for each environment its seed and
how many of the games it played, one after the other."""
SAMPLING = """\
`action` is `clip(offset + scale * mean, low, high)`. A sampled one is
`{formula}`, {words}.
"""
GRAPH_OF_BFLOAT16 = (
    "those of `play_graph` may differ: it computes in float32, and the run did in bfloat16"
)
LICENSE = """\
## License

The code that made and plays this policy is under the MIT licence. Weights and game are not covered
by it: name a licence for these weights here before you hand them on."""


@dataclass(frozen=True)
class Facts:
    """What is known of an exported policy.

    Attributes:
        checkpoint: the file that it came from.
        digest: of what that holds.
        own_run: the name of the run that trained it.
        log_names: runs that may have evaluated it.
        config, spec: of the run.
        input_shape: of one input, without the batch.
        memory_size: numbers that the policy remembers; 0 without a memory.
        outputs: names of what a graph gives.
        play: see `training.exporting.feeding`.
        env_steps, updates: of its training.
        trained_with, exported_with: versions of packages, machine, commit.
    """

    checkpoint: Path
    digest: str
    own_run: str
    log_names: tuple[str, ...]
    config: Config
    spec: EnvironmentSpec
    input_shape: tuple[int, ...]
    memory_size: int
    outputs: tuple[str, ...]
    play: Mapping[str, Any]
    env_steps: int
    updates: int
    trained_with: Mapping[str, str]
    exported_with: Mapping[str, str]


def evaluations(facts: Facts, logs: Path) -> list[dict[str, Any]]:
    """Return the reports on this very training state: the newest of each way of playing.

    Those under the protocol of training come first; `logs` is where they are looked for.
    """
    runs = logs / "runs"
    files = {path for name in facts.log_names for path in (runs / name).glob("evaluation/*")}
    paths = [path for path in files if path.suffix == ".json"]
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True):
        report = read_json(path)
        if report is not None and _is_of(report, facts, run=path.parent.parent.name):
            way = f"{report['action_choice']} {_changes(report)}"
            found.setdefault(way, report)
    return sorted(found.values(), key=lambda report: bool(_changes(report)))


def _is_of(report: Mapping[str, Any], facts: Facts, run: str) -> bool:
    """Whether a report in the folder of `run` is on this training state.

    Those of before a report had a digest are believed in the folder of its own run alone.
    """
    wanted = {"env_id": facts.spec.env_id, "env_steps_trained": facts.env_steps}
    if "checkpoint_digest" in report or run != facts.own_run:
        wanted["checkpoint_digest"] = facts.digest
    return {key: report.get(key) for key in wanted} == wanted


def model_card(
    facts: Facts, reports: Sequence[Mapping[str, Any]], folder: Path, graphs: list[str]
) -> str:
    """Return the card as Markdown.

    Args:
        facts: what is known.
        reports: of its evaluations.
        folder: where the policy lies, for the commands.
        graphs: names of the graphs that lie there.
    """
    sections = [
        f"# {printable(facts.spec.env_id)}, {_method(facts.config)}",
        f"A policy that Scout trained for {facts.env_steps:,} env steps ({facts.updates:,} "
        f"updates). From `{printable(facts.checkpoint.name)}`.",
        _scores(reports),
        _interface(facts),
        in_words(facts.play),
        _files(graphs),
        _commands(folder, facts),
        LICENSE,
        _versions(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _method(config: Config) -> str:
    if config.run.agent == "TD3":
        return "TD3"
    bonus, head = config.intrinsic.kind, config.representation.kind
    parts = ["PPO", *([bonus] if bonus != "none" else []), *([head] if head != "None" else [])]
    return " + ".join(parts)


def _scores(reports: Sequence[Mapping[str, Any]]) -> str:
    if not reports:
        return "## Scores\n\nThis state has not been evaluated."
    return "\n\n".join(["## Scores", *map(_score, reports), SEEDS])


def _score(report: Mapping[str, Any]) -> str:
    score = report["score"]
    spread = ""
    if score.get("std") is not None:
        low, high = score["interval_low"], score["interval_high"]
        spread = f"; deviation {score['std']:,.2f}, 95 % interval {low:,.2f} to {high:,.2f}"
    changes = _changes(report)
    rules = f"**Not the protocol of training: {changes}.**" if changes else "Training's protocol."
    lines = [
        f"Mean {score['mean']:,.2f} over {report['episodes']} full games{spread}; lowest "
        f"{score['min']:,.2f}, highest {score['max']:,.2f}. Actions {report['action_choice']}, "
        f"seed {report['seed']}. {rules}"
    ]
    if report.get("rooms"):
        lines.append(f"Rooms entered: {', '.join(map(str, report['rooms']))}.")
    return "\n".join(lines)


def _changes(report: Mapping[str, Any]) -> str:
    """Return in words how an evaluation's protocol differs from training's; "" = not at all."""
    return changes_text(report.get("protocol_changes") or {})


def _interface(facts: Facts) -> str:
    spec = facts.spec
    shape = ", ".join([BATCH, *map(str, facts.input_shape)])
    what = "state vectors, not scaled"
    if len(spec.observation_shape) > 1:
        what = "stacked raw frames, 0 to 255, the oldest first"
    rows = [f"| `{INPUT}` | in | {spec.observation_dtype} [{shape}] | {what} |"]
    size = facts.memory_size
    widths = {"value_extrinsic": "", "value_intrinsic": "", NEXT_MEMORY: f", {size}"}
    if size:
        rows.append(f"| `{MEMORY}` | in | float32 [{BATCH}, {size}] | {MEANINGS[MEMORY]} |")
    for name in facts.outputs:
        form = BATCH + widths.get(name, f", {spec.num_actions}")
        rows.append(f"| `{name}` | out | float32 [{form}] | {MEANINGS[name]} |")
    table = ["## In and out\n", "| name | | type | meaning |", "|---|---|---|---|", *rows]
    return "\n".join(table) + ("" if spec.discrete else f"\n\n{_sampling(facts)}")


def _sampling(facts: Facts) -> str:
    """Say how an output becomes an action."""
    spec = facts.spec
    formula, _, words = facts.play["actions"]["sampled"].rpartition("), ")
    bounds = (spec.action_low, spec.action_high)
    rows = zip(range(spec.num_actions), *reach_of(spec), *bounds, strict=True)
    lines = [f"| {' | '.join(f'{value:g}' for value in row)} |" for row in rows]
    table = ["| action | offset | scale | low | high |", "|---|---|---|---|---|", *lines]
    return "\n".join([SAMPLING.format(formula=f"{formula})", words=words), *table])


def _files(graphs: list[str]) -> str:
    lines = [
        "- `policy.safetensors`, `config.json`: weights, and what it takes to use them; data only.",
        "- `policy.pt2`: a program for `torch.export.load`, which unpickles what such a file asks",
        "  for: take it from people you trust, or use the two files above.",
    ]
    if "policy.onnx" in graphs:
        lines.append("- `policy.onnx`: the same for ONNX runtimes.")
    ending = "\nThe graphs compute in float32, for batches of any size."
    return "\n".join(["## Files\n", *lines, ending])


def _commands(folder: Path, facts: Facts) -> str:
    """Show the examples; what imports a module is named by whoever types it."""
    env_id = facts.spec.env_id
    where = shlex.join([str(folder), env_id] if ":" in env_id else [str(folder)])
    lines = [f"python -m examples.play_graph {where}"]
    if facts.config.custom_model_name is None:  # else the network is code, which no export has
        lines.insert(0, f"python -m examples.play_export {where}")
    said = f"From a clone of Scout; {_compared(facts)}:"
    return f"## Play it back\n\n{said}\n\n```bash\n" + "\n".join(lines) + "\n```"


def _compared(facts: Facts) -> str:
    """Say which of the examples plays an evaluation's games."""
    same = "those of an evaluation of as many episodes with the same seed"
    if facts.config.run.precision != "bfloat16":
        return f"the scores are {same}"
    if facts.config.custom_model_name is None:
        return f"the scores of `play_export` are {same}, and {GRAPH_OF_BFLOAT16}"
    return GRAPH_OF_BFLOAT16


def _versions(facts: Facts) -> str:
    names = sorted({*facts.trained_with, *facts.exported_with})
    columns = (facts.trained_with, facts.exported_with)
    cells = ([name, *(each.get(name, "") for each in columns)] for name in names)
    rows = [f"| {' | '.join(map(printable, row))} |" for row in cells]
    return "\n".join(["## Versions\n", "| | trained | exported |", "|---|---|---|", *rows])
