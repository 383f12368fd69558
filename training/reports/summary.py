"""What a run is, in a few lines: how it ended, what it trained, where, and with which command."""

import shlex
from collections.abc import Sequence

from configs.errors import STOPPED_EXIT_CODE
from training.reports.markup import Markup, element
from training.reports.numbers import (
    NOTHING,
    duration_text,
    number_text,
    percent_text,
    steps_text,
)
from training.reports.record import Record
from training.reports.rows import BEST_SCORE, EPISODES, SCORE
from training.reports.time_split import elapsed_seconds

_FLAG_WORDS = ("none", "None", "0", "False", "")
# Agent -> how actions are chosen in training.
_ACTIONS = {
    "PPO": "are sampled from the policy",
    "TD3": "are the policy's with noise (ExplorationNoise), the first RandomSteps at random",
    "CMA-ES": "are those of each controller of the population, none is sampled",
}
# Agent -> the key that says how many env steps of each environment an update is.
_UPDATE_LENGTH = {"PPO": "NumStep", "TD3": "StepsPerUpdate"}


def ending(record: Record) -> tuple[str, str]:
    """Return how the run ended, in words, and whether that is good, odd or bad."""
    status = record.status
    code, reason = status.get("code"), str(status.get("reason", ""))
    if not status:
        return "it left no last word", "odd"
    if code is None:
        if record.is_over:
            return "ended without a last word: killed, or its machine went down", "bad"
        return "under way", "odd"
    if code == 0:
        return "done", "good"
    words = f"ended with code {code}: {reason}" if code != STOPPED_EXIT_CODE else reason
    return words, "odd" if code == STOPPED_EXIT_CODE else "bad"


def status_mark(record: Record) -> Markup:
    """Return how the run ended as a coloured word."""
    words, kind = ending(record)
    return element("span", words, class_=f"status {kind}")


def agent_text(record: Record) -> str:
    """Return which agent was trained; of PPO also its bonus and its head, others have none."""
    agent = record.setting("Agent")
    if agent != "PPO":
        return agent
    bonus = record.setting("IntrinsicReward")
    head = record.setting("RepresentationLearningParameter")
    words = [agent]
    if bonus not in (*_FLAG_WORDS, "?"):
        on_features = "RND" in bonus and record.setting("RNDInput") == "features"
        words.append(f"{bonus} on the policy's features" if on_features else bonus)
    if head not in (*_FLAG_WORDS, "?"):
        words.append(head)
    return " + ".join(words)


def actions_text(records: Sequence[Record]) -> str:
    """Return how actions were chosen in training, for each agent among runs; "" if none is known.

    Starts with a space: it follows another sentence.
    """
    agents = dict.fromkeys(record.setting("Agent") for record in records)
    told = [agent for agent in agents if agent in _ACTIONS]
    words = "; ".join(
        f"of {agent} {_ACTIONS[agent]}" if len(told) > 1 else _ACTIONS[agent] for agent in told
    )
    return f" Actions in training {words}." if words else ""


def environment_text(record: Record) -> str:
    """Return which environment it was trained on, and on what of it."""
    kind, seen = record.setting("EnvType"), record.setting("ObservationType")
    more = kind if seen == "auto" else f"{kind}, {seen}"
    return f"{record.setting('EnvID')} ({more})"


def run_facts(record: Record) -> list[tuple[str, str]]:
    """Return the facts of a run by name."""
    versions, last = record.versions, record.rows[-1] if record.rows else {}
    seconds = float(elapsed_seconds(record.rows, record.begun_at).sum())
    start = record.starts[-1] if record.starts else {}
    score = number_text(last.get(SCORE))
    best = max((row[BEST_SCORE] for row in record.rows if BEST_SCORE in row), default=None)
    return [
        ("environment", environment_text(record)),
        ("agent", agent_text(record)),
        ("seed", record.setting("Seed")),
        ("progress", _progress(record)),
        ("return", f"{score}, mean of the last 100 episodes; best episode {number_text(best)}"),
        ("episodes", f"{last.get(EPISODES, 0):,.0f}"),
        ("training time", f"{duration_text(seconds)}, {_speed(record, seconds)}"),
        ("processes", _processes(record)),
        ("machine", _machine(record)),
        ("commit", str(start.get("commit", NOTHING))),
        ("packages", _packages(record)),
        ("started", _starts(record)),
        ("last word", str(record.status.get("time", NOTHING))),
        ("checkpoint", str(record.status.get("checkpoint") or NOTHING)),
        ("folder", str(record.folder)),
        *([("GPU", versions["gpu"])] if "gpu" in versions else []),
    ]


