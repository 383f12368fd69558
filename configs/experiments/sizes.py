"""How RLlib's sizes divide: environments, the length of a rollout, minibatches, the end.

There every number is that of the whole run. Here NumEnv is that of a rank, NumStep the length of a
rollout, and MiniBatch how many minibatches there are:

    environments = max(num_workers, 1) x num_envs_per_worker = ranks x NumEnv
    train_batch_size = environments x NumStep
    MiniBatch = train_batch_size / sgd_minibatch_size
"""

from collections.abc import Mapping, Sequence

from configs.experiments.keys import BATCH_SIZE, MINIBATCH_SIZE, NUM_ENVS, NUM_WORKERS
from configs.experiments.reading import Entry
from configs.experiments.table import Translation

WORKERS = ("num_workers", "num_rollout_workers", "num_env_runners")
ENVS = ("num_envs_per_worker", "num_envs_per_env_runner")
MINIBATCH = ("sgd_minibatch_size", "minibatch_size")
_NOWHERE = Entry(None, 0)


def take_sizes(config: Mapping[str, Entry], to: Translation, num_ranks: int) -> int | None:
    """Set environments, rollouts and minibatches; return the worker processes of a rank.

    Args:
        config: what the file says.
        to: receives the keys, or what does not divide.
        num_ranks: agent processes, which share the environments.

    Returns:
        as `--num_workers` has it; None where the file does not say, or says 0 (in the rank).
    """
    _refuse_twice(config, to)
    workers, of_workers = _first(config, WORKERS, NUM_WORKERS)
    each, of_each = _first(config, ENVS, NUM_ENVS)
    batch, of_batch = _first(config, ("train_batch_size",), BATCH_SIZE)
    if _refuse_small(config, to):
        return None
    total = max(workers, 1) * each
    if total % num_ranks:
        where = of_each if of_each.line else of_workers
        to.refuse(
            "environments",
            Entry(total, where.line),
            f"num_workers x num_envs_per_worker do not divide among {num_ranks} ranks",
        )
        return None
    if of_workers.line and workers == 0:
        to.set("WorkerBackend", "in_process", "num_workers", of_workers.line)
    line = of_workers.line or of_each.line
    to.set("NumEnv", total // num_ranks, "num_workers x num_envs_per_worker", line)
    _take_rollout(config, to, batch, total, of_batch)
    return max(1, workers // num_ranks) if of_workers.line and workers else None


def _refuse_small(config: Mapping[str, Entry], to: Translation) -> bool:
    """Refuse counts below 1, of workers below 0; return whether there are any."""
    small = [
        name
        for name in (*WORKERS, *ENVS, *MINIBATCH, "train_batch_size")
        if name in config and _number(config[name]) < (0 if name in WORKERS else 1)
    ]
    for name in small:
        to.refuse(name, config[name], "is too small")
    return bool(small)


def _take_rollout(
    config: Mapping[str, Entry], to: Translation, batch: int, total: int, where: Entry
) -> None:
    if batch % total:
        below = batch // total * total
        near = f"{below:,} or {below + total:,}" if below else f"{total:,}"
        to.refuse(
            "train_batch_size",
            Entry(batch, where.line),
            f"is no multiple of the {total} environments (num_workers x num_envs_per_worker); "
            f"set {near}",
        )
        return
    steps = batch // total
    to.set("NumStep", steps, "train_batch_size", where.line)
    told = config.get("rollout_fragment_length", _NOWHERE)
    if told.value not in (None, "auto", steps):
        to.refuse(
            "rollout_fragment_length",
            told,
            f"a rollout is train_batch_size / environments = {batch:,} / {total} = {steps} steps "
            "long here; set that, or leave it out",
        )
    size, of_size = _first(config, MINIBATCH, min(MINIBATCH_SIZE, batch))
    if size > batch:
        to.refuse("sgd_minibatch_size", of_size, f"is larger than train_batch_size = {batch:,}")
        return
    count = (2 * batch + size) // (2 * size)
    line = of_size.line or where.line
    to.set("MiniBatch", count, "train_batch_size / sgd_minibatch_size", line)
    if batch % size:
        to.notes.append(
            f"{to.path}: train_batch_size / sgd_minibatch_size = {batch:,} / {size} is no whole "
            f"number: {count} minibatches, of {batch // count} samples or one more"
        )


def take_end(
    stop: Mapping[str, Entry], config: Mapping[str, Entry], to: Translation, where: Entry
) -> None:
    """Set the end of the run: after env steps, or so many iterations of a batch each."""
    batch, _ = _first(config, ("train_batch_size",), BATCH_SIZE)
    ends = []
    if "timesteps_total" in stop:
        entry = stop["timesteps_total"]
        ends.append((_number(entry), "stop.timesteps_total", entry))
    if "training_iteration" in stop:
        entry = stop["training_iteration"]
        ends.append((_number(entry) * batch, "stop.training_iteration x train_batch_size", entry))
    if ends:
        steps, name, entry = min(ends, key=lambda end: end[0])
        to.set("TotalEnvSteps", steps, name, entry.line)
    elif not stop:
        text = "no stop: the run ends after TotalEnvSteps, see --max_env_steps"
        to.notes.append(f"{to.path}:{where.line}: {text}")


def _first(config: Mapping[str, Entry], names: Sequence[str], default: int) -> tuple[int, Entry]:
    """Return the number under the first of several names for it, and where it stands."""
    for name in names:
        if name in config:
            return _number(config[name]), config[name]
    return default, _NOWHERE


def _refuse_twice(config: Mapping[str, Entry], to: Translation) -> None:
    """Refuse a number that stands under two names."""
    for names in (WORKERS, ENVS, MINIBATCH):
        found = sorted((config[name].line, name) for name in names if name in config)
        for _, name in found[1:]:
            line, first = found[0]
            to.refuse(name, config[name], f"is set twice; first as {first} in line {line}")


def _number(entry: Entry) -> int:
    assert isinstance(entry.value, int)
    return entry.value