def commands(record: Record) -> Markup:
    """Return the commands that the run was started and continued with."""
    lines = [
        f"{start.get('time', '')}  {shlex.join(map(str, start.get('command', [])))}"
        for start in record.starts
    ]
    return element("pre", "\n".join(lines), tabindex="0")


def _progress(record: Record) -> str:
    done = steps_text(record.last_step, record.frames_per_step)
    played = record.status.get("random_steps")
    at_random = (
        f"; {played:,} more of random play before" if isinstance(played, int) and played else ""
    )
    return f"{done}{_share_text(record)}{at_random}"


def _share_text(record: Record) -> str:
    """Return how far a run is to its end, whichever it is nearer to; "" where none is known."""
    ends = [(record.last_step, "TotalEnvSteps", "env steps")]
    if record.setting("Agent") == "CMA-ES" and record.rows:
        ends.append((record.rows[-1].get("charts/updates", 0), "Generations", "generations"))
    shares = [
        (done / int(total), f"{int(total):,} {unit}")
        for done, key, unit in ends
        if (total := record.setting(key)).isdigit() and int(total)
    ]
    share, length = max(shares, default=(0.0, ""))
    return f"; {percent_text(min(share, 1.0))} of {length}" if length else ""


def _speed(record: Record, seconds: float) -> str:
    steps = record.last_step - record.begun_at
    return f"{steps / seconds:,.0f} env steps/s" if seconds else "speed unknown"


def _processes(record: Record) -> str:
    """Return agent processes and environments, from the env steps of the last update.

    A generation of CMA-ES has no fixed number of env steps, and uses no more environments than it
    has episodes: of that, NumEnv is all that is told.
    """
    agent, num_envs = record.setting("Agent"), record.setting("NumEnv")
    length = record.setting(_UPDATE_LENGTH.get(agent, ""))
    each = f"{num_envs} environment{'s' if num_envs != '1' else ''} in each"
    unknown = f"{'at most ' if agent == 'CMA-ES' else ''}{each} agent process"
    updates = [
        (row["charts/updates"], row["env_steps"]) for row in record.rows if "charts/updates" in row
    ]
    if not updates or not (num_envs.isdigit() and length.isdigit()):
        return unknown
    before = updates[-2] if len(updates) > 1 else (0.0, 0)
    passed = updates[-1][0] - before[0]
    per_update = (updates[-1][1] - before[1]) / passed if passed else 0.0
    ranks = per_update / (int(num_envs) * int(length))
    if ranks < 1 or ranks != round(ranks):
        return unknown
    return f"{ranks:.0f} agent process{'es' if ranks > 1 else ''}, {each}"


def _machine(record: Record) -> str:
    versions = record.versions
    cores = versions.get("cores", "?")
    return f"{versions.get('cpu', '?')}, {cores} cores, {versions.get('platform', '?')}"


def _packages(record: Record) -> str:
    known = ("platform", "cpu", "cores", "commit", "gpu")
    listed = (f"{name} {text}" for name, text in record.versions.items() if name not in known)
    return ", ".join(listed) or NOTHING


def _starts(record: Record) -> str:
    times = [str(start.get("time", "?")) for start in record.starts]
    if not times:
        return NOTHING
    return times[0] if len(times) == 1 else f"{times[0]}; {len(times)} starts, last {times[-1]}"
